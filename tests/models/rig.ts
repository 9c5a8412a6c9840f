/** What tests of the model layer share: the family, the fixture of renderings, the real model. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ensureBase } from "../../src/models/base.ts";
import { getFamily } from "../../src/models/family.ts";
import { type OpenLlamaOptions, openLlama } from "../../src/models/llama/client.ts";
import type { LlamaEngine } from "../../src/models/llama/types.ts";
import { createRenderer } from "../../src/models/render.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import type { Message } from "../../src/schemas/generated/sample.ts";

const family = getFamily("smollm2");
if (!family.ok) throw new Error("there is no family smollm2");
export const smollm2 = family.value;
export const renderer = createRenderer(smollm2);

export interface Rendering {
  readonly name: string;
  readonly messages: Message[];
  readonly tools: { readonly function: { readonly name: string; readonly description: string; readonly parameters: object } }[];
  readonly add_generation_prompt: boolean;
  readonly text: string;
  readonly ids: number[];
}

const fixture = join(packageRoot(), "tests", "models", "fixtures", "renderings.json");
export const renderings = (JSON.parse(readFileSync(fixture, "utf8")) as { rows: Rendering[] }).rows;

/** Tools of a fixture row as forge has them. */
export const toolsOf = (row: Rendering) =>
  row.tools.map(({ function: f }) => ({ name: f.name, description: f.description, input_schema: f.parameters as Record<string, unknown> }));

/** The real base model: MCP_FORGE_TEST_BASE, or the one of forge's cache, fetched where it is not there yet (100 MB, and Python's packages for that). */
export async function baseModel(): Promise<string> {
  if (process.env.MCP_FORGE_TEST_BASE) return process.env.MCP_FORGE_TEST_BASE;
  const base = await ensureBase(smollm2, "default", { signal: new AbortController().signal, onProgress: () => {} });
  if (!base.ok) throw new Error(`${base.error.message}\n${base.error.details ?? ""}`);
  return base.value.ggufPath;
}

/** Bundles the worker as the build does, from today's source. */
export async function buildWorker(): Promise<string> {
  const { workerOptions } = (await import("../../scripts/bundle-options.mjs" as string)) as { workerOptions: () => object };
  const folder = join(packageRoot(), "node_modules", ".cache", "mcp-forge", `worker-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  await build({ ...workerOptions(), metafile: false, outdir: folder });
  return join(folder, "llama-worker.js");
}

/** A model opened with the worker of today's source. */
export async function openModel(model: string, o: Partial<OpenLlamaOptions> = {}): Promise<LlamaEngine> {
  const engine = await openLlama({ model, worker: await buildWorker(), ...o });
  if (!engine.ok) throw new Error(`${engine.error.message}\n${engine.error.details ?? ""}`);
  return engine.value;
}
