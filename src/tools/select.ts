/**
 * Some of a source's tools: those that `include` names and `exclude` does not. A name that no tool has is refused, so that a
 * slip, or a tool that the server renamed, is noticed and does not quietly change what a model learns.
 */
import { err, ok, type Result } from "../platform/result.ts";
import { nothingSelected, unknownSelectedTool } from "./failures.ts";
import type { OpenSource, ToolSource } from "./types.ts";

/** The source with fewer tools; what is left out can be neither seen nor called. Fails (and closes the source) as said above. */
export async function select(source: OpenSource, { include, exclude }: Pick<ToolSource, "include" | "exclude">, origin: string): Promise<Result<OpenSource>> {
  const names = source.tools.map((t) => t.name);
  for (const [key, patterns] of [["include", include] as const, ["exclude", exclude] as const]) {
    const unknown = patterns?.find((pattern) => !names.some((name) => fits(name, pattern)));
    if (unknown === undefined) continue;
    await source.close();
    return err(unknownSelectedTool(key, unknown, origin, names));
  }
  const tools = source.tools.filter((t) => isSelected(t.name, { include, exclude }));
  if (tools.length === 0) {
    await source.close();
    return err(nothingSelected(origin));
  }
  return ok({ ...source, tools });
}

/** Whether a tool of this name, as the model sees it, is among those that a source is asked for. */
export const isSelected = (name: string, { include, exclude }: Pick<ToolSource, "include" | "exclude">): boolean =>
  (include === undefined || include.some((p) => fits(name, p))) && exclude?.some((p) => fits(name, p)) !== true;

/** Whether a name fits a pattern in which `*` stands for any characters. Linear in the length of both. */
export function fits(name: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
