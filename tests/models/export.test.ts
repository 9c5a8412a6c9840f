/** Export as the stages call it: what the steps are told, what goes into the file, and how their failures come back. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { exportBase, exportF16, exportLora, F16_POSITIONS, ggufMetadata, makeImatrix, QUANTIZED_POSITIONS, quantizeModel } from "../../src/models/export.ts";
import { type Family, getFamily } from "../../src/models/family.ts";
import { findLlamaFiles } from "../../src/models/llama-files.ts";
import { packageRoot } from "../../src/platform/paths.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-export-"));
  vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "fake-export.mjs"));
  vi.stubEnv("MCP_FORGE_FAKE_SEEN", join(dir, "seen.json"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  vi.stubEnv("MCP_FORGE_LLAMA_CPP", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const smollm2 = (): Family => {
  const found = getFamily("smollm2");
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
};
const options = () => ({ scratch: join(dir, "scratch"), logFile: join(dir, "log"), signal: new AbortController().signal });
const answer = (event: object) => vi.stubEnv("MCP_FORGE_FAKE_EVENT", JSON.stringify(event));
const seen = () => JSON.parse(readFileSync(join(dir, "seen.json"), "utf8"));
const figures = { bytes: 5, seconds: 1, kl: 1e-6, top1: 1 };
const metadata = {
  name: "weather-expert",
  toolsetHash: "sha256:abc",
  tools: ["get_weather"],
  training: { steps: 9, final_loss: 0.125, seconds: 93.2, examples_per_second: 3.1, peak_memory_bytes: 1e9, precision: "bfloat16", resumed_from: 4 },
};
const f16 = (family: Family = smollm2()) =>
  exportF16({ base: { gguf: "/base.gguf", sha256: "sha256:0" }, family, adapter: "/adapter", rows: "/rows", output: join(dir, "m.gguf"), metadata }, options());

describe("the metadata", () => {
  test("holds nothing that time or the machine decides", () => {
    const made = ggufMetadata(metadata, smollm2());
    expect(made).toMatchObject({ "general.name": "weather-expert", "general.license": "apache-2.0", "mcp_forge.tools": ["get_weather"] });
    expect(Object.keys(made).filter((k) => k.startsWith("mcp_forge.training."))).toEqual(["mcp_forge.training.steps", "mcp_forge.training.final_loss"]);
    const slower = { ...metadata.training, seconds: 1, examples_per_second: 9, peak_memory_bytes: 2, precision: "float32", resumed_from: 0 };
    expect(ggufMetadata({ ...metadata, training: slower }, smollm2())).toEqual(made);
  });

  test("names the recipe and the samples where they are known", () => {
    expect(ggufMetadata({ ...metadata, datasetHash: "sha256:d", recipeHash: "sha256:r" }, smollm2())).toMatchObject({
      "mcp_forge.dataset_hash": "sha256:d",
      "mcp_forge.recipe_hash": "sha256:r",
    });
    expect(ggufMetadata(metadata, smollm2())).not.toHaveProperty("mcp_forge.recipe_hash");
  });

  test("leaves out an empty list, which a GGUF cannot hold", () => {
    expect(ggufMetadata({ ...metadata, tools: [] }, smollm2())).not.toHaveProperty("mcp_forge.tools");
  });
});

describe("the step", () => {
  test("is told everything that it needs, with files that are there", async () => {
    answer({ type: "result", figures });
    const made = await f16();
    expect(made).toEqual({ ok: true, value: figures });
    const spec = seen();
    expect(spec).toMatchObject({ v: 1, base: { gguf: "/base.gguf" }, stop_tokens: smollm2().stop_tokens, verify: { rows: "/rows", positions: F16_POSITIONS } });
    // The converter is the build's own copy, or where there was no build the sources that node-llama-cpp carries.
    for (const path of [spec.template, spec.libraries, spec.converter.checkout ?? spec.converter.bundle]) expect(path).toSatisfy(existsSync);
    if (spec.converter.checkout === undefined) expect(spec.converter.cache.startsWith(join(dir, "cache"))).toBe(true);
  });

  test("of quantizing likewise", async () => {
    answer({ type: "result", figures });
    writeFileSync(join(dir, "f16.gguf"), "x");
    const made = await quantizeModel({ input: join(dir, "f16.gguf"), output: join(dir, "q.gguf"), format: "q4_k_m", rows: "/rows" }, options());
    expect(made.ok).toBe(true);
    expect(seen()).toMatchObject({ input: join(dir, "f16.gguf"), format: "q4_k_m", verify: { positions: QUANTIZED_POSITIONS }, speed: { threads: 1 } });
    expect(seen().imatrix).toBeUndefined();
    const spec = { input: join(dir, "f16.gguf"), output: join(dir, "q.gguf"), format: "iq2_xs", rows: "/rows", imatrix: "/matrix", verify: false } as const;
    await quantizeModel(spec, options());
    expect(seen()).toMatchObject({ format: "iq2_xs", imatrix: "/matrix" });
    expect(seen()).not.toHaveProperty("verify");
    expect(seen()).not.toHaveProperty("speed");
  });

  test("of the matrix, and of the adapter alone", async () => {
    answer({ type: "result", figures: { bytes: 5, seconds: 1, tensors: 14, positions: 900 } });
    expect((await makeImatrix({ input: "/f16", rows: "/rows", output: join(dir, "im") }, options())).ok).toBe(true);
    expect(seen()).toMatchObject({ input: "/f16", rows: "/rows", output: join(dir, "im") });
    answer({ type: "result", figures: { bytes: 5 } });
    expect(await makeImatrix({ input: "/f16", rows: "/rows", output: join(dir, "im") }, options())).toMatchObject({ error: { code: "step/protocol" } });
    answer({ type: "result", figures });
    const base = { gguf: "/base.gguf", sha256: "sha256:0" };
    const made = await exportLora(
      { base, family: smollm2(), adapter: "/adapter", merged: "/f16", rows: "/rows", output: join(dir, "l.gguf"), metadata },
      options(),
    );
    expect(made.ok).toBe(true);
    expect(seen()).toMatchObject({ base, adapter: "/adapter", verify: { merged: "/f16", rows: "/rows" }, metadata: { "mcp_forge.tools": ["get_weather"] } });
  });

  test("of the untuned base: the export of a trained model, with no adapter and nothing to compare, and no f16 file left", async () => {
    answer({ type: "result", figures: { bytes: 5, seconds: 1.5, tensors: 14, positions: 900 } });
    const scratch = options().scratch;
    const base = { base: { gguf: "/base.gguf", sha256: "sha256:0" }, family: smollm2(), output: join(dir, "b.gguf"), converted: false };
    expect(await exportBase({ ...base, format: "q4_k_m", imatrixRows: "/rows" }, options())).toMatchObject({ ok: true, value: { bytes: 5, seconds: 3 } });
    const all = () =>
      readFileSync(join(dir, "seen.json.all"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    const [whole, matrix, quantized] = all();
    const f16File = whole.output;
    expect(f16File.startsWith(scratch)).toBe(true);
    expect(whole).toMatchObject({ step: "export", base: base.base, stop_tokens: smollm2().stop_tokens });
    for (const left of ["adapter", "verify", "speed"]) expect(whole).not.toHaveProperty(left);
    expect(matrix).toMatchObject({ step: "imatrix", input: f16File, rows: "/rows" });
    expect(quantized).toMatchObject({ step: "quantize", input: f16File, output: base.output, format: "q4_k_m", imatrix: matrix.output });
    expect(existsSync(f16File)).toBe(false);
    // The spec of a trained model's f16 file differs in what is laid over the base, compared and written of it, and in nothing else.
    await f16();
    const trained = all().at(-1);
    const differing = Object.keys(trained).filter((key) => JSON.stringify(trained[key]) !== JSON.stringify(whole[key]));
    expect(differing.sort()).toEqual(["adapter", "metadata", "output", "speed", "verify"]);
    await exportBase({ ...base, format: "f16" }, options());
    expect(all().slice(4)).toMatchObject([{ step: "export", output: base.output }]);
    expect(existsSync(base.output)).toBe(true);
  });

  test("of a base that forge converted is the quantizer's alone, unless a weight is larger than float16 holds", async () => {
    answer({ type: "result", figures: { bytes: 5, seconds: 1 } });
    const spec = { base: { gguf: "/base.gguf", sha256: "sha256:0" }, family: smollm2(), output: join(dir, "b.gguf"), converted: true, format: "q8_0" } as const;
    const all = () =>
      readFileSync(join(dir, "seen.json.all"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    expect((await exportBase(spec, options())).ok).toBe(true);
    expect(all()).toMatchObject([
      { step: "quantize", input: "/base.gguf", format: "f16" },
      { step: "quantize", format: "q8_0", output: spec.output },
    ]);
    answer({ type: "error", code: "export/beyond-f16", message: "large", hint: "Export it." });
    await exportBase(spec, options());
    expect(
      all()
        .slice(2)
        .map((s) => s.step),
    ).toEqual(["quantize", "export"]);
    answer({ type: "error", code: "export/quantize", message: "damaged", hint: "Again." });
    expect(await exportBase(spec, options())).toMatchObject({ error: { code: "export/quantize" } });
    expect(all()).toHaveLength(5);
  });

  test.each([
    ["export/llama-cpp-layout", 6],
    ["export/converter", 6],
    ["export/not-the-model", 1],
  ])("that fails with %s exits with %i", async (code, exit) => {
    answer({ type: "error", code, message: "why", hint: "Do this." });
    expect(await f16()).toMatchObject({ ok: false, error: { code, exit, message: "why", hint: "Do this." } });
  });

  test("that leaves out a figure is a failure", async () => {
    answer({ type: "result", figures: { bytes: 5 } });
    expect(await f16()).toMatchObject({ ok: false, error: { code: "step/protocol" } });
  });

  test("does not start where the disk cannot hold its files", async () => {
    answer({ type: "result", figures });
    const made = await f16({ ...smollm2(), parameters: 1e15 });
    expect(made).toMatchObject({ ok: false, error: { code: "models/no-space", exit: 6 } });
    expect(existsSync(join(dir, "seen.json"))).toBe(false);
  });

  test("nor where it cannot hold the quantized one, and says how much is missing", async () => {
    answer({ type: "result", figures });
    writeFileSync(join(dir, "f16.gguf"), "");
    truncateSync(join(dir, "f16.gguf"), 8e12); // a hole: it takes no room
    const made = await quantizeModel({ input: join(dir, "f16.gguf"), output: join(dir, "q.gguf"), format: "q4_k_m", rows: "/rows" }, options());
    expect(made).toMatchObject({
      ok: false,
      error: { code: "models/no-space", exit: 6, message: expect.stringMatching(/^the q4_k_m model needs 3000 GB of disk, and .* has [\d.]+ GB free$/) },
    });
    expect(existsSync(join(dir, "seen.json"))).toBe(false);
  });
});

describe("llama.cpp's files", () => {
  test("are those of the installed package", () => {
    const found = findLlamaFiles();
    if (!found.ok) throw new Error(found.error.message);
    expect(found.value.libraries.startsWith(join(packageRoot(), "node_modules"))).toBe(true);
  });

  test("a checkout that the user names wins as the converter", () => {
    const found = findLlamaFiles({ env: { MCP_FORGE_LLAMA_CPP: "/src/llama.cpp" } });
    expect(found).toMatchObject({ ok: true, value: { converter: { checkout: "/src/llama.cpp" } } });
  });

  test("that are missing are an environment's failure with a way out", () => {
    expect(findLlamaFiles({ root: dir })).toMatchObject({ ok: false, error: { code: "models/no-llama-cpp", exit: 6 } });
    mkdirSync(join(dir, "node_modules", "node-llama-cpp"), { recursive: true });
    writeFileSync(join(dir, "node_modules", "node-llama-cpp", "package.json"), "{}");
    const found = findLlamaFiles({ root: dir });
    expect(found).toMatchObject({ ok: false, error: { exit: 6 } });
    expect(!found.ok && found.error.hint).toContain("npm ci");
  });
});
