/**
 * Free text among arguments: values that the schema leaves to whoever asks (no enum, no constant, no number, date or flag). Held-out cases
 * should have such values to themselves, or a model that knows the value by heart looks like one that copies it.
 *
 * Where an argument has few values, whatever the schema says (the rooms of one house), the held-out cases show it themselves: they
 * repeat each other. Of such an argument nothing is asked.
 */
import type { JsonValue } from "../platform/json.ts";
import { type Property, readProperties } from "./schema.ts";
import type { Toolset } from "./types.ts";

/** A value of free text and the argument that it was for. */
export interface FreeValue {
  /** Tool and path. */
  readonly argument: string;
  /** In lower case, its accents composed. */
  readonly value: string;
}

/** Reads the free text of calls of a toolset's tools; of tools that it does not have there is none. */
export class FreeText {
  private readonly tools: ReadonlyMap<string, readonly Property[]>;

  constructor(toolset: Toolset) {
    this.tools = new Map(toolset.tools.map((t) => [t.name, readProperties(t)]));
  }

  of(tool: string, args: unknown): FreeValue[] {
    return under(this.tools.get(tool) ?? [], args, tool);
  }
}

/** Uses of an argument from which on its repetitions mean something. */
const ENOUGH = 4;

/** What a set of held-out cases has to itself; values come and go with the cases. */
export class HeldValues {
  private readonly byValue = new Map<string, Map<string, number>>();
  private readonly byArgument = new Map<string, { uses: number; readonly values: Map<string, number> }>();

  add(values: readonly FreeValue[]): void {
    for (const v of values) this.count(v, 1);
  }

  remove(values: readonly FreeValue[]): void {
    for (const v of values) this.count(v, -1);
  }

  /** Whether a held-out case has this value in an argument that has many. */
  has(value: string): boolean {
    for (const argument of this.byValue.get(value)?.keys() ?? []) if (!this.hasFew(argument)) return true;
    return false;
  }

  /** Whether the argument has so few values that each is used more than twice on average. */
  hasFew(argument: string): boolean {
    const seen = this.byArgument.get(argument);
    return seen !== undefined && seen.uses >= ENOUGH && seen.values.size * 2 < seen.uses;
  }

  private count({ argument, value }: FreeValue, by: number): void {
    const at = this.byArgument.get(argument) ?? { uses: 0, values: new Map<string, number>() };
    this.byArgument.set(argument, at);
    at.uses += by;
    bump(at.values, value, by);
    const holders = this.byValue.get(value) ?? new Map<string, number>();
    this.byValue.set(value, holders);
    bump(holders, argument, by);
  }
}

function bump(counts: Map<string, number>, key: string, by: number): void {
  const n = (counts.get(key) ?? 0) + by;
  if (n > 0) counts.set(key, n);
  else counts.delete(key);
}

function under(properties: readonly Property[], args: unknown, path: string): FreeValue[] {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return [];
  const values = args as Readonly<Record<string, JsonValue>>;
  return properties.flatMap((p) => (Object.hasOwn(values, p.name) ? at(p, values[p.name] as JsonValue, `${path} ${p.name}`) : []));
}

function at(property: Property, value: JsonValue, path: string): FreeValue[] {
  if (property.enum !== undefined) return [];
  if (typeof value === "string") return isText(property, value) ? [{ argument: path, value: value.trim().normalize("NFC").toLowerCase() }] : [];
  if (Array.isArray(value)) {
    const items = property.items;
    return items === undefined ? [] : value.flatMap((v) => at(items, v as JsonValue, path));
  }
  return under(property.properties ?? [], value, path);
}

/** More than three characters that are no number, date or flag. */
const isText = (property: Property, value: string): boolean =>
  (property.type === "string" || property.type === "any") && value.trim().length > 3 && !/^[\d\s:./TZ+-]+$|^(true|false)$/i.test(value);
