/** `forge export --model FOLDER`: what the flags ask for, and that an adapter alone is taken for no model. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prepareStep, type StepFlags } from "../../src/stages/single/steps.ts";

const dir = realpathSync(mkdtempSync(join(tmpdir(), "forge-single-export-")));
const home = process.cwd();
const u32 = (n: number): Buffer => Buffer.from(new Uint32Array([n]).buffer);
const u64 = (n: number): Buffer => Buffer.from(new BigUint64Array([BigInt(n)]).buffer);
const text = (s: string): Buffer => Buffer.concat([u64(s.length), Buffer.from(s)]);

beforeAll(() => {
  process.chdir(dir);
  mkdirSync("adapter/adapter", { recursive: true });
  for (const name of ["rows.jsonl", "training.json", "tools.json"]) writeFileSync(join("adapter", name), "{}");
  writeFileSync("adapter/model.json", JSON.stringify({ version: 1, family: "nano", name: "tiny" }));
  writeFileSync("tools.json", "{}");
  writeFileSync("validation.json", "{}");
  const kind = Buffer.concat([text("general.type"), u32(8), text("adapter")]);
  writeFileSync("lora.gguf", Buffer.concat([Buffer.from("GGUF"), u32(3), u64(0), u64(1), kind]));
});
afterAll(() => {
  process.chdir(home);
  rmSync(dir, { recursive: true, force: true });
});

const asked = (flags: StepFlags) => {
  const prepared = prepareStep("export", { model: "adapter", ...flags }, []);
  if (!prepared.ok) return prepared.error;
  const { single, deliveries } = prepared.value;
  return { exports: single.recipe.exports, trainedHere: single.trainedHere, to: Object.fromEntries(deliveries.map((d) => [d.stage, d.to])) };
};

test("formats go where they are named; the adapter needs no other format beside it", () => {
  expect(asked({ output: "m.gguf" })).toEqual({ exports: ["q8_0"], trainedHere: false, to: { "export:q8_0": "m.gguf" } });
  expect(asked({ output: "m.gguf", format: ["Q4_K_M,lora"] })).toMatchObject({
    exports: ["q4_k_m", "lora"],
    to: { "export:q4_k_m": "m.gguf", "export:lora": "m.lora.gguf" },
  });
  expect(asked({ output: "l.gguf", format: ["lora"] })).toMatchObject({ exports: ["f16", "lora"], to: { "export:lora": "l.gguf" } });
});

test("--imatrix is for every format that it changes, and refused where it changes none", () => {
  expect(asked({ output: "m.gguf", format: ["q8_0", "q4_k_m", "lora"], imatrix: true })).toMatchObject({
    exports: ["q8_0", { format: "q4_k_m", imatrix: true }, "lora"],
  });
  expect(asked({ output: "m.gguf", imatrix: true })).toMatchObject({
    message: "no importance matrix changes q8_0",
    hint: expect.stringContaining("q4_k_m"),
    exit: 4,
  });
  expect(asked({ format: ["tq1_0"] })).toMatchObject({ message: "there is no format `tq1_0`", hint: expect.stringContaining("iq4_xs") });
});

test("an adapter is neither validated nor benchmarked nor packed by itself", () => {
  for (const [step, flags] of [
    ["validate", {}],
    ["benchmark", {}],
    ["pack", { validation: "validation.json", records: "tools.json", cases: "tools.json" }],
  ] as const)
    expect(prepareStep(step, { model: "lora.gguf", tools: "tools.json", ...flags }, [{ file: "tools.json", execute: "none" }]), step).toMatchObject({
      ok: false,
      error: { code: "models/adapter", message: expect.stringContaining("is a LoRA adapter"), hint: expect.stringContaining("forge export --model"), exit: 4 },
    });
});

test("what a file's name tells of its format is the longest that fits", () => {
  const format = (model: string) => {
    writeFileSync(model, "GGUF");
    const prepared = prepareStep("validate", { model, tools: "tools.json" }, [{ file: "tools.json", execute: "none" }]);
    return prepared.ok ? prepared.value.single.recipe.exports : prepared.error.message;
  };
  expect(["x-Q2_K_S.gguf", "x.bf16.gguf", "x.f16.gguf", "iq3_xxs.gguf", "plain.gguf"].map(format)).toEqual([
    ["q2_k_s"],
    ["bf16"],
    ["f16"],
    ["iq3_xxs"],
    ["q8_0"],
  ]);
});
