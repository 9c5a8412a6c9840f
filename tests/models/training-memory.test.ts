/** What training will take, said before a step starts: the very figures of Python's preflight, for the shapes of real models, and whence a shape is known. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { familyNames, getFamily } from "../../src/models/family.ts";
import { bytesOnCpu, parametersOf, type Shape, shapeOf, type TrainingNeeds, type TrainingPlan, trainingNeeds } from "../../src/models/training-memory.ts";

const { shapes, cases } = JSON.parse(readFileSync(join(import.meta.dirname, "fixtures/training-memory.json"), "utf8")) as {
  shapes: Record<string, Shape>;
  cases: { shape: string; plan: TrainingPlan; needs: TrainingNeeds }[];
};

test("is what Python's preflight says, for every backend, device, precision and number of processes", () => {
  expect(cases.length).toBeGreaterThan(60);
  for (const { shape, plan, needs } of cases) expect(trainingNeeds(shapes[shape] as Shape, plan), `${shape} ${JSON.stringify(plan)}`).toEqual(needs);
});

test("the families' own files say the shape, and it has their parameters", () => {
  for (const name of familyNames()) {
    const family = getFamily(name);
    if (!family.ok) throw new Error(family.error.message);
    const shape = shapeOf(family.value);
    expect(shape, name).toBeDefined();
    // Norms and biases are not counted.
    const ratio = parametersOf(shape as Shape) / family.value.parameters;
    expect(ratio > 0.97 && ratio < 1.03, `${name} ${ratio}`).toBe(true);
  }
});

test("more rows, processes or rank take more; layers recomputed and 4 bits less", () => {
  const plan = fc.record({
    rank: fc.integer({ min: 1, max: 128 }),
    rowTokens: fc.integer({ min: 512, max: 16384 }),
    processes: fc.integer({ min: 1, max: 8 }),
  });
  void fc.assert(
    fc.property(fc.constantFrom(...Object.values(shapes)), plan, fc.constantFrom<"cpu" | "cuda">("cpu", "cuda"), (shape, given, device) => {
      const one: TrainingPlan = { ...given, backend: "transformers", device, bytesEach: 2, recomputed: false };
      const of = (change: Partial<TrainingPlan>) => trainingNeeds(shape, { ...one, ...change }).training;
      const plain = of({});
      expect(of({ rowTokens: one.rowTokens + 1 })).toBeGreaterThan(plain);
      expect(of({ rank: one.rank + 1 })).toBeGreaterThan(plain);
      expect(of({ recomputed: true })).toBeLessThan(plain);
      expect(of({ backend: "qlora" })).toBeLessThan(plain);
      if (device === "cpu") expect(of({ processes: one.processes + 1 })).toBeGreaterThan(plain);
      else expect(of({ processes: one.processes + 1 })).toBe(plain);
    }),
  );
});

test("a processor that computes in bfloat16 is told by its flags", () => {
  const dir = mkdtempSync(join(tmpdir(), "forge-cpu-"));
  const cpu = (flags: string) => {
    writeFileSync(join(dir, "cpuinfo"), `processor\t: 0\nflags\t\t: fpu ${flags} sse2\n`);
    return bytesOnCpu(join(dir, "cpuinfo"));
  };
  expect([cpu("avx512_bf16"), cpu("amx_bf16 amx_tile"), cpu("avx512f"), bytesOnCpu(join(dir, "none"))]).toEqual([2, 2, 4, 4]);
  rmSync(dir, { recursive: true });
});
