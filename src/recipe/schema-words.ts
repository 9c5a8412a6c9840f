/**
 * What the recipe's schema knows about its own words: used only to phrase errors, so the schema is
 * read from the package when the first error is met, never on the way to a good recipe.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../platform/paths.ts";

interface SchemaNode {
  readonly $ref?: string;
  readonly title?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly definitions?: Readonly<Record<string, SchemaNode>>;
}

let schema: SchemaNode | undefined;

function root(): SchemaNode {
  schema ??= JSON.parse(readFileSync(join(packageRoot(), "schemas", "forge.schema.json"), "utf8")) as SchemaNode;
  return schema;
}

/** The schema that a value at `path` must meet, references followed; undefined where the schema has no word for it. */
export function schemaAt(path: readonly (string | number)[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = root();
  for (const step of path) {
    node = follow(node);
    if (node === undefined) return undefined;
    const inside: readonly SchemaNode[] = node.anyOf ? node.anyOf.map((n) => follow(n) ?? n) : [node];
    node = inside.map((n) => child(n, step)).find((n) => n !== undefined);
  }
  return follow(node);
}

function child(node: SchemaNode, step: string | number): SchemaNode | undefined {
  if (typeof step === "number") return node.items;
  if (node.properties && Object.hasOwn(node.properties, step)) return node.properties[step];
  return typeof node.additionalProperties === "object" ? node.additionalProperties : undefined;
}

function follow(node: SchemaNode | undefined): SchemaNode | undefined {
  const name = node?.$ref?.replace("#/definitions/", "");
  return name === undefined ? node : root().definitions?.[name];
}

/** The keys that a mapping at `path` may have. */
export function keysAt(path: readonly (string | number)[]): string[] {
  const node = schemaAt(path);
  const all = node?.anyOf ? node.anyOf.map((n) => follow(n)) : [node];
  return all.flatMap((n) => Object.keys(n?.properties ?? {}));
}

/** The words that a value at `path` may be, where they are a fixed set. */
export function wordsAt(path: readonly (string | number)[]): string[] {
  const node = schemaAt(path);
  return [node, ...(node?.anyOf ?? []).map(follow)].flatMap((n) => n?.enum ?? []).map(String);
}

/** Where else in a recipe a key belongs: `["train"]` for `learning_rate`. The shortest such path. */
export function homesOf(key: string): string[][] {
  const homes: string[][] = [];
  const visit = (path: string[], node: SchemaNode | undefined): void => {
    if (node?.properties === undefined || path.length > 3) return;
    if (Object.hasOwn(node.properties, key)) homes.push(path);
    for (const [name, next] of Object.entries(node.properties)) if (name !== "tools" && name !== "variants") visit([...path, name], follow(next));
  };
  visit([], root());
  return homes.sort((a, b) => a.length - b.length);
}

/** An example of a value at `path`, as it would be written on one line. */
export function exampleAt(path: readonly (string | number)[]): string | undefined {
  const example = schemaAt(path)?.examples?.[0];
  if (example === undefined) return undefined;
  return typeof example === "string" ? example : JSON.stringify(example);
}
