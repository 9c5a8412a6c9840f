/**
 * Plausible argument values: what the schema wants, and how a person says it. What is said always
 * determines what is wanted. Values for held-out cases come from their own part of each list.
 */

import { boundedRegExp, isPattern } from "../../../../platform/bounded-regexp.ts";
import type { JsonValue } from "../../../../platform/json.ts";
import type { Rng } from "../../../../platform/rng.ts";
import type { Property } from "../../../schema.ts";
import { listing, singular } from "../english.ts";
import { type Role, roleOf } from "../roles.ts";
import * as T from "../words/things.ts";
import { enumValue, yesShare } from "./enums.ts";
import { numberValue } from "./numbers.ts";
import { textLike } from "./patterns.ts";
import { placeValue } from "./places.ts";
import { textValue } from "./text.ts";
import { datetimeValue, dateValue, rangeValue, timeValue } from "./times.ts";
import { type Context, literal, part, plain, type Value, type ValueOptions } from "./value.ts";

export type { Context, Value, ValueOptions } from "./value.ts";

/** Makes a value for a property, or null where none can be said (a constant, an unusable enum). */
export function makeValue(p: Property, role: Role, rng: Rng, ctx: Context, o: ValueOptions): Value | null {
  for (let i = 0; i < 6; i++) {
    const drawn = draw(p, role, rng, ctx, o);
    if (drawn === null) return null;
    // Another usual value may fit where this one does not: one made of the pattern is nobody's word.
    const v = inForm(drawn, p, rng, i >= 3);
    if (v === null) continue;
    if (typeof v.json !== "string" || role.kind === "enum" || role.kind === "flag" || role.kind === "constant") return v;
    if (ctx.used.has(v.json) || !fitsLength(v.json, p)) continue;
    ctx.used.add(v.json);
    return v;
  }
  return null;
}

/** A text in the form that the schema states; null where it has another, and none is to be made up yet. */
function inForm(v: Value, { schema }: Property, rng: Rng, makeUp: boolean): Value | null {
  if (typeof v.json !== "string") return v;
  if (schema.format === "uuid") return literal(uuid(rng));
  if (typeof schema.pattern !== "string" || takes(schema.pattern, v.json)) return v;
  if (!makeUp) return null;
  for (let i = 0; i < 3; i++) {
    const made = textLike(schema.pattern, rng);
    if (made !== null && takes(schema.pattern, made)) return literal(made);
  }
  return v;
}

const takes = (pattern: string, text: string): boolean => !isPattern(pattern) || boundedRegExp(pattern, "u").test(text);

function uuid(rng: Rng): string {
  const hex = (n: number): string => Array.from({ length: n }, () => rng.int(0, 15).toString(16)).join("");
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
}

const fitsLength = (s: string, p: Property) =>
  s.length >= Number(p.schema.minLength ?? 0) && s.length <= Number(p.schema.maxLength ?? Number.POSITIVE_INFINITY);

function draw(p: Property, role: Role, rng: Rng, ctx: Context, o: ValueOptions): Value | null {
  switch (role.kind) {
    case "boolean":
      return plain(rng.chance(yesShare(p)), "");
    case "flag":
    case "enum":
    case "constant":
      return enumValue(p, role, rng);
    case "list":
      return listValue(p, rng, ctx, o);
    case "edit":
      return editValue(p, rng, o);
    case "object":
      return objectValue(p, rng, ctx, o);
    case "count":
    case "rating":
    case "age":
    case "money":
    case "seconds":
    case "number":
    case "latitude":
    case "longitude":
    case "year":
      return p.type === "string" ? asString(numberValue(p, role, rng, o)) : numberValue(p, role, rng, o);
    case "date":
      return dateValue(role, rng, ctx);
    case "datetime":
      return datetimeValue(role, rng, ctx);
    case "range":
      return rangeValue(rng);
    case "time":
      return timeValue(role, rng);
    case "place":
      return placeValue(role, rng, o);
    default:
      return p.type === "integer" || p.type === "number" ? numberValue(p, role, rng, o) : textValue(role, rng, o);
  }
}

const asString = (v: Value): Value => plain(String(v.json), v.said, v.caseless);

