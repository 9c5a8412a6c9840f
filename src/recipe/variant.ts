/**
 * Lays a variant over a recipe: mappings are merged key by key, lists and single values replaced.
 * Every value keeps the place where it was written, so an error in a variant points into the variant.
 */
import { MAX_BYTES, type MapTree, type Member, parseTree, Source, type Tree } from "./source.ts";

/** Keys that exclude each other: a variant that names one takes the place of the other, with what belongs to it. */
const EXCLUSIVE: Readonly<Record<string, readonly (readonly string[])[]>> = {
  model: [
    ["family", "source"],
    ["hf_id", "revision", "template"],
  ],
};

/** What `model` means that names no family: `default` of schemas/forge.schema.json. */
const DEFAULT_FAMILY = "smollm2";

/** The variants that a recipe declares, in its order. */
export function variantsOf(tree: MapTree): ReadonlyMap<string, Member> {
  const value = tree.members.get("variants")?.value;
  return value?.kind === "map" ? value.members : new Map();
}

/** The names of the variants that a recipe's text declares; undefined where it is no recipe that can be read, so that nobody can say. */
export function declaredVariants(text: string): ReadonlySet<string> | undefined {
  const tree = text.length > MAX_BYTES ? undefined : parseTree(new Source("the recipe", text));
  if (tree?.ok !== true || !tree.value.members.has("tools")) return undefined;
  const variants = tree.value.members.get("variants");
  return variants !== undefined && variants.value.kind !== "map" ? undefined : new Set(variantsOf(tree.value).keys());
}

/** The recipe without its `variants`, the overlay laid over it. */
export function overlay(tree: MapTree, variant: Tree | undefined): MapTree {
  const members = new Map(tree.members);
  members.delete("variants");
  const base: MapTree = { ...tree, members };
  if (variant === undefined || variant.kind !== "map") return base;
  return merge(base, variant, []);
}

function merge(base: MapTree, over: MapTree, path: readonly string[]): MapTree {
  const members = new Map(base.members);
  const groups = path.length === 1 ? EXCLUSIVE[path[0] as string] : undefined;
  for (const group of groups ?? []) {
    const others = (groups ?? []).filter((g) => g !== group).flat();
    if (group.some((key) => over.members.has(key))) for (const key of others) if (!over.members.has(key)) members.delete(key);
  }
  // A source is one of a family's: another family has others.
  if (groups !== undefined && over.members.has("family") && !over.members.has("source") && familyIn(over) !== familyIn(base)) members.delete("source");
  for (const [key, member] of over.members) {
    const old = members.get(key)?.value;
    const merged = old?.kind === "map" && member.value.kind === "map" ? merge(old, member.value, [...path, key]) : member.value;
    members.set(key, { key: member.key, value: merged });
  }
  return { kind: "map", members, range: over.range };
}

/** The family that a recipe's `model` means; undefined where it is no text, which is said when the recipe is checked. */
function familyIn(model: MapTree): string | undefined {
  const family = model.members.get("family")?.value;
  if (family === undefined) return DEFAULT_FAMILY;
  return family.kind === "leaf" && typeof family.value === "string" ? family.value : undefined;
}
