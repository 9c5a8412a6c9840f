/** A data set in shares: the report is that of the whole, wherever it was cut; a file of a share that is not as it was written is told. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bringFile } from "../../src/data/brought.ts";
import { measureFiles, measureShare } from "../../src/data/scale/measure.ts";
import { ShardError, ShardReader, ShardWriter } from "../../src/data/scale/shard-file.ts";
import { mergedLengths, mergedRead, mergeShares, writeLeft } from "../../src/data/scale/shares.ts";
import type { EvaluationCase, Sample } from "../../src/data/types.ts";
import type { ShardHead } from "../../src/schemas/generated/qa-shard.ts";
import { weatherSet } from "./fixtures.ts";

let folder: string;
let scratch: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "forge-shares-"));
  scratch = join(folder, "scratch");
  mkdirSync(scratch);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const seeds = readFileSync(join(import.meta.dirname, "../../bench/qa/seeds.jsonl"), "utf8")
  .trim()
  .split("\n");
/** Samples that double others, ids that are there twice, samples that fail a check, lines that are nothing, blank ones, one that is no UTF-8. */
const lines = Array.from({ length: 240 }, (_, i): Buffer => {
  if (i % 31 === 5) return Buffer.from(`{"messages": ${i}`);
  if (i % 41 === 7) return Buffer.from(" ");
  const sample = JSON.parse(seeds[(i * 7) % seeds.length] as string) as Sample;
  const said = sample.messages.find((m) => m.role === "user") as { content: string };
  if (i % 3 !== 0) said.content += ` snö number ${i % 60} and so on, with a good many words more that make it a longer sentence than most of them are`;
  const called = sample.messages.find((m) => m.role === "assistant" && "tool_calls" in m) as { tool_calls?: { function: { name: string } }[] } | undefined;
  if (i % 17 === 3 && called?.tool_calls?.[0] !== undefined) called.tool_calls[0].function.name = "no_such_tool";
  // Without an id, with one that another's line gives it, twice the same, one of its own.
  const id = i % 5 === 0 ? `twice/${i % 3}` : i % 5 === 1 ? undefined : i % 5 === 2 ? `line-${(i * 7) % 240}` : `s/${i}`;
  const text = JSON.stringify({ ...sample, id });
  return i % 53 === 11 ? Buffer.from(text, "latin1") : Buffer.from(text);
});
const heldout = lines.slice(0, 20).flatMap((line, i): EvaluationCase[] => {
  try {
    const s = JSON.parse(line.toString()) as Sample;
    return [{ id: `e/${i}`, messages: [s.messages.find((m) => m.role === "user")], expect: null, frame: s.frame } as EvaluationCase];
  } catch {
    return [];
  }
});
const beside = { toolset: weatherSet, heldout, brought: true };
const bytesOf = (some: readonly Buffer[]): Buffer => Buffer.concat(some.flatMap((line) => [line, Buffer.from("\n")]));
const signal = new AbortController().signal;

let files = 0;
async function bring(some: readonly Buffer[], share: boolean) {
  const at = join(folder, `data-${files++}`);
  writeFileSync(at, bytesOf(some));
  const to = { train: `${at}.train`, takenOut: `${at}.left` };
  return { ...to, read: await bringFile(at, { toolset: weatherSet, fix: false, share, ...to, scratch, signal }) };
}

async function measured(some: readonly Buffer[], o: { readonly mostInMemory?: number } = {}): Promise<string> {
  const { train, takenOut, read } = await bring(some, true);
  const path = `${train}.shard`;
  const first = (of: readonly number[]) => of.map((line) => ({ line, message: "" }));
  const head: Omit<ShardHead, "record"> = {
    version: 1,
    measured_by: 2,
    toolset: "t",
    cases: "c",
    thinking: null,
    frames: true,
    line_ends: read.lineEnds,
    read: {
      lines: read.lines,
      readable: read.readable,
      samples: read.samples,
      left: read.left,
      dropped: { ...read.dropped },
      foreign: { count: read.foreign.count, first: first(read.foreign.lines) },
      unreadable: { count: read.unreadable.count, first: read.unreadable.first.map(({ line, message }) => ({ line, message })) },
    },
    lengths: { family: "f", window: 100, too_long: 1, profile: "balanced", max_tokens: 50, over_profile: 2, longest: read.samples },
  };
  const writer = new ShardWriter(path, head);
  const left = readFileSync(takenOut);
  if (left.length > 0) writer.left(left);
  await measureShare(train, beside, { scratch, rangeBytes: 9000, ...o }, writer);
  writer.close();
  return path;
}

