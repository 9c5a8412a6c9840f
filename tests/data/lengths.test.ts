/** How long samples are for a model: what is beyond its window, and what is only beyond the profile's sequence. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bringFile } from "../../src/data/brought.ts";
import { LengthMeter } from "../../src/data/lengths.ts";
import type { Message, Sample } from "../../src/data/types.ts";
import { getFamily } from "../../src/models/family.ts";
import { createRenderer } from "../../src/models/render.ts";
import { ok } from "../../src/platform/result.ts";
import { weatherSet } from "./fixtures.ts";

const family = getFamily("nano");
if (!family.ok) throw new Error("no family");
const renderer = createRenderer(family.value);
const prompt = renderer.toolPrompt(weatherSet.tools);
const said = (text: string): Message[] => [
  { role: "user", content: text },
  { role: "assistant", content: "Yes." },
];
/** A token a character. */
const meter = (exact: boolean) => {
  const asked: string[] = [];
  const count = async (text: string) => {
    asked.push(text);
    return ok(text.length);
  };
  const bounds = { family: "nano", window: prompt.length + 1000, profile: "fast_dev", maxTokens: prompt.length + 500, exact };
  return { asked, meter: new LengthMeter(bounds, renderer, weatherSet, count) };
};
const tokens = (text: string): number => renderer.segments(said(text), weatherSet.tools).reduce((n, s) => n + s.text.length, 0);

test("samples are counted only where they could be too long, and the prompt once", async () => {
  const { asked, meter: m } = meter(true);
  expect(await m.see(said("short"))).toEqual(ok(null));
  // The prompt alone could be too long by its bytes.
  expect(asked.filter((text) => text !== prompt)).toEqual([]);
  const middle = "a".repeat(600);
  expect(await m.see(said(middle))).toEqual(ok(tokens(middle)));
  const long = "b".repeat(1500);
  expect(await m.see(said(long))).toEqual(ok(tokens(long)));
  expect(asked.filter((text) => text === prompt)).toHaveLength(1);
  expect(m.lengths()).toEqual({
    family: "nano",
    window: prompt.length + 1000,
    too_long: 1,
    profile: "fast_dev",
    max_tokens: prompt.length + 500,
    over_profile: 2,
    longest: tokens(long),
  });
});

test("what is only beyond the profile's sequence is not counted where that is not asked for", async () => {
  const { meter: m } = meter(false);
  expect(await m.see(said("a".repeat(400)))).toEqual(ok(null));
  expect(m.lengths()).toMatchObject({ too_long: 0, over_profile: null, longest: null });
  await m.see(said("b".repeat(1500)));
  expect(m.lengths()).toMatchObject({ too_long: 1, over_profile: null, longest: tokens("b".repeat(1500)) });
});

test("a sample that is too long is taken out while it is repaired, in the order of the lines, and takes no other with it as its double", async () => {
  const folder = mkdtempSync(join(tmpdir(), "forge-lengths-"));
  const [path, train, takenOut] = ["d", "t", "o"].map((name) => join(folder, name)) as [string, string, string];
  const line = (id: string, answer: string): string =>
    JSON.stringify({
      id,
      messages: [
        { role: "user", content: `What is ${id.slice(0, 1)}?` },
        { role: "assistant", content: answer },
      ],
    });
  writeFileSync(path, [line("a1", "long"), "no line", line("a2", "short"), line("b1", "short"), line("b2", "short"), line("c1", "long")].join("\n"));
  const tooLong = async ({ messages }: Sample): Promise<string | null> => (messages[1]?.content === "long" ? "has too many tokens" : null);
  const signal = new AbortController().signal;
  const brought = await bringFile(path, { toolset: weatherSet, fix: true, train, takenOut, tooLong, scratch: folder, signal });
  const read = (file: string) => readFileSync(file, "utf8").trimEnd().split("\n").map((l) => JSON.parse(l)); // biome-ignore format: one line
  expect(read(train).map((s) => s.id)).toEqual(["a2", "b1"]);
  expect(read(takenOut).map((t) => [t.line, t.check])).toEqual([
    [1, "too_long"],
    [2, "json"],
    [5, "duplicate"],
    [6, "too_long"],
  ]);
  expect(brought.dropped).toEqual({ too_long: 2, json: 1, duplicate: 1 });
  const stop = new AbortController();
  const stopped = bringFile(path, {
    toolset: weatherSet,
    fix: true,
    train,
    takenOut,
    scratch: folder,
    signal: stop.signal,
    tooLong: async () => {
      stop.abort();
      return null;
    },
  });
  await expect(stopped).rejects.toThrow();
  expect(readdirSync(folder).sort()).toEqual(["d", "o", "t"]);
  rmSync(folder, { recursive: true });
});
