/**
 * inspect: asks every tool source of the recipe for its tools and writes one normalised toolset with
 * one hash. Everything after it reads the toolset from here. A server is asked again only when its
 * entry in the recipe changed, or on `--refresh`.
 */
import { writeFile } from "node:fs/promises";
import type { StageDefinition } from "../engine/stage.ts";
import { ok } from "../platform/result.ts";
import { type PipelineContext, toolFiles, toolSlice, view } from "./context.ts";
import { openSession } from "./tool-session.ts";

export const VERSION = 4;

export function inspectStage(c: PipelineContext): StageDefinition {
  return {
    kind: "stage",
    id: "inspect",
    title: "Read the tools",
    version: VERSION,
    recipe: { tools: toolSlice(c, { execute: false }) },
    inputs: {},
    files: toolFiles(c),
    outputs: { toolset: "file" },
    views: { toolset: view(c, "tools.json") },
    async run({ outputs, signal, emit }) {
      const opened = await openSession(c, undefined, { signal, emit });
      if (!opened.ok) return opened;
      const session = opened.value;
      try {
        await writeFile(outputs.toolset as string, `${JSON.stringify(session.toolset, null, 2)}\n`);
        const names = session.toolset.tools.map((t) => t.name);
        return ok({
          figures: { tools: names.length, toolset_hash: session.toolset.hash },
          summary: `${names.length} tools: ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`,
        });
      } finally {
        await session.close();
      }
    },
  };
}
