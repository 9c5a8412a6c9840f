#!/usr/bin/env node
/**
 * Stands in for a Python with synthetic-data-kit: answers the version check, and plays the step `reword` as python/forge_steps/reword.py does,
 * in the step protocol alone, so that it needs nothing installed. MCP_FORGE_FAKE_KIT has what it is to do otherwise.
 */
import { readFileSync, writeFileSync } from "node:fs";

const { versions = "3.11.7 0.0.5 3.57.0", way = "good" } = JSON.parse(process.env.MCP_FORGE_FAKE_KIT ?? "{}");
if (process.argv[2] === "-c") {
  console.log(versions);
  process.exit(0);
}
const emit = (event) => process.stdout.write(`${JSON.stringify({ v: 1, ...event })}\n`);
const spec = JSON.parse(readFileSync(process.argv.at(-1), "utf8"));
const entries = readFileSync(spec.requests, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
process.stderr.write("Using API base URL\n");
let failed;
const said = await Promise.all(
  entries.map(async (entry) => {
    const prompt = `Conversation:\n${JSON.stringify(entry)}`;
    const response = await fetch(`${spec.address}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${process.env.API_ENDPOINT_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model: spec.model, messages: [{ role: "system", content: prompt }], max_tokens: spec.max_tokens, temperature: spec.temperature }),
    });
    if (!response.ok) {
      failed ??= response.status;
      return null;
    }
    const { choices } = await response.json();
    try {
      return JSON.parse(choices[0].message.content).conversation.map((m) => m.content);
    } catch {
      return null;
    }
  }),
);
if (failed !== undefined) {
  emit({ type: "error", code: "kit/no-answer", message: `synthetic-data-kit got no answer: ${failed}` });
  process.exit(1);
}
const lines = entries.map((e, i) => JSON.stringify({ id: e.id, messages: said[i] }));
writeFileSync(spec.output, `${(way === "short" ? lines.slice(1) : lines).join("\n")}\n`);
emit({ type: "result", figures: { asked: entries.length, unusable: said.filter((s) => s === null).length } });
