/**
 * Keys: what the recipe and the code say of a node, without a look at any file.
 *
 * Two keys a node. The *own key* covers the node alone: id, version, recipe slice, settings, names of inputs and
 * outputs. The *recipe key* adds the recipe keys of everything upstream. The recipe key is what the lockfile holds;
 * the own key goes into the fingerprint, where the real digests of the inputs stand for upstream, so that a stage
 * that ran again with the same result stops the wave there ("early cut-off").
 *
 * Guarantee: both are equal on every machine, home, locale, time zone and Node version; no path, clock or
 * environment is in them. Where a file of the user's lies is not in a key; that there is one, by name, is.
 */
import { type Digest, digestJson } from "../platform/hash.ts";
import type { Graph } from "./graph.ts";
import type { NodeDefinition } from "./stage.ts";

export interface Keys {
  readonly own: Digest;
  readonly recipe: Digest;
}

/** Raised when the way keys are made changes: everything runs again. */
const KEY_FORMAT = 1;

export function ownKey(node: NodeDefinition): Digest {
  const common = { format: KEY_FORMAT, kind: node.kind, id: node.id, version: node.version, recipe: node.recipe };
  if (node.kind === "gate") return digestJson(common);
  return digestJson({
    ...common,
    settings: node.settings ?? {},
    inputs: Object.keys(node.inputs).sort(),
    files: Object.keys(node.files ?? {}).sort(),
    outputs: node.outputs,
  });
}

/** Both keys of every node of a graph. */
export function keysOf(graph: Graph): ReadonlyMap<string, Keys> {
  const keys = new Map<string, Keys>();
  const recipeKey = (id: string) => keys.get(id)?.recipe;
  for (const node of graph.nodes) {
    const own = ownKey(node);
    const inputs = Object.fromEntries(Object.entries(node.inputs).map(([name, i]) => [name, [recipeKey(i.stage), i.output]]));
    const judged = node.kind === "gate" ? recipeKey(node.stage) : undefined;
    keys.set(node.id, { own, recipe: digestJson({ own, inputs, judged }) });
  }
  return keys;
}
