/**
 * Opens the recipe's tools for a stage that may call them, and makes sure that they are still the ones that `inspect`
 * read: data about one toolset executed against another would be silently wrong.
 */
import type { StageContext } from "../engine/stage.ts";
import { EXIT } from "../platform/exit.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { toolDifferences } from "../tools/compare.ts";
import type { ToolSession } from "../tools/types.ts";
import type { PipelineContext } from "./context.ts";

/**
 * The open session; the caller closes it.
 * @param toolset what `inspect` read; left out by `inspect` itself
 */
export async function openSession(c: PipelineContext, toolset: Toolset | undefined, o: Pick<StageContext, "signal" | "emit">): Promise<Result<ToolSession>> {
  const { openTools } = await import("../tools/open.ts");
  const opened = await openTools(c.recipe.tools, {
    dir: c.loaded.dir,
    stated: c.recipe.statedTools,
    signal: o.signal,
    placeOf: (index) => c.loaded.placeOf(["tools", index]),
    onLog: (message) => o.emit({ type: "log", level: "debug", message }),
  });
  if (!opened.ok || toolset === undefined || opened.value.toolset.hash === toolset.hash) return opened.ok ? ok(opened.value) : opened;
  await opened.value.close();
  return err({
    code: "tools/changed",
    message: `the tools are no longer those that were read before: ${differences(toolset, opened.value.toolset)}`,
    hint: "run `forge apply --refresh` to read them again; what depends on them is then made anew",
    place: c.loaded.placeOf(["tools"]),
    exit: EXIT.failed,
  });
}

function differences(before: Toolset, now: Toolset): string {
  const rows = toolDifferences(before, now);
  return `${rows.slice(0, 5).join(", ")}${rows.length > 5 ? ", …" : ""}`;
}
