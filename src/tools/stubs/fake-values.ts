/**
 * Makes up values: from a JSON Schema where there is one, else from a name ("price", "created_at"). The same draw gives
 * the same value; nothing else goes in, no clock and no locale. Schemas are foreign: references that go in
 * circles, depth and width are bounded.
 */
import { createHash } from "node:crypto";
import { boundedRegExp } from "../../platform/bounded-regexp.ts";
import type { JsonObject, JsonValue } from "../../platform/json.ts";

/** Whole numbers in a range, both ends included. */
export type Draw = (low: number, high: number) => number;

const MAX_DEPTH = 6;
const MAX_MEMBERS = 24;
const MAX_TEXT = 200;
/** Values that one result may hold, whatever the schema asks for. */
const MAX_VALUES = 400;

/** A stream of numbers that the parts decide. */
export function drawsOf(...parts: readonly (string | number)[]): Draw {
  let block = 0;
  let bytes = Buffer.alloc(0);
  let at = 0;
  return (low, high) => {
    if (at + 4 > bytes.length) {
      bytes = createHash("sha256")
        .update(JSON.stringify([...parts, block++]))
        .digest();
      at = 0;
    }
    const n = bytes.readUInt32BE(at);
    at += 4;
    return high <= low ? low : low + (n % (high - low + 1));
  };
}

export const pick = <T>(list: readonly T[], draw: Draw): T => list[draw(0, list.length - 1)] as T;

export interface FakeContext {
  readonly draw: Draw;
  /** The call's own arguments: a result speaks of what was asked for. */
  readonly args: JsonObject;
  /** The schema that `#/…` references point into. */
  readonly root: JsonObject;
}

/** A value that the schema describes; `name` is the member's. */
export function fakeValue(schema: JsonValue | undefined, name: string, c: FakeContext): JsonValue {
  return new Faker(c).value(schema, name, 0);
}

class Faker {
  #made = 0;
  readonly #c: FakeContext;
  constructor(c: FakeContext) {
    this.#c = c;
  }

