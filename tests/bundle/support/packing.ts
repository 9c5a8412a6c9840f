/** A small bundle for the tests: the weather tools, a file that only begins like a GGUF, and an engine that is scripted. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { packBundle } from "../../../src/bundle/pack.ts";
import type { PackInput } from "../../../src/bundle/types.ts";
import type { LlamaEngine, OpenLlamaOptions } from "../../../src/models/llama/types.ts";
import { ok, type Result } from "../../../src/platform/result.ts";
import type { EvaluationCase } from "../../../src/schemas/generated/case.ts";
import { temporaryFolder } from "../../tools/rig.ts";
import { smollm2, weatherToolset } from "./toolsets.ts";

const due = (id: string, prompt: string, name: string, location: string): EvaluationCase => ({
  id,
  messages: [{ role: "user", content: prompt }],
  expect: [{ name, arguments: { location: [location] } }],
  scenario: id.startsWith("edge") ? "edge" : "standard",
  tool_name: name,
});

export const CASES: readonly EvaluationCase[] = [
  due("standard/1", "What is the weather in Paris?", "get_weather", "Paris"),
  due("standard/2", "Will it rain in Oslo?", "get_weather", "Oslo"),
  due("standard/3", "Any warnings for Lagos?", "get_alerts", "Lagos"),
  due("standard/4", "How will the week be in Lima?", "get_forecast", "Lima"),
  due("edge/1", "weather   Rome!!", "get_weather", "Rome"),
  { id: "no_tool/1", messages: [{ role: "user", content: "Who wrote Hamlet?" }], expect: null, scenario: "no_tool", tool_name: null },
];

const callOf = (c: EvaluationCase) => (c.expect ?? []).map((e) => ({ name: e.name, arguments: { location: e.arguments.location?.[0] } }));

/** What to pack; the models and the licence are written to a temporary folder. */
export async function packInput(more: Partial<PackInput> = {}): Promise<PackInput> {
  const dir = temporaryFolder();
  for (const name of ["q8.gguf", "q4.gguf"]) writeFileSync(join(dir, name), `GGUF ${name}`);
  writeFileSync(join(dir, "LICENSE"), "Apache License\n");
  const { family, renderer } = smollm2();
  return {
    outputDir: join(dir, "bundle"),
    name: "weather-expert",
    createdAt: "2026-01-02T03:04:05.000Z",
    models: [
      { format: "q8_0", path: join(dir, "q8.gguf") },
      { format: "q4_k_m", path: join(dir, "q4.gguf") },
    ],
    toolset: await weatherToolset(),
    sources: [{ stub: "weather", execute: "all" }],
    family,
    renderer,
    licensePath: join(dir, "LICENSE"),
    contextLength: 2048,
    baseModel: { name: family.title, hf_id: family.hub_id ?? null, revision: null, family: family.name, license: family.licence },
    training: { config_hash: "sha256:0", profile: "fast_dev", epochs: 1, final_loss: 0.12 },
    dataset: { total_samples: 300, seed_samples: 300, augmented_samples: 0, tool_coverage: { get_weather: 100 }, scenario_coverage: { standard: 180 } },
    validation: {
      passed: true,
      tool_call_parse_rate: 1,
      schema_conformance_rate: 1,
      tool_selection_accuracy: 0.97,
      loop_completion_rate: 0.99,
      error_handling_rate: null,
    },
    benchmark: { executed: true, overall_score: 0.9, comparison_to_base: { tool_selection_accuracy: 0.9 } },
    figures: [{ figure: "tool_selection_accuracy", value: 0.97, n: 70, interval: [0.9, 0.99], base: 0.05 }],
    cases: CASES,
    records: CASES.map((c) => ({ id: c.id, calls: callOf(c), answer: "An answer.", ok: true })),
    ...more,
  };
}

/** Packs, and gives the bundle's folder. */
export async function packed(more: Partial<PackInput> = {}): Promise<string> {
  const input = await packInput(more);
  const result = await packBundle(input);
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return input.outputDir;
}

/** An engine whose outputs a function of the prompt gives; each ends by itself, or at the limit. */
export function scripted(
  answer: (prompt: string) => string,
  stopped: "eos" | "limit" = "eos",
): { openEngine: (o: OpenLlamaOptions) => Promise<Result<LlamaEngine>>; opened: string[] } {
  const opened: string[] = [];
  return {
    opened,
    openEngine: (o) => {
      opened.push(o.model);
      return Promise.resolve(
        ok({
          complete: (request) => Promise.resolve(ok({ text: answer(request.prompt), tokens: 1, promptTokens: 1, ms: 1, firstTokenMs: 1, stopped })),
          tokenize: () => Promise.resolve(ok([])),
          close: () => Promise.resolve(),
        }),
      );
    },
  };
}

/** Answers every case as it expects. */
export function right(prompt: string): string {
  const found = CASES.find((c) => prompt.includes(`<|im_start|>user\n${c.messages[0]?.content}<|im_end|>`));
  const call = found === undefined ? undefined : callOf(found)[0];
  return call === undefined ? "William Shakespeare." : `<tool_call>\n${JSON.stringify(call)}\n</tool_call>`;
}
