/**
 * Whether a base model in the cache still has the bytes that were fetched: a disk, a copy or somebody's tool may have changed them, and a model that
 * answers otherwise looks like any other. Its digest is taken once for every change of the file's size, times or inode, and what was found is kept
 * beside it (checked.json): looking again costs one stat.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Digest } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { writeFileAtomic } from "../platform/fs.ts";
import type { Failure } from "../platform/result.ts";
import { matchesSnapshot, parseSnapshot, type Snapshot, takeSnapshot } from "../platform/snapshot.ts";

const CHECKED = "checked.json";

/**
 * What is wrong with the file of a base model in the cache; undefined where nothing is. Rejects with the file system's error where it cannot be read.
 * @param keep whether what was found is written down; where that cannot be, it is found anew the next time
 * @param onRead hears that the file is read now, with its size in bytes
 */
export async function damageOf(
  title: string,
  base: { readonly ggufPath: string; readonly digest: Digest },
  { keep, onRead }: { readonly keep: boolean; readonly onRead?: (bytes: number) => void },
): Promise<Failure | undefined> {
  const folder = dirname(base.ggufPath);
  const file = realpathSync(base.ggufPath);
  const known = readChecked(join(folder, CHECKED));
  if (known?.digest === base.digest && matchesSnapshot(file, known)) return undefined;
  onRead?.(statSync(file).size);
  const found = await takeSnapshot(file);
  if (found.digest !== base.digest)
    return {
      code: "models/damaged",
      message: `the base model ${title} in the cache does not have the bytes that were fetched: its file has changed since`,
      hint: `Remove ${folder}; forge fetches it again.`,
      exit: EXIT.environment,
    };
  if (keep) {
    try {
      writeFileAtomic(join(folder, CHECKED), `${JSON.stringify(found)}\n`);
    } catch {
      // A cache that may only be read.
    }
  }
  return undefined;
}

function readChecked(path: string): Snapshot | undefined {
  try {
    return parseSnapshot(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined; // Not there, or not whole.
  }
}
