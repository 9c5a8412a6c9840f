/**
 * Where the references of a schema lead within it (JSON Schema Core 2020-12, 8.2): pointers, anchors, and the names of its parts. Nothing outside is
 * looked at. Recursion is as deep as the schema, which its reader has bounded.
 */
import type { JsonObject, JsonValue } from "./json.ts";

/** A schema of its own, the whole or a part with an `$id`. */
interface Resource {
  readonly uri: string;
  readonly root: JsonObject;
  readonly anchors: Map<string, JsonObject>;
}

const isObject = (v: unknown): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);

/** What relative names are read against; no schema can be had from there. */
const NOWHERE = "forge:/";

export class References {
  readonly #resources = new Map<string, Resource>();
  readonly #of = new Map<object, Resource>();
  readonly #dynamic = new Map<string, JsonObject[]>();

  constructor(root: JsonObject) {
    const whole = { uri: resolved(root.$id, NOWHERE) ?? NOWHERE, root, anchors: new Map<string, JsonObject>() };
    this.#resources.set(whole.uri, whole);
    this.#collect(root, whole);
  }

  #collect(value: JsonValue, outer: Resource): void {
    if (Array.isArray(value)) for (const v of value) this.#collect(v, outer);
    if (!isObject(value)) return;
    const id = typeof value.$id === "string" ? value.$id : "";
    const uri = value === outer.root || id.startsWith("#") ? undefined : resolved(id || undefined, outer.uri);
    const resource = uri === undefined ? outer : { uri, root: value, anchors: new Map<string, JsonObject>() };
    if (resource !== outer && !this.#resources.has(resource.uri)) this.#resources.set(resource.uri, resource);
    this.#of.set(value, resource);
    for (const anchor of [value.$anchor, value.$dynamicAnchor, id.startsWith("#") ? id.slice(1) : undefined])
      if (typeof anchor === "string") resource.anchors.set(anchor, value);
    if (typeof value.$dynamicAnchor === "string") this.#dynamic.set(value.$dynamicAnchor, [...(this.#dynamic.get(value.$dynamicAnchor) ?? []), value]);
    for (const child of Object.values(value)) this.#collect(child, resource);
  }

  /** The schema that a `$ref` of `node` leads to; undefined where it leads nowhere, or to no object. */
  target(node: JsonObject, ref: string): JsonObject | undefined {
    const at = ref.indexOf("#");
    const [name, fragment] = at < 0 ? [ref, ""] : [ref.slice(0, at), ref.slice(at + 1)];
    const own = this.#of.get(node);
    const resource = name === "" ? own : this.#resources.get(resolved(name, own?.uri ?? NOWHERE) ?? "");
    if (resource === undefined) return undefined;
    if (fragment !== "" && !fragment.startsWith("/")) return resource.anchors.get(unescaped(fragment));
    let found: JsonValue | undefined = resource.root;
    for (const part of fragment.split("/").slice(1)) {
      const key = unescaped(part).replaceAll("~1", "/").replaceAll("~0", "~");
      found = typeof found === "object" && found !== null && Object.hasOwn(found, key) ? (found as Record<string, JsonValue>)[key] : undefined;
    }
    return isObject(found) ? found : undefined;
  }

  /** All schemas that a `$dynamicRef` to this name can lead to. */
  dynamicTargets(name: string): readonly JsonObject[] {
    return this.#dynamic.get(name) ?? [];
  }
}

/**
 * The same schema with references that ajv understands: `$ref` for each `$dynamicRef` that can lead to one place only, as any does in a schema that is
 * complete in itself and extends nothing (ajv knows the dynamic anchors of what has been checked so far alone), and `#` for an anchor of the whole.
 */
export function withPlainReferences(schema: JsonObject): JsonObject {
  const references = new References(schema);
  const plain = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(plain);
    if (!isObject(value)) return value;
    const copy: Record<string, JsonValue> = {};
    for (const [key, child] of Object.entries(value)) {
      const leads = (key === "$dynamicRef" && value.$ref === undefined) || key === "$ref" ? child : undefined;
      const target = typeof leads === "string" ? references.target(value, leads) : undefined;
      if (target !== undefined && (key === "$ref" || isPlain(references, target, leads as string))) copy.$ref = target === schema ? "#" : (leads as string);
      else if (key !== "__proto__") copy[key] = plain(child);
    }
    return copy;
  };
  return plain(schema) as JsonObject;
}

function isPlain(references: References, target: JsonObject, ref: string): boolean {
  return target.$dynamicAnchor === undefined || references.dynamicTargets(ref.slice(ref.indexOf("#") + 1)).length <= 1;
}

function resolved(name: unknown, base: string): string | undefined {
  if (typeof name !== "string") return undefined;
  try {
    const url = new URL(name, base);
    url.hash = "";
    return url.href;
  } catch {
    return undefined;
  }
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A percent sign that escapes nothing.
  }
}
