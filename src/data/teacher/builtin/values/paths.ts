/** Paths of files and folders: real ones where a server showed them, else invented. */
import type { Rng } from "../../../../platform/rng.ts";
import type { Role } from "../roles.ts";
import * as T from "../words/things.ts";
import { inventedWord, part, type ValueOptions } from "./value.ts";

/** A path that exists where one is read, a new one beside what exists where one is made; null where nothing is known. */
export function existing(role: Role, rng: Rng, o: ValueOptions): string | null {
  const { files, folders } = o.known ?? { files: [], folders: [] };
  if (folders.length === 0 || o.rare) return null;
  const fresh = o.making === true || role.side === "end";
  const folder = rng.pick(part(folders, o.heldout));
  const inside = (name: string) => `${folder}${folder.endsWith("/") ? "" : "/"}${name}`;
  if (role.kind === "folder") return fresh ? inside(`${rng.pick(part(T.FOLDERS, o.heldout))}-${rng.pick(part(T.WORDS, o.heldout))}`) : folder;
  if (fresh || files.length === 0) return inside(`${rng.pick(part(T.FILE_STEMS, o.heldout))}-${rng.pick(part(T.WORDS, o.heldout))}.${rng.pick(T.EXTENSIONS)}`);
  return rng.pick(part(files, o.heldout));
}

/** `docs/report.txt`. */
export function filePath(rng: Rng, o: ValueOptions): string {
  const stem = o.rare ? inventedWord(rng).toLowerCase() : rng.pick(part(T.FILE_STEMS, o.heldout));
  const file = `${stem}${rng.chance(0.2) ? rng.int(2, 30) : ""}.${rng.pick(T.EXTENSIONS)}`;
  return rng.chance(0.35) ? file : `${folderPath(rng, o)}/${file}`;
}

/** `docs/2024`. */
export function folderPath(rng: Rng, o: ValueOptions): string {
  const a = rng.pick(part(T.FOLDERS, o.heldout));
  const b = rng.chance(0.35) ? `/${rng.pick(part(T.FOLDERS, o.heldout))}` : "";
  return `${rng.weighted([
    ["", 4],
    ["/", 2],
    ["/home/anna/", 1],
    ["./", 1],
  ])}${a}${b}`;
}
