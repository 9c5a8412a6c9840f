/**
 * Plausible argument values: what the schema wants, and how a person says it. What is said always
 * determines what is wanted. Values for held-out cases come from their own part of each list.
 */
import type { JsonValue } from "../../../../platform/json.ts";
import type { Rng } from "../../../../platform/rng.ts";
import type { Property } from "../../../schema.ts";
import { listing, singular } from "../english.ts";
import { type Role, roleOf } from "../roles.ts";
import * as T from "../words/things.ts";
import { enumValue, yesShare } from "./enums.ts";
import { numberValue } from "./numbers.ts";
import { placeValue } from "./places.ts";
import { textValue } from "./text.ts";
import { datetimeValue, dateValue, rangeValue, timeValue } from "./times.ts";
import { type Context, part, plain, type Value, type ValueOptions } from "./value.ts";

export type { Context, Value, ValueOptions } from "./value.ts";

/** Makes a value for a property, or null where none can be said (a constant, an unusable enum). */
export function makeValue(p: Property, role: Role, rng: Rng, ctx: Context, o: ValueOptions): Value | null {
  for (let i = 0; i < 6; i++) {
    const v = draw(p, role, rng, ctx, o);
    if (v === null) return null;
    if (typeof v.json !== "string" || role.kind === "enum" || role.kind === "flag" || role.kind === "constant") return v;
    if (ctx.used.has(v.json) || !fitsLength(v.json, p)) continue;
    ctx.used.add(v.json);
    return v;
  }
  return null;
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
    const v = fromExample !== null ? plain(fromExample, fromExample) : draw(source, role, rng, ctx, o);
    if (v && !values.some((w) => JSON.stringify(w.json) === JSON.stringify(v.json))) values.push(v);
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
  if (members.length === 0) return null;
  const json: Record<string, JsonValue> = {};
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
