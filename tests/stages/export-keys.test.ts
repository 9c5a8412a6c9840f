/** What of `exports` makes which nodes, and what stands in their keys. */
import { expect, test } from "vitest";
import { buildGraph } from "../../src/engine/graph.ts";
import { keysOf } from "../../src/engine/key.ts";
import type { StageDefinition } from "../../src/engine/stage.ts";
import { exportSummary } from "../../src/stages/export.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { GOOD, loadGood } from "../recipe/support.ts";

async function graph(rest: string, options = {}) {
  const pipeline = buildPipeline(await loadGood(`${GOOD}${rest}`), options);
  if (!pipeline.ok) throw new Error(pipeline.error.message);
  const keys = keysOf(buildGraph(pipeline.value.nodes));
  const node = (id: string) => pipeline.value.nodes.find((n): n is StageDefinition => n.id === id && n.kind === "stage");
  return { ids: pipeline.value.nodes.map((n) => n.id), node, key: (id: string) => keys.get(id)?.recipe };
}

test("a recipe without the new words has the nodes and the keys that it had beside others", async () => {
  const plain = await graph("exports: [q8_0, q4_k_m]\n");
  expect(plain.ids).not.toContain("imatrix");
  expect(plain.node("export:q4_k_m")?.recipe).toEqual({ "exports.q4_k_m": true });
  expect(Object.keys(plain.node("export:q4_k_m")?.inputs ?? {})).toEqual(["model", "rows"]);
  const more = await graph("exports: [q8_0, q4_k_m, { format: q5_k_m, imatrix: true }, lora]\n");
  for (const id of ["train", "export:f16", "export:q8_0", "export:q4_k_m", "validate:q8_0", "benchmark:q4_k_m"]) expect(more.key(id), id).toBe(plain.key(id));
  expect(more.key("pack")).not.toBe(plain.key("pack"));
});

test("all formats that ask share one matrix, which comes of the f16 file and the training rows alone", async () => {
  const { ids, node, key } = await graph("exports: [{ format: q4_k_m, imatrix: true }, iq2_xs, q8_0]\n");
  expect(ids.filter((id) => id === "imatrix")).toHaveLength(1);
  expect(node("imatrix")?.inputs).toEqual({ model: { stage: "export:f16", output: "model" }, rows: { stage: "train", output: "rows" } });
  for (const id of ["export:q4_k_m", "export:iq2_xs"]) {
    expect(node(id)?.inputs.imatrix).toEqual({ stage: "imatrix", output: "matrix" });
    expect(Object.values(node(id)?.recipe ?? {})).toEqual([{ imatrix: true }]);
  }
  expect(node("export:q8_0")?.inputs.imatrix).toBeUndefined();
  const without = await graph("exports: [q4_k_m, q8_0]\n");
  expect(key("export:q4_k_m")).not.toBe(without.key("export:q4_k_m"));
  expect(key("validate:q4_k_m")).not.toBe(without.key("validate:q4_k_m"));
});

test("the adapter alone is made and packed, and not measured by itself", async () => {
  const { ids, node } = await graph("exports: [lora, q8_0]\n");
  expect(ids).toContain("export:lora");
  expect(ids.filter((id) => /^(validate|benchmark|gate:.*):lora$/.test(id))).toEqual([]);
  expect(node("pack")?.inputs.adapter).toEqual({ stage: "export:lora", output: "model" });
  expect(node("pack")?.recipe.exports).toEqual(["q8_0", "lora"]);
  expect(node("export:lora")?.inputs.model).toEqual({ stage: "export:f16", output: "model" });
});

