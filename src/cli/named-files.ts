/**
 * Files that a command's own flags name, where no recipe does: looked at before anything starts. A path is relative to
 * the folder that the user stands in; a file that is read is never the one that is written.
 */
import { statSync } from "node:fs";
import type { Failure } from "../platform/result.ts";
import { usage } from "./failure.ts";

/** Why a file that a flag names cannot be read; undefined where it is there. */
export function missingFile(flag: string, path: string): Failure | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory()) return undefined;
  const why = found === undefined ? "there is no such file" : "it is a folder";
  return usage("missing-file", `cannot read \`${path}\` (${flag}): ${why}`, "check the path; it is relative to the folder that you stand in");
}

/** Why nothing can be written where `--output` says; undefined where it can. */
export async function unwritable(output: string, inputs: readonly string[]): Promise<Failure | undefined> {
  const { deliverable, inTheWay } = await import("../stages/single/deliver.ts");
  return deliverable(output, "file") ?? inTheWay(output, inputs, "--output");
}