/** The parts of a list that is cut at these places. */
const cutAt = <T>(list: readonly T[], cuts: readonly number[]): T[][] => {
  const places = [0, ...[...cuts].sort((a, b) => a - b), list.length];
  return places.slice(1).map((end, i) => list.slice(places[i], end));
};

describe("the report of a data set in shares", () => {
  it("is that of the whole, wherever it was cut", async () => {
    const whole = await bring(lines, false);
    const expected = JSON.stringify(await measureFiles([whole.train], beside, { scratch }));
    expect(expected).toContain("#line-");
    expect(JSON.parse(expected).issues.map((i: { check: string }) => i.check)).toEqual(expect.arrayContaining(["tool_exists", "duplicate", "leakage"]));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: lines.length }), { maxLength: 4 }), fc.constantFrom(undefined, 300), async (cuts, mostInMemory) => {
        const o = mostInMemory === undefined ? {} : { mostInMemory };
        const shares: ShardReader[] = [];
        for (const some of cutAt(lines, cuts)) shares.push(new ShardReader(await measured(some, o)));
        for (const share of shares) share.verify();
        expect(JSON.stringify(mergeShares(shares, beside, { scratch, ...o }))).toBe(expected);
        const { unreadable, ...read } = mergedRead(shares);
        const { unreadable: unreadableThere, ...there } = whole.read;
        expect(read).toEqual(there);
        expect(unreadable.first.map(({ line, message }) => [line, message])).toEqual(unreadableThere.first.map(({ line, message }) => [line, message]));
        const left = join(folder, "left");
        writeLeft(shares, left);
        expect(readFileSync(left, "utf8")).toBe(readFileSync(whole.takenOut, "utf8"));
        expect(mergedLengths(shares)).toMatchObject({ too_long: cuts.length + 1, over_profile: 2 * (cuts.length + 1) });
        expect(readdirSync(scratch)).toEqual([]);
      }),
      { numRuns: 8 },
    );
  });

  it("needs no model: then there are no lengths", () => {
    expect(mergedLengths([])).toBeUndefined();
  });
});

describe("a file of a share", () => {
  it("that was cut off, changed or is something else is told, at any byte", async () => {
    const path = await measured(lines.slice(0, 40));
    const good = readFileSync(path);
    const bad = join(folder, "bad");
    const readAll = (): void => {
      const reader = new ShardReader(bad);
      reader.verify();
      for (const _ of reader.pieces());
    };
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
        if (good[at] === byte) return;
        const changed = Buffer.from(good);
        changed[at] = byte;
        writeFileSync(bad, changed);
        expect(readAll).toThrow(ShardError);
      }),
      { numRuns: 150 },
    );
    fc.assert(
      fc.property(fc.nat(good.length - 1), (size) => {
        writeFileSync(bad, good);
        truncateSync(bad, size);
        expect(readAll).toThrow(ShardError);
      }),
      { numRuns: 60 },
    );
    for (const text of ["", "\n", "{}\n", "GGUF", `${'{"a":'.repeat(40)}\n`, `${good.toString("latin1")}x`]) {
      writeFileSync(bad, text, "latin1");
      expect(readAll).toThrow(ShardError);
    }
  });

  it("that says more than it has is not believed", async () => {
    const path = join(folder, "huge");
    writeFileSync(path, `${readFileSync(await measured([]), "utf8").split("\n")[0]}\n{"record":"left","bytes":[9007199254740991]}\n`);
    expect(() => [...new ShardReader(path).pieces()]).toThrow("breaks off");
    expect(() => new ShardReader(path).verify()).toThrow("breaks off");
  });
});
