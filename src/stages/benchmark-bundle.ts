/**
 * `forge benchmark BUNDLE --cases F`: runs somebody's own cases through a bundle's model, in whole loops,
 * with the stubs of the bundle executed (and its servers, when they are allowed). A GGUF stands for the
 * bundle that it lies in: prompt, tools and decoding come from there.
 */
import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { loadBundle } from "../bundle/read.ts";
import { openSources } from "../bundle/try.ts";
import { readCases, strayArguments } from "../evaluation/cases.ts";
import { allFigures } from "../evaluation/figures.ts";
import { runLoops } from "../evaluation/loop.ts";
import { benchmarkJson, type EvaluationReport, makeReport, reportMarkdown } from "../evaluation/report.ts";
import { openLlama } from "../models/llama/client.ts";
import { EXIT } from "../platform/exit.ts";
import type { JsonObject } from "../platform/json.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { SIDE_BY_SIDE } from "./evaluation.ts";

export interface BundleBenchmarkOptions {
  /** JSON lines: one case each. */
  readonly cases: string;
  readonly allowServers?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface BundleBenchmark {
  /** `{cases: [{id, calls, answer, ok}], figures}`. */
  readonly json: JsonObject;
  readonly markdown: string;
  readonly report: EvaluationReport;
  readonly notes: readonly string[];
}

/** @param path a bundle's folder, or a GGUF inside one */
export async function benchmarkBundle(path: string, o: BundleBenchmarkOptions): Promise<Result<BundleBenchmark>> {
  const isFile = (await stat(path).catch(() => undefined))?.isFile() === true;
  const dir = isFile ? dirname(path) : path;
  const early = await readCases(o.cases);
  if (!early.ok) return early;
  const loaded = await loadBundle(dir, o.signal);
  if (!loaded.ok) return isFile ? err({ ...loaded.error, hint: "name a GGUF that lies in its bundle: the tools and the prompt come from there" }) : loaded;
  const { agent, manifest, toolset, renderer } = loaded.value;
  const cases = await readCases(o.cases, toolset);
  if (!cases.ok) return cases;
  const file = isFile ? basename(path) : (agent.models[0]?.file ?? "");
  const sha256 = manifest.files.find((f) => f.path === file)?.sha256;
  if (sha256 === undefined || !agent.models.some((m) => m.file === file))
    return err({
      code: "bundle/no-model",
      message: `${file} is no model of the bundle that it lies in`,
      hint: `name one of its own (${agent.models.map((m) => m.file).join(", ")}); any other is measured with forge benchmark --model ${path} --tools FILE`,
      exit: EXIT.usage,
    });

  const notes: string[] = strayArguments(cases.value, toolset);
  const session = await openSources(agent, toolset.hash, notes, { signal: o.signal, allowServers: o.allowServers === true });
  if (!session.ok) return session;
  try {
    const engine = await openLlama({ model: join(dir, file), sequences: SIDE_BY_SIDE, signal: o.signal });
    if (!engine.ok) return engine;
    try {
      const records = await runLoops({
        engine: engine.value,
        renderer,
        toolset,
        cases: cases.value,
        session: session.value,
        decoding: agent.runtime.decoding ?? "free",
        signal: o.signal,
        onProgress: o.onProgress,
      });
      if (!records.ok) return records;
      const unproven = manifest.unproven === true || agent.unproven !== undefined;
      const report = makeReport({
        kind: "benchmark",
        model: `${agent.name} ${file}`,
        measured: { model: sha256, toolset: toolset.hash },
        records: records.value,
        sideBySide: SIDE_BY_SIDE,
        unproven,
      });
      return ok({ json: benchmarkJson(records.value, allFigures(records.value)), markdown: reportMarkdown(report), report, notes });
    } finally {
      await engine.value.close();
    }
  } finally {
    await session.value?.close();
  }
}
