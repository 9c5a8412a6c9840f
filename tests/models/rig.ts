/** What tests of the model layer share: the family, the fixture of renderings, the real model where there is one. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { getFamily } from "../../src/models/family.ts";
import { type OpenLlamaOptions, openLlama } from "../../src/models/llama/client.ts";
import type { LlamaEngine } from "../../src/models/llama/types.ts";
import { createRenderer } from "../../src/models/render.ts";
import { cacheDir, packageRoot } from "../../src/platform/paths.ts";
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

/** The real base model: MCP_FORGE_TEST_BASE, or forge's cache; undefined where there is none (its tests are then skipped). */
export function baseModel(): string | undefined {
  if (process.env.MCP_FORGE_TEST_BASE) return process.env.MCP_FORGE_TEST_BASE;
  const folder = join(cacheDir(), "models");
  const name = existsSync(folder) ? readdirSync(folder).find((n) => n.startsWith("smollm2-default-")) : undefined;
  const file = name === undefined ? "" : join(folder, name, "model.gguf");
  return existsSync(file) ? file : undefined;
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
