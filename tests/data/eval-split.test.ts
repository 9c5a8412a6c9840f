/** The share of the training samples that is held out to evaluate on: near copies on one side, every sort of sample left to learn from. */
import { expect, test } from "vitest";
import { evalSplit } from "../../src/data/eval-split.ts";
import type { Sample } from "../../src/data/types.ts";
import { NEAR_WORDING, WordingIndex, wordingOfSample } from "../../src/data/wording.ts";

const sample = (id: string, request: string, frame = request, tool: string | null = "get_weather"): Sample =>
  ({
    id,
    source: "seed",
    scenario: tool === null ? "no_tool" : "standard",
    kind: "plain",
    tool_name: tool,
    frame,
    qc_passed: true,
    messages: [
      { role: "user", content: request },
      { role: "assistant", content: "Yes." },
    ],
  }) as Sample;

const VERBS = "show list find count open close merge print check guess weigh plot rank sort trace fetch quote draft score graph".split(" ");
const THINGS = "rivers stamps planets engines recipes violins bridges lanterns glaciers tulips".split(" ");
/** Twenty frames with nothing in common, each said of ten things, in two tools. */
const samples = VERBS.flatMap((verb, v) =>
  THINGS.map((thing, t) => sample(`${verb}/${t}`, `${verb} me ${verb}-wise every ${verb}able ${thing}`, `${verb} {thing}`, v % 2 === 0 ? "a" : "b")),
);

test("frames are whole, the share is about kept, and both tools are on both sides", () => {
  const { train, heldOut, wordings } = evalSplit(samples, 0.2, 7);
  expect(train.length + heldOut.length).toBe(200);
  expect(heldOut.length).toBe(40);
  expect(wordings).toBe(20);
  const frames = new Set(train.map((s) => s.frame));
  expect(heldOut.filter((s) => frames.has(s.frame))).toEqual([]);
  for (const side of [train, heldOut]) expect(new Set(side.map((s) => s.tool_name))).toEqual(new Set(["a", "b"]));
  // Each side keeps the order.
  expect(train).toEqual(samples.filter((s) => train.includes(s)));
});

test("the seed decides, and the order of the samples does not", () => {
  const ids = (of: readonly Sample[]) => of.map((s) => s.id).sort();
  const first = ids(evalSplit(samples, 0.2, 7).heldOut);
  expect(ids(evalSplit([...samples].reverse(), 0.2, 7).heldOut)).toEqual(first);
  expect(ids(evalSplit(samples, 0.2, 8).heldOut)).not.toEqual(first);
});

test("what says nearly the same under another frame stays together, however long the chain", () => {
  const chain = Array.from({ length: 30 }, (_, i) => sample(`c${i}`, Array.from({ length: 12 }, (_, k) => `word${i + k}x`).join(" ")));
  const { train, heldOut } = evalSplit([...chain, ...samples], 0.1, 3);
  const index = new WordingIndex<string>();
  for (const s of train) index.add(s.id, wordingOfSample(s));
  expect(heldOut.length).toBeGreaterThan(0);
  expect(heldOut.filter((s) => index.has(wordingOfSample(s))).map((s) => s.id)).toEqual([]);
  const inChain = (of: readonly Sample[]) => of.filter((s) => s.id.startsWith("c") && /^c\d+$/.test(s.id)).length;
  expect([0, 30]).toContain(inChain(heldOut));
  expect(NEAR_WORDING).toBeLessThan(11 / 13); // Neighbours of the chain share 11 of 13 words.
});

test("half of each sort at least is left to learn from; where all say the same nothing is held out", () => {
  const few = [...samples, sample("lone", "what on earth is a palimpsest", "palimpsest", null)];
  for (const seed of [1, 2, 3, 4, 5]) expect(evalSplit(few, 0.5, seed).train.some((s) => s.id === "lone")).toBe(true);
  const same = samples.filter((s) => s.id.startsWith("show/"));
  expect(evalSplit(same, 0.3, 7)).toMatchObject({ heldOut: [], wordings: 1 });
});
