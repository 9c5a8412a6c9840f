/** Finds where the value at a path was written. */
import type { MapTree, Range, Tree } from "./source.ts";
import type { RecipePath } from "./types.ts";

export interface Located {
  /** The value, when the whole path is written. */
  readonly tree?: Tree;
  /** Where its key was written (for a list's item: the item). */
  readonly key: Range;
  /** Where to point: a single value's own text, else the key. */
  readonly range: Range;
}

/** The value at `path`, or the nearest key above it that is written. */
export function locate(root: MapTree, path: RecipePath): Located {
  let tree: Tree = root;
  let key: Range = firstKey(root);
  for (const step of path) {
    const next: { key: Range; value: Tree } | undefined =
      tree.kind === "map" ? tree.members.get(String(step)) : tree.kind === "list" ? item(tree.items[Number(step)]) : undefined;
    if (next === undefined) return { key, range: key };
    tree = next.value;
    key = next.key;
  }
  return { tree, key, range: tree.kind === "leaf" && tree.value !== null ? tree.range : key };
}

const item = (value: Tree | undefined): { key: Range; value: Tree } | undefined =>
  value === undefined ? undefined : { key: value.kind === "map" ? firstKey(value) : value.range, value };

/** A mapping is pointed at by its first key: its own range may span the file. */
function firstKey(tree: MapTree): Range {
  for (const member of tree.members.values()) return member.key;
  return tree.range;
}
