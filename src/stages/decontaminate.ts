/**
 * decontaminate: takes out of the training data whatever overlaps the user's own evaluation cases. A
 * node of its own, so that adding a case changes nothing downstream when nothing overlaps.
 */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { StageDefinition } from "../engine/stage.ts";
import { parseJsonLines, toJsonLines } from "../platform/json.ts";
import { ok } from "../platform/result.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import type { PipelineContext } from "./context.ts";

export const VERSION = 2;

export function decontaminateStage(c: PipelineContext, cases: string): StageDefinition {
  return {
    kind: "stage",
    id: "decontaminate",
    title: "Keep your cases out of training",
    version: VERSION,
    recipe: { "evaluation.cases": cases },
    inputs: { train: { stage: "generate", output: "train" }, toolset: { stage: "inspect", output: "toolset" } },
    files: { cases: resolve(c.loaded.dir, cases) },
    outputs: { train: "file", cases: "file" },
    async run({ inputs, outputs, emit }) {
      const { readFile } = await import("node:fs/promises");
      const { readCases, strayArguments } = await import("../evaluation/cases.ts");
      const { removeOverlap } = await import("../data/overlap.ts");
      const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
      const read = await readCases(inputs.cases as string, toolset);
      if (!read.ok) return read;
      for (const message of strayArguments(read.value, toolset)) emit({ type: "log", level: "warning", message });
      const train = parseJsonLines<Sample>(await readFile(inputs.train as string, "utf8"));
      const { kept, removed } = removeOverlap(train, read.value);
      await writeFile(outputs.train as string, toJsonLines(kept));
      await writeFile(outputs.cases as string, toJsonLines(read.value));
      return ok({
        figures: { cases: read.value.length, removed: removed.length },
        summary: `${read.value.length} cases of yours, ${removed.length} samples removed`,
      });
    },
  };
}