function listValue(p: Property, rng: Rng, ctx: Context, o: ValueOptions): Value | null {
  if (p.places !== undefined) return placesValue(p.places, rng, ctx, o);
  const items = p.items;
  if (!items) return null;
  const source: Property =
    p.enum && !items.enum ? { ...items, enum: p.enum } : { ...items, name: singular(p.name), description: items.description || p.description };
  const role = roleOf(source, o.topic);
  if (role.kind === "object" || role.kind === "list") return nestedList(p, source, rng, ctx, o);
  const quotes = role.examples.filter((e) => e.length < 24);
  const n = Math.max(
    Number(p.schema.minItems ?? 1),
    Math.min(
      rng.weighted([
        [1, role.kind === "path" && p.required ? 1 : 4],
        [2, 4],
        [3, 2],
      ]),
      Number(p.schema.maxItems ?? 3),
    ),
  );
  const values: Value[] = [];
  for (let i = 0; i < n * 4 && values.length < n; i++) {
    const fromExample = quotes.length > 1 && role.kind !== "path" && rng.chance(0.85) ? rng.pick(quotes) : null;
    const drawn = fromExample !== null ? plain(fromExample, fromExample) : draw(source, role, rng, ctx, o);
    const v = drawn === null ? null : inForm(drawn, source, rng, i >= n);
    if (v && !values.some((w) => JSON.stringify(w.json) === JSON.stringify(v.json))) values.push(v);
  }
  if (values.length === 0) return null;
  return plain(
    values.map((v) => v.json),
    listing(values.map((v) => v.said)),
  );
}

/** A list whose places differ, each said in its turn. */
function placesValue(places: readonly Property[], rng: Rng, ctx: Context, o: ValueOptions): Value | null {
  const values: Value[] = [];
  for (const place of places) {
    const v = makeValue(place, roleOf(place, o.topic), rng, ctx, o);
    if (v === null) return null;
    values.push(v);
  }
  if (values.length === 0) return null;
  return plain(
    values.map((v) => v.json),
    listing(values.map((v) => v.said)),
  );
}

function nestedList(p: Property, item: Property, rng: Rng, ctx: Context, o: ValueOptions): Value | null {
  if (!p.required) return null;
  const v = objectValue(item, rng, ctx, o);
  return v ? plain([v.json], v.said) : null;
}

function editValue(p: Property, rng: Rng, o: ValueOptions): Value | null {
  const names = (p.items?.properties ?? []).map((q) => q.name);
  const oldName = names.find((n) => n.toLowerCase().startsWith("old"));
  const newName = names.find((n) => n.toLowerCase().startsWith("new"));
  if (!oldName || !newName) return null;
  const [a, b] = rng.shuffle(part(T.GREP_WORDS.concat(T.WORDS), o.heldout));
  if (!a || !b) return null;
  return plain([{ [oldName]: a, [newName]: b }], `"${a}" with "${b}"`);
}

/** Required members of an object, said as `name x and size y`. */
function objectValue(p: Property, rng: Rng, ctx: Context, o: ValueOptions): Value | null {
  const members = (p.properties ?? []).filter((q) => q.required || rng.chance(0.3)).slice(0, 4);
  if (members.length === 0) return p.values === undefined ? null : entryValue(p.values, rng, ctx, o);
  const json: Record<string, JsonValue> = {};
  for (const q of p.properties ?? []) if (q.nullWhenUnsaid) json[q.name] = null;
  const said: string[] = [];
  for (const q of members) {
    const role = roleOf(q, o.topic);
    const v = makeValue(q, role, rng, ctx, o);
    if (!v) {
      if (q.required) return null;
      continue;
    }
    json[q.name] = v.json;
    said.push(q.type === "boolean" ? `${role.noun} ${v.json ? "on" : "off"}` : `${role.noun} ${v.said}`);
  }
  return said.length > 0 ? plain(json, listing(said)) : null;
}

/** An object of somebody's own names: one of them. */
function entryValue(values: Property, rng: Rng, ctx: Context, o: ValueOptions): Value | null {
  const name = rng.pick(part(T.WORDS, o.heldout));
  const v = makeValue(values, roleOf(values, o.topic), rng, ctx, o);
  return v === null ? null : plain({ [name]: v.json }, `${name} ${v.said}`);
}