  value(stated: JsonValue | undefined, name: string, depth: number): JsonValue {
    this.#made++;
    const schema = this.#resolve(stated);
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum) && schema.enum.length > 0) {
      const asked = own(this.#c.args, name);
      return schema.enum.find((v) => v === asked) ?? pick(schema.enum as readonly JsonValue[], this.#c.draw);
    }
    if (Array.isArray(schema.examples) && schema.examples.length > 0) return pick(schema.examples as readonly JsonValue[], this.#c.draw);
    const type = typeOf(schema);
    if (type === "object") return this.#object(schema, depth);
    if (type === "array") return this.#array(schema, name, depth);
    const asked = own(this.#c.args, name);
    if (type === "boolean") return typeof asked === "boolean" ? asked : this.#c.draw(0, 2) > 0;
    if (type === "integer" || type === "number") return typeof asked === "number" ? asked : this.#number(schema, name, type === "integer");
    if (type === "null") return null;
    if (type === "string") return typeof asked === "string" ? asked.slice(0, MAX_TEXT) : this.#text(schema, name);
    return asked !== undefined && asked !== null && typeof asked !== "object" ? asked : namedValue(name, this.#c.draw);
  }

  /** Follows references within the schema, and takes the first alternative that is not null. */
  #resolve(stated: JsonValue | undefined): JsonObject {
    let schema = asObject(stated);
    for (let hop = 0; hop < 20; hop++) {
      if (typeof schema.$ref === "string") schema = this.#lookUp(schema.$ref);
      else {
        const options = [schema.anyOf, schema.oneOf].find((list) => Array.isArray(list) && list.length > 0) as readonly JsonValue[] | undefined;
        const { anyOf: _, oneOf: __, allOf, ...rest } = schema;
        if (options !== undefined) schema = { ...rest, ...asObject(options.find((s) => asObject(s).type !== "null") ?? options[0]) };
        else if (Array.isArray(allOf)) schema = this.#merge(rest, allOf as readonly JsonValue[]);
        else return schema;
      }
    }
    return {};
  }

  #merge(schema: JsonObject, parts: readonly JsonValue[]): JsonObject {
    let merged: JsonObject = schema;
    for (const part of parts.slice(0, 20)) {
      const one = asObject(typeof asObject(part).$ref === "string" ? this.#lookUp(String(asObject(part).$ref)) : part);
      const { allOf: _, ...own } = one; // one level is enough for what people write
      merged = { ...merged, ...own, properties: { ...asObject(merged.properties), ...asObject(own.properties) } };
    }
    return merged;
  }

  #lookUp(ref: string): JsonObject {
    if (!ref.startsWith("#")) return {};
    let at: JsonValue | undefined = this.#c.root;
    for (const raw of ref.slice(1).split("/").filter(Boolean)) {
      at = own(asObject(at), raw.replaceAll("~1", "/").replaceAll("~0", "~"));
    }
    return asObject(at);
  }

  #object(schema: JsonObject, depth: number): JsonValue {
    const required = new Set(Array.isArray(schema.required) ? schema.required : []);
    const out: [string, JsonValue][] = [];
    for (const [key, member] of Object.entries(asObject(schema.properties))) {
      const due = required.has(key);
      if (key === "__proto__" || this.#made > MAX_VALUES || depth >= MAX_DEPTH * 2) continue;
      if (!due && (depth >= MAX_DEPTH - 2 || out.length >= MAX_MEMBERS)) continue;
      out.push([key, this.value(member, key, depth + 1)]);
    }
    return Object.fromEntries(out);
  }

  #array(schema: JsonObject, name: string, depth: number): JsonValue {
    const least = Math.min(natural(schema.minItems, 0), MAX_MEMBERS);
    const most = Math.max(least, Math.min(natural(schema.maxItems, MAX_MEMBERS), depth >= MAX_DEPTH - 2 ? least : 3));
    // A list that has to hold a list that has to hold one has no end.
    const length =
      depth >= MAX_DEPTH * 2 ? 0 : depth >= MAX_DEPTH || this.#made > MAX_VALUES ? Math.min(least, 1) : this.#c.draw(Math.max(least, Math.min(1, most)), most);
    const item = Array.isArray(schema.items) ? schema.items[0] : schema.items;
    return Array.from({ length }, () => this.value(item as JsonValue | undefined, singular(name), depth + 1));
  }

  #number(schema: JsonObject, name: string, whole: boolean): number {
    const named = namedValue(name, this.#c.draw);
    const step = typeof schema.multipleOf === "number" && schema.multipleOf > 0 ? schema.multipleOf : whole ? 1 : 0.1;
    const low = typeof schema.minimum === "number" ? schema.minimum : typeof schema.exclusiveMinimum === "number" ? schema.exclusiveMinimum + step : undefined;
    const high = typeof schema.maximum === "number" ? schema.maximum : typeof schema.exclusiveMaximum === "number" ? schema.exclusiveMaximum - step : undefined;
    if (low === undefined && high === undefined && schema.multipleOf === undefined && typeof named === "number") return whole ? Math.round(named) : named;
    const from = low ?? (high === undefined ? 1 : high - 100 * step);
    const steps = Math.max(0, Math.min(1000, Math.floor(((high ?? from + 100 * step) - from) / step)));
    return Number((Math.ceil(from / step) * step + this.#c.draw(0, steps) * step).toFixed(6));
  }

  #text(schema: JsonObject, name: string): string {
    const format = typeof schema.format === "string" ? FORMATS[schema.format] : undefined;
    const named = namedValue(name, this.#c.draw);
    let text = format === undefined ? String(named) : format(this.#c.draw);
    if (typeof schema.pattern === "string") text = fitting(schema.pattern, text, this.#c.draw);
    const least = Math.min(natural(schema.minLength, 0), MAX_TEXT);
    return text.padEnd(least, "x").slice(0, Math.max(least, natural(schema.maxLength, MAX_TEXT)));
  }
}

/** A text that the pattern takes, if a usual one does; else the text as it is. */
function fitting(pattern: string, text: string, draw: Draw): string {
  try {
    const check = boundedRegExp(pattern, "u");
    const n = String(draw(1000, 9999));
    const letters = Array.from({ length: 3 }, () => pick([..."ABCDEFGHJKLMNPRSTUVWXYZ"], draw)).join("");
    const usual = [text, n, letters, letters.toLowerCase(), letters + n, `${letters}-${n}`, n.slice(0, 2), `2026-0${n[0]}-1${n[1]}`, `${n}0`.slice(0, 5), "a"];
    return usual.find((t) => check.test(t)) ?? text;
  } catch {
    return text;
  }
}

const two = (n: number): string => String(n).padStart(2, "0");
const date = (draw: Draw): string => `2026-${two(draw(1, 12))}-${two(draw(1, 28))}`;
const time = (draw: Draw): string => `${two(draw(6, 22))}:${two(draw(0, 11) * 5)}`;
const hex = (draw: Draw, length: number): string => Array.from({ length }, () => draw(0, 15).toString(16)).join("");

const FORMATS: Readonly<Record<string, (draw: Draw) => string>> = {
  date,
  time: (d) => `${time(d)}:00Z`,
  "date-time": (d) => `${date(d)}T${time(d)}:00Z`,
  email: (d) => `${pick(PEOPLE, d).toLowerCase()}${d(1, 99)}@example.com`,
  uri: (d) => `https://example.com/${hex(d, 6)}`,
  url: (d) => `https://example.com/${hex(d, 6)}`,
  uuid: (d) => `${hex(d, 8)}-${hex(d, 4)}-4${hex(d, 3)}-a${hex(d, 3)}-${hex(d, 12)}`,
  ipv4: (d) => `192.0.2.${d(1, 254)}`,
  hostname: (d) => `host-${d(1, 99)}.example.com`,
};

const PEOPLE = ["Alma", "Bruno", "Carla", "Dario", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kaia", "Liam", "Mira", "Noor", "Otto", "Pia"];
const PLACES = ["Lisbon", "Oslo", "Kyoto", "Lima", "Ghent", "Cairo", "Quito", "Perth", "Riga", "Turin", "Leeds", "Dakar"];
const COUNTRIES = ["Portugal", "Norway", "Japan", "Peru", "Belgium", "Egypt", "Latvia", "Italy", "Senegal", "Chile"];
const THINGS = ["Maple", "Harbor", "Cobalt", "Juniper", "Lantern", "Meadow", "Orchid", "Pebble", "Quartz", "Saffron", "Tundra", "Willow"];
const SENTENCES = ["All values are within the usual range.", "Nothing else needs to be done.", "The next step is planned.", "It was checked twice."];

/** What a name says of its value: the first row that fits. */
const NAMES: readonly (readonly [RegExp, (draw: Draw) => JsonValue])[] = [
  [/^(is|has|can|was)_|^(available|enabled|active|success|valid|open|found|exists)$/, (d) => d(0, 2) > 0],
  [/(^|_)uuid$/, (d) => (FORMATS.uuid as (draw: Draw) => string)(d)],
  [/(^|_)(id|key|code|number|reference|ref)$/, (d) => `${pick([..."ABCDEFGHKMNPRST"], d)}-${d(1000, 9999)}`],
  [/(^|_)(email|mail)$/, (d) => (FORMATS.email as (draw: Draw) => string)(d)],
  [/(^|_)(url|uri|link|href)$/, (d) => (FORMATS.uri as (draw: Draw) => string)(d)],
  [/phone/, (d) => `+1-555-01${two(d(0, 99))}`],
  [/(^|_)(date|day|deadline|due|birthday)$/, date],
  [/(_at|timestamp|datetime)$/, (d) => `${date(d)}T${time(d)}:00Z`],
  [/(^|_)(time|start|end|departure|arrival)$/, time],
  [/price|cost|amount|total_|fee|balance|salary|revenue/, (d) => d(500, 49_999) / 100],
  [/temperature|(^|_)temp(_|$)/, (d) => d(-8, 36)],
  [/percent|humidity|rate|ratio|progress/, (d) => d(1, 99)],
  [/score|rating/, (d) => d(10, 50) / 10],
  [/latitude|(^|_)lat$/, (d) => d(-6000, 6000) / 100],
  [/longitude|(^|_)(lng|lon)$/, (d) => d(-17_000, 17_000) / 100],
  [/distance|duration|minutes|hours|seconds|length|weight|height|width|speed|wind|age|size|count|quantity|total|stock|views|likes/, (d) => d(2, 480)],
  [/year/, (d) => d(1990, 2026)],
  [/status|state/, (d) => pick(["active", "pending", "completed", "on hold"], d)],
  [/priority|severity|level/, (d) => pick(["low", "medium", "high"], d)],
  [/currency/, (d) => pick(["EUR", "USD", "GBP", "JPY"], d)],
  [/language/, (d) => pick(["English", "French", "Spanish", "Japanese"], d)],
  [/country/, (d) => pick(COUNTRIES, d)],
  [/city|location|place|origin|destination|address|region/, (d) => pick(PLACES, d)],
  [/author|owner|user|person|contact|customer|assignee|sender|artist|director/, (d) => pick(PEOPLE, d)],
  [/condition|sky/, (d) => pick(["sunny", "cloudy", "light rain", "windy"], d)],
  [/description|summary|text|message|note|content|body|comment|details?$/, (d) => pick(SENTENCES, d)],
  [/color|colour/, (d) => pick(["red", "green", "blue", "amber"], d)],
  [/name|title|label|subject/, (d) => `${pick(THINGS, d)} ${d(2, 99)}`],
];

/** A value that fits a name, when there is no schema to go by. */
export function namedValue(name: string, draw: Draw): JsonValue {
  const key = words(name).join("_");
  const row = NAMES.find(([re]) => re.test(key));
  return row === undefined ? `${pick(THINGS, draw)} ${draw(2, 99)}` : row[1](draw);
}

/** A name's words, small: `getStockPrice`, `get-stock-price` and `get_stock_price` have the same. */
export const words = (name: string): string[] =>
  name
    .slice(0, 200)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);

/** A plural's singular, well enough for a member's name. */
export const singular = (word: string): string =>
  /ies$/.test(word) ? word.replace(/ies$/, "y") : /(ss|us|is)$/.test(word) ? word : word.replace(/(?<=[sxz]|[cs]h)es$|s$/, "");

function typeOf(schema: JsonObject): string | undefined {
  const stated = Array.isArray(schema.type) ? schema.type.find((t) => t !== "null") : schema.type;
  if (typeof stated === "string") return stated;
  if (schema.properties !== undefined) return "object";
  return schema.items !== undefined ? "array" : undefined;
}

export const own = (o: JsonObject, key: string): JsonValue | undefined => (Object.hasOwn(o, key) ? o[key] : undefined);
const asObject = (v: JsonValue | undefined): JsonObject => (v !== null && typeof v === "object" && !Array.isArray(v) ? (v as JsonObject) : {});
const natural = (v: JsonValue | undefined, otherwise: number): number => (typeof v === "number" && Number.isFinite(v) && v >= 0 ? Math.floor(v) : otherwise);
