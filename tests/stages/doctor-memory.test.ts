/** What `forge doctor` says of memory: the recipe's own settings, on the CPU or against a GPU, by the estimate of the training step. */
import { expect, test } from "vitest";
import { type Family, getFamily } from "../../src/models/family.ts";
import { PROFILES } from "../../src/recipe/profiles.ts";
import type { Train } from "../../src/recipe/types.ts";
import { defaultPlan, type Memories, memoryFindings, planOf, readyWords } from "../../src/stages/doctor-memory.ts";

const family = (name: string): Family => {
  const found = getFamily(name);
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
};
const smollm2 = family("smollm2");
const GB = 1e9;
const host = (total: number): Memories => ({ host: { total: total * GB, free: total * GB }, vram: undefined });
const gpu = (vram: number, total = 64): Memories => ({ ...host(total), vram: vram * GB });
const plan = (train: Train) =>
  planOf({ profile: "balanced", profileTable: PROFILES.balanced, train, model: { family: "smollm2", source: "default" } }, smollm2);
const said = (train: Train, memories: Memories) =>
  memoryFindings({ family: smollm2, backend: train.backend ?? "transformers", plan: plan(train) }, memories).map((f) => `${f.status}: ${f.message}`);
/** Gigabytes that training is said to take. */
const gigabytes = (train: Train, memories: Memories): number =>
  Number(/takes about ([\d.]+) GB (?:on the CPU|of the GPU)/.exec(said(train, memories).join("\n"))?.[1]);

test("a recipe that says nothing is the default plan, and the estimate says of what", () => {
  expect(plan({})).toEqual(defaultPlan(smollm2));
  expect(said({}, host(32))).toEqual([
    expect.stringMatching(/^ok: 32\.0 GB of memory, 32\.0 GB free; training smollm2 takes about [\d.]+ GB on the CPU \(transformers, rows of 2560 tokens\)$/),
  ]);
});

test("rows, rank, processes, checkpointing and 4 bits count", () => {
  const plain = gigabytes({}, host(32));
  expect(gigabytes({ row_tokens: 5120 }, host(32))).toBeGreaterThan(1.4 * plain);
  expect(gigabytes({ gradient_checkpointing: true }, host(32))).toBeLessThan(0.7 * plain);
  expect(gigabytes({ processes: 2 }, host(32))).toBeCloseTo(2 * plain, 0);
  expect(gigabytes({ backend: "qlora" }, host(32))).toBeLessThan(plain);
  expect(said({ backend: "qlora", processes: 3, gradient_checkpointing: true }, host(32))[0]).toContain(
    "(qlora, in 4 bits, layers recomputed, rows of 2560 tokens, 3 processes)",
  );
});

test("where it does not fit, layers are recomputed unless the recipe forbids it; where even that does not fit it is a note with what to do", () => {
  expect(said({}, host(3))[0]).toMatch(/^ok: .*layers recomputed/);
  const forbidden = memoryFindings({ family: smollm2, plan: plan({ gradient_checkpointing: false }) }, host(2));
  expect(forbidden).toMatchObject([{ status: "note", fix: expect.stringMatching(/train\.row_tokens.*train\.backend: qlora/) }]);
  expect(said({}, host(1))[0]).toMatch(/^note: /);
});

test("a GPU's own memory counts where one trains, and the host's for loading", () => {
  expect(said({}, gpu(24))).toEqual([
    expect.stringMatching(/^ok: 64\.0 GB of memory.*loading smollm2 takes about 0\.7 GB of it$/),
    expect.stringMatching(/^ok: training smollm2 takes about [\d.]+ GB of the GPU's 24\.0 GB \(transformers, rows/),
  ]);
  const qwen = { family: family("qwen-2.5"), source: "14b", plan: defaultPlan(family("qwen-2.5")) };
  expect(memoryFindings({ ...qwen, backend: "transformers" }, gpu(16)).map((f) => f.status)).toEqual(["ok", "note"]);
  expect(memoryFindings({ ...qwen, backend: "qlora" }, gpu(16)).map((f) => f.status)).toEqual(["ok", "ok"]);
  expect(memoryFindings({ ...qwen, backend: "qlora" }, gpu(16, 16)).map((f) => f.status)).toEqual(["note", "ok"]);
});

test("the last line names what it takes here, what trains where that is another, and what there is where it is less", () => {
  expect(readyWords({ family: smollm2 }, host(32))).toMatch(/^smollm2 \(\d+ GB\)$/);
  expect(readyWords({ family: smollm2, backend: "qlora" }, host(32))).toMatch(/^smollm2 \(\d+ GB, qlora\)$/);
  expect(readyWords({ family: smollm2 }, host(1))).toMatch(/^smollm2 \(\d+ GB; here are 1\.0 GB\)$/);
});