test("the untuned base goes through the export of each format, and no training makes it do so again", async () => {
  const exports = "exports: [q8_0, { format: q4_k_m, imatrix: true }, lora]\n";
  const { ids, node, key } = await graph(exports);
  expect(ids.filter((id) => /^base(line)?(:|$)/.test(id))).toEqual(["base:q8_0", "baseline:q8_0", "base:q4_k_m", "baseline:q4_k_m"]);
  for (const format of ["q8_0", "q4_k_m"]) {
    expect(node(`baseline:${format}`)?.inputs.model).toEqual({ stage: `base:${format}`, output: "model" });
    expect(node(`benchmark:${format}`)?.inputs.baseline).toEqual({ stage: `baseline:${format}`, output: "report" });
  }
  // The same setting of the matrix as the format's, found on the samples, which come of no training.
  expect(node("base:q8_0")?.inputs).toEqual({});
  // After what may be refused, so that nobody waits for it who has an error in the tools or the data.
  expect(node("base:q8_0")?.after).toEqual(["export:q8_0"]);
  expect(node("base:q4_k_m")?.inputs).toEqual({ toolset: { stage: "inspect", output: "toolset" }, train: { stage: "generate", output: "train" } });
  const all = ["base:q8_0", "baseline:q8_0", "base:q4_k_m", "baseline:q4_k_m"];
  const changed = async (rest: string) => {
    const other = await graph(rest);
    return all.filter((id) => other.key(id) !== key(id));
  };
  for (const training of ["profile: max_quality\n", "train: { rank: 4, epochs: 2 }\n", "train: { backend: qlora }\n"]) {
    expect((await graph(`${exports}${training}`)).key("train"), training).not.toBe(key("train"));
    expect(await changed(`${exports}${training}`), training).toEqual([]);
  }
  expect(await changed(`${exports}data: { samples: 20 }\n`)).toEqual(["baseline:q8_0", "base:q4_k_m", "baseline:q4_k_m"]);
  expect(await changed("exports: [q8_0, q4_k_m, lora]\n")).toEqual(["base:q4_k_m", "baseline:q4_k_m"]);
  // Which samples the matrix is found on, and in which order the tools stand in them, is the training's choice: the tuned model's is found on the same.
  for (const rows of ["train: { eval_fraction: 0.2 }\n", "train: { shuffle_tools: true }\n"])
    expect(await changed(`${exports}${rows}`), rows).toEqual(["base:q4_k_m", "baseline:q4_k_m"]);
  // Another format beside it is none of its business.
  expect((await graph("exports: [q8_0]\n")).key("base:q8_0")).toBe(key("base:q8_0"));
});

test("another model to compare with is asked as it is", async () => {
  const { ids, node } = await graph("exports: [q8_0]\n", { baselineModel: "/models/old.gguf" });
  expect(ids).not.toContain("base:q8_0");
  expect(node("baseline:q8_0")?.files).toEqual({ model: "/models/old.gguf" });
  expect((await graph("evaluation: { baseline: false }\n")).ids.filter((id) => id.startsWith("base"))).toEqual([]);
});

test("the file names how it was trained, and what a folder that is given does not say is left out", async () => {
  const { node } = await graph("");
  expect(node("export:f16")?.settings?.recipe_hash).toMatch(/^sha256:/);
  expect((await graph("seed: 8\n")).node("export:f16")?.settings?.recipe_hash).not.toBe(node("export:f16")?.settings?.recipe_hash);
  expect((await graph("data: { samples: 20 }\n")).node("export:f16")?.settings?.recipe_hash).toBe(node("export:f16")?.settings?.recipe_hash);
  expect((await graph("", { trainedHere: false })).node("export:f16")?.settings).not.toHaveProperty("recipe_hash");
});

test("the summary says size, distance, perplexity and speed, as far as they were measured", () => {
  expect(exportSummary({ bytes: 105e6, bits_per_weight: 4.9, kl: 0.012, kl_without_imatrix: 0.02, perplexity: 1.31234, tokens_per_second: 44.4 })).toBe(
    "105 MB (4.9 bits a weight), KL 1.2e-2 (2.0e-2 without the matrix), perplexity 1.312, 44 tokens/s",
  );
  expect(exportSummary({ bytes: 2.4e6 })).toBe("2.4 MB");
  expect(exportSummary({ bytes: 2.7e8, kl: 1.2e-6, merging_kl: 0.021 })).toBe(
    "270 MB, KL 1.2e-6, KL 2.1e-2 of the merged model from the one that was trained in 4 bits",
  );
  expect(exportSummary({})).toBe("written");
});
