/** What a run would fetch, found before it begins: for `--offline`, which fails at once with all of it. */
import { planRun } from "../engine/plan.ts";
import { cachedBase } from "../models/base.ts";
import { offlineFailure } from "../platform/offline.ts";
import type { Failure } from "../platform/result.ts";
import { backendIsReady, backendSize } from "../runners/backend-env.ts";
import { detectAccelerator } from "../runners/python/accelerator.ts";
import { SIZE_IN_WORDS } from "../runners/python/build.ts";
import { pythonIsReady } from "../runners/python-env.ts";
import { WITH_BASE } from "./base-readers.ts";
import type { Pipeline } from "./pipeline.ts";

const WITH_PYTHON = /^(train|export|imatrix|base)(:|$)/;
const WITH_TOOLS = /^(inspect|generate|validate)(:|$)/;
const LOOPBACK = /^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])([:/]|$)/i;

/** Everything that is missing for the stages that would run; none where the run needs no network. */
export async function missingOffline(pipeline: Pipeline, until?: string): Promise<Failure[]> {
  const plan = await planRun({ nodes: pipeline.nodes, projectRoot: pipeline.projectRoot, lockfile: pipeline.lockfile, variant: pipeline.variant, until });
  if (!plan.ok) return [plan.error];
  const running = plan.value.nodes.filter((n) => n.status !== "cached" && pipeline.given?.has(n.id) !== true).map((n) => n.id);
  const { family, sourceName, source, recipe, loaded, backend } = pipeline.context;
  const missing: Failure[] = [];
  if (running.some((id) => WITH_BASE.test(id)) && source.kind !== "package" && source.kind !== "folder" && cachedBase(family, sourceName) === undefined) {
    const size = source.kind === "wheel" ? ` (${Math.round(source.bytes / 1e6)} MB)` : "";
    missing.push(offlineFailure(`the base model ${family.title}${size} is not in the cache`));
  }
  if (running.some((id) => WITH_PYTHON.test(id)) && !pythonIsReady())
    missing.push(offlineFailure(`forge's own Python environment (${SIZE_IN_WORDS[detectAccelerator()]}) is not made yet`));
  if (running.includes("train") && backend !== "transformers" && !backendIsReady(backend))
    missing.push(offlineFailure(`the environment of the backend ${backend} (${backendSize(backend)}) is not made yet`));
  if (running.some((id) => WITH_TOOLS.test(id)))
    for (const [i, tool] of recipe.tools.entries())
      if (tool.mcp?.url !== undefined && !LOOPBACK.test(tool.mcp.url))
        missing.push({
          ...offlineFailure("this tool server is reached over the network", "run without --offline"),
          place: loaded.placeOf(["tools", i, "mcp", "url"]),
        });
  return missing;
}
