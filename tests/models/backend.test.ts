/** What trains: whose word counts, what a machine without a GPU is told, and that the lists and pins of the backends agree with each other. */
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BACKENDS, backendOf, backendSettings, cannotTrain } from "../../src/models/backend.ts";
import { getFamily } from "../../src/models/family.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { backendIsReady, backendRuntime, ensureBackend } from "../../src/runners/backend-env.ts";
import { readRequirements } from "../../src/runners/python/requirements.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { unableToTrain } from "../../src/stages/unable.ts";
import { GOOD, loadGood } from "../recipe/support.ts";

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "forge-backend-")));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  vi.stubEnv("MCP_FORGE_QLORA_PYTHON", "");
  vi.stubEnv("MCP_FORGE_UNSLOTH_PYTHON", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const schema = JSON.parse(readFileSync(join(packageRoot(), "schemas", "forge.schema.json"), "utf8"));
const familySchema = JSON.parse(readFileSync(join(packageRoot(), "schemas", "family.schema.json"), "utf8"));

test("the lists of backends agree: the recipe's, the family's, the program's", () => {
  expect(schema.properties.train?.properties?.backend?.enum ?? schema.definitions.train.properties.backend.enum).toEqual(BACKENDS);
  expect(familySchema.properties.training.properties.backend.enum).toEqual(BACKENDS);
});

test("the recipe's word counts before the family's, and without either it is transformers", () => {
  const nano = getFamily("nano");
  if (!nano.ok) throw new Error(nano.error.message);
  const { training } = nano.value;
  expect(backendOf({ training }, {})).toBe("transformers");
  expect(backendOf({ training: { ...training, backend: "qlora" } }, {})).toBe("qlora");
  expect(backendOf({ training: { ...training, backend: "qlora" } }, { backend: "transformers" })).toBe("transformers");
  expect([backendSettings("transformers"), backendSettings("qlora")]).toEqual([{}, { backend: "qlora" }]);
});

test("unsloth is refused where there is no CUDA GPU, and nothing else is", () => {
  expect(cannotTrain("unsloth", "cpu")).toMatchObject({ code: "train/no-gpu", exit: 6, message: "the backend unsloth needs a CUDA GPU; here is none" });
  expect(cannotTrain("unsloth", "cpu")?.hint).toMatch(/^use transformers or qlora/);
  expect([cannotTrain("unsloth", "cuda"), cannotTrain("qlora", "cpu"), cannotTrain("transformers", "cpu")]).toEqual([undefined, undefined, undefined]);
});

test("a backend is refused on the device that MCP_FORGE_DEVICE names, whatever else the machine has", () => {
  expect(cannotTrain("unsloth", "cuda", "cpu")).toMatchObject({
    code: "train/no-gpu",
    message: "the backend unsloth needs a CUDA GPU; MCP_FORGE_DEVICE=cpu uses none",
    hint: expect.stringMatching(/^unset MCP_FORGE_DEVICE/),
  });
  expect(cannotTrain("qlora", "cpu", "mps")).toMatchObject({ code: "train/device", exit: 6 });
  expect([cannotTrain("unsloth", "cuda", "cuda"), cannotTrain("qlora", "cuda", "cpu"), cannotTrain("transformers", "cpu", "mps")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("a device that is none is refused before a run that would train, and not before one that stops earlier", async () => {
  vi.stubEnv("MCP_FORGE_DEVICE", "gpu0");
  const pipeline = buildPipeline(await loadGood(GOOD));
  if (!pipeline.ok) throw new Error(pipeline.error.message);
  const found = await unableToTrain(pipeline.value, {});
  expect(found).toMatchObject({ code: "step/device", exit: 6, message: 'MCP_FORGE_DEVICE is "gpu0", which is no device' });
  expect(found?.place).toBeUndefined();
  expect(await unableToTrain(pipeline.value, { until: "qa" })).toBeUndefined();
});

test("a run that would come to train is refused at the recipe's line; one that stops before it is not", async () => {
  const pipeline = buildPipeline(await loadGood(`${GOOD}train: {backend: unsloth}\n`));
  if (!pipeline.ok) throw new Error(pipeline.error.message);
  const here = cannotTrain("unsloth");
  const found = await unableToTrain(pipeline.value, {});
  if (here === undefined) return expect(found).toBeUndefined(); // A machine that has one.
  expect(found).toMatchObject({ code: "train/no-gpu", exit: 6, place: { line: expect.any(Number) } });
  expect(await unableToTrain(pipeline.value, { until: "qa" })).toBeUndefined();
  expect(await unableToTrain({ ...pipeline.value, given: new Set(["train"]) }, {})).toBeUndefined();
});

test("qlora trains with the steps' own packages and bitsandbytes; what unsloth shares with them decides alike", () => {
  const base = readRequirements().versions;
  const qlora = new Map(readRequirements("requirements-qlora.lock").versions);
  expect(qlora.get("bitsandbytes")).toBe(readRequirements("requirements-dev.lock").versions.get("bitsandbytes"));
  qlora.delete("bitsandbytes");
  expect(qlora).toEqual(base);
  const unsloth = readRequirements("requirements-unsloth.lock").versions;
  for (const name of ["torch", "transformers", "tokenizers", "peft", "accelerate", "gguf", "sentencepiece", "safetensors"])
    expect([name, unsloth.get(name)]).toEqual([name, base.get(name)]);
  expect(unsloth.get("unsloth")).toBe(unsloth.get("unsloth-zoo"));
});

test("an environment that cannot be made says what else trains; a named one that lacks something is refused by its variable's name", async () => {
  expect(backendIsReady("qlora")).toBe(false);
  vi.stubEnv("MCP_FORGE_OFFLINE", "1");
  const r = await ensureBackend("qlora");
  expect(r).toMatchObject({ ok: false, error: { code: "offline/missing", exit: 6 } });
  expect(!r.ok && r.error.message).toMatch(/^the environment of the backend qlora cannot be made: /);
  expect(!r.ok && r.error.hint).toMatch(/MCP_FORGE_QLORA_PYTHON=PATH.*train\.backend: transformers/);
  vi.unstubAllEnvs();
  const python = join(dir, "python");
  writeFileSync(python, `#!/bin/sh\necho '{"python": "3.11.2", "packages": {"torch": "2.13.0"}}'\n`);
  chmodSync(python, 0o755);
  vi.stubEnv("MCP_FORGE_QLORA_PYTHON", python);
  const named = await ensureBackend("qlora");
  expect(named).toMatchObject({ ok: false, error: { code: "python/named-unusable", exit: 6 } });
  expect(!named.ok && named.error.message).toMatch(/^the environment of MCP_FORGE_QLORA_PYTHON .* lacks transformers.*bitsandbytes$/);
  expect(!named.ok && named.error.hint).toContain("MCP_FORGE_QLORA_PYTHON");
});

test("what of an environment decides is told without making it", () => {
  expect(backendRuntime("qlora")).toMatchObject({ packages: { bitsandbytes: "0.50.2" } });
  expect(backendRuntime("unsloth")).toMatchObject({ packages: { unsloth: "2026.10.9", bitsandbytes: "0.50.2" } });
});
