/**
 * What training a model to call tools does to its plain conversation: ordinary questions, put to the base model and to a
 * project's, without tools and with the project's tools in the prompt.
 *
 *   npm run bench -- chat --project DIR [--questions bench/cases/plain-chat.txt] [--show 0]
 *
 * A project is one that has been applied; its q8_0 model is asked. Figures, one JSON line each: the share of questions that are
 * answered by calling a tool, or with nothing; and how far the next token's distribution has moved over the base's own answers
 * (mean KL in nats, the base as the reference, no tools in the prompt; and the share of positions with the same first choice).
 * --show N prints the first N answers side by side: whether they are any good is for a person to say.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureBase } from "../src/models/base.ts";
import { getFamily } from "../src/models/family.ts";
import { openLlama } from "../src/models/llama/client.ts";
import { completeAll } from "../src/models/llama/types.ts";
import { findLlamaFiles } from "../src/models/llama-files.ts";
import { createRenderer } from "../src/models/render.ts";
import { packageRoot } from "../src/platform/paths.ts";
import type { Result } from "../src/platform/result.ts";
import { runStep } from "../src/runners/local.ts";
import type { ToolDefinition } from "../src/schemas/generated/toolset.ts";
import { machine, stored } from "./lib.mjs";

const { values: o } = parseArgs({
  options: {
    project: { type: "string" },
    questions: { type: "string", default: join(packageRoot(), "bench/cases/plain-chat.txt") },
    family: { type: "string", default: "smollm2" },
    show: { type: "string", default: "0" },
  },
});
if (o.project === undefined) {
  console.error("usage: npm run bench -- chat --project DIR [--questions FILE] [--show N]");
  process.exit(4);
}
const must = <T>(result: Result<T>): T => {
  if (result.ok) return result.value;
  console.error(result.error.message);
  process.exit(1);
};
/** Tokens of an answer that are looked at. */
const MOST_TOKENS = 64;
const CALL = "<tool_call>";

const project = resolve(o.project);
const family = must(getFamily(o.family));
const base = must(await ensureBase(family, "default", { signal: new AbortController().signal }));
const tuned = stored(project, "export:q8_0", "model");
const { tools } = JSON.parse(readFileSync(stored(project, "inspect", "toolset"), "utf8")) as { tools: ToolDefinition[] };
const questions = readFileSync(o.questions, "utf8")
  .split("\n")
  .filter((line) => line.trim() !== "");
const renderer = createRenderer(family);

/** A model's answers to every question, without tools and with them. */
async function ask(model: string): Promise<{ alone: string[]; withTools: string[] }> {
  const engine = must(await openLlama({ model, sequences: 8 }));
  try {
    const answers = async (shown: readonly ToolDefinition[]): Promise<string[]> => {
      const prompts = questions.map((content) => renderer.prompt([{ role: "user", content }], shown));
      const done = await completeAll(
        engine,
        prompts.map((prompt) => ({ prompt, maxTokens: MOST_TOKENS })),
      );
      return done.map((d) => must(d).text);
    };
    return { alone: await answers([]), withTools: await answers(tools) };
  } finally {
    await engine.close();
  }
}

const [before, after] = [await ask(base.ggufPath), await ask(tuned)];
const share = (texts: readonly string[], is: (text: string) => boolean): number => texts.filter(is).length / texts.length;
const emit = (name: string, value: number, n: number): void => console.log(JSON.stringify({ name, value, n, machine }));
for (const [who, said] of [
  ["base", before],
  ["tuned", after],
] as const)
  for (const [how, texts] of [
    ["alone", said.alone],
    ["with_tools", said.withTools],
  ] as const) {
    emit(
      `chat.${who}.${how}.calls`,
      share(texts, (t) => t.includes(CALL)),
      texts.length,
    );
    emit(
      `chat.${who}.${how}.empty`,
      share(texts, (t) => t.trim() === ""),
      texts.length,
    );
  }

const work = mkdtempSync(join(tmpdir(), "forge-chat-"));
try {
  const rows = join(work, "rows.jsonl");
  const lines = questions.flatMap((content, i) => {
    const answer = before.alone[i]?.trim() ?? "";
    if (answer === "") return [];
    const messages = [
      { role: "user" as const, content },
      { role: "assistant" as const, content: answer },
    ];
    return [`${JSON.stringify({ id: String(i), segments: renderer.segments(messages, []) })}\n`];
  });
  writeFileSync(rows, lines.join(""));
  const { libraries } = must(findLlamaFiles());
  const moved = must(
    await runStep(
      "verify",
      { v: 1, reference: base.ggufPath, input: tuned, rows, positions: 3000, libraries },
      { scratch: work, logFile: join(work, "log"), signal: new AbortController().signal, onEvent: () => {} },
    ),
  ) as { kl: number; top1: number; positions: number };
  emit("chat.kl", moved.kl, moved.positions);
  emit("chat.top1", moved.top1, moved.positions);
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (let i = 0; i < Math.min(Number(o.show), questions.length); i++)
  console.log(`\n> ${questions[i]}\nbase:        ${before.alone[i]}\ntuned:       ${after.alone[i]}\nwith tools:  ${after.withTools[i]}`);
