/** Whether the recipe's tool servers still offer what `inspect` read: for `forge plan --refresh`. Starts them; writes nothing. */
import { readFileSync } from "node:fs";
import { readRecord } from "../engine/inspect.ts";
import { ok, type Result } from "../platform/result.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { toolDifferences } from "../tools/compare.ts";
import type { Pipeline } from "./pipeline.ts";
import { openSession } from "./tool-session.ts";

/** The reasons for which `inspect` would run, by its id; empty when the tools are the same, or were never read. Fails as inspect would (a server that does not start). */
export async function changedTools(pipeline: Pipeline, signal: AbortSignal): Promise<Result<ReadonlyMap<string, readonly string[]>>> {
  const { projectRoot, lockfile, variant, context } = pipeline;
  const record = await readRecord(projectRoot, lockfile, variant, "inspect");
  if (!record.ok) return ok(new Map());
  const before = JSON.parse(readFileSync(record.value.paths.toolset as string, "utf8")) as Toolset;
  const opened = await openSession(context, undefined, { signal, emit: () => undefined });
  if (!opened.ok) return opened;
  const reasons = toolDifferences(before, opened.value.toolset);
  await opened.value.close();
  return ok(reasons.length === 0 ? new Map() : new Map([["inspect", reasons]]));
}
