/**
 * Plausible argument values: what the schema wants, and how a person says it. What is said always
 * determines what is wanted. Values for held-out cases come from their own part of each list.
 */
import type { JsonValue } from "../../../platform/json.ts";
import type { Known } from "../../discover.ts";
import { hash32, type Rng } from "../../rng.ts";
import type { Property } from "../../schema.ts";
import { capital, listing, numberInWords, singular, splitName } from "./english.ts";
import { glossesOf, type Role, roleOf } from "./roles.ts";
import { datetimeValue, dateValue, rangeValue, timeValue } from "./times.ts";
import { AIRPORTS, COUNTRIES, FAMOUS, STATE_NAMES, US_PLACES, WORLD_PLACES } from "./words/places.ts";
import * as T from "./words/things.ts";

/** One argument: as JSON, as said, and what else is accepted from a model. */
export interface Value {
  readonly json: JsonValue;
  /** The words that stand in the request in place of the blank. */
  readonly said: string;
  readonly accepted: readonly JsonValue[];
  /** Whether the words may be written in lower case like the rest of a request. */
  readonly caseless: boolean;
}

/** What earlier arguments of the same request fixed. */
export interface Context {
  /** Day number of the start of a span, once said. */
  day?: number;
  /** Words already used as free text, so that two arguments differ. */
  used: Set<string>;
}

export interface ValueOptions {
  /** Draw from the held-out part of a list. */
  readonly heldout: boolean;
  /** A value at its bound. */
  readonly extreme?: boolean;
  /** An invented, rare word where one is possible (teaches copying). */
  readonly rare?: boolean;
  /** The tool's object, for topics (`recipe` → food). */
  readonly topic: string;
  /** What really exists behind the tools. */
  readonly known?: Known;
  /** The tool makes its object: a path is a new one. */
  readonly making?: boolean;
}

/** The part of a list that training (or evaluation) may use. Short lists are shared: they cannot be split. */
export function part<T>(list: readonly T[], heldout: boolean, key: (v: T) => string = String): readonly T[] {
  if (list.length < 14) return list;
  return list.filter((v) => (hash32(`value:${key(v)}`) % 5 === 0) === heldout);
}

/** An invented word of two or three syllables. */
export function inventedWord(rng: Rng): string {
  const n = rng.int(2, 3);
  let w = "";
  for (let i = 0; i < n; i++) w += rng.pick(T.SYLLABLES);
  return capital(w);
}

const plain = (json: JsonValue, said: string, caseless = false, accepted: readonly JsonValue[] = []): Value => ({
  json,
  said,
  caseless,
  accepted: [json, ...accepted],
});

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
    case "boolean": {
      const json = rng.chance(p.schema.default === true ? 0.25 : 0.75);
      return plain(json, "");
    }
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

const NO_CHOICE = /^(dontcare|don't care|any|all|none|null|default|auto|unspecified|unknown|)$/i;

function enumValue(p: Property, role: Role, rng: Rng): Value | null {
  const values = (p.enum ?? []).filter((v) => fitsType(v, p));
  const telling = values.filter((v) => !NO_CHOICE.test(String(v)));
  const pool = telling.length > 0 ? telling : values;
  if (pool.length === 0) return null;
  const json = rng.pick(pool);
  if (role.kind === "flag") return plain(json, "");
  return plain(json, sayEnum(p, role, json, rng));
}

const fitsType = (v: JsonValue, p: Property) =>
  p.type === "any" || typeof v === p.type || (p.type === "integer" && Number.isInteger(v)) || (p.type === "number" && typeof v === "number");

const CODES: Readonly<Record<string, string>> = {
  EN: "English",
  FR: "French",
  ES: "Spanish",
  DE: "German",
  IT: "Italian",
  PT: "Portuguese",
  JA: "Japanese",
  ZH: "Chinese",
  KO: "Korean",
  NL: "Dutch",
  RU: "Russian",
  AR: "Arabic",
};
const ORDERS: Readonly<Record<string, string>> = { asc: "ascending", desc: "descending" };

/** How a person says an enum value: a code by its name, an identifier by its words. */
function sayEnum(p: Property, role: Role, json: JsonValue, rng: Rng): string {
  const text = String(json);
  const gloss = glossesOf(p).get(text);
  if (gloss && rng.chance(0.4)) return gloss;
  if (/lang/.test(role.noun) && CODES[text.toUpperCase()]) return CODES[text.toUpperCase()] as string;
  if (ORDERS[text.toLowerCase()]) return ORDERS[text.toLowerCase()] as string;
  if (typeof json === "number" && /interval|seconds/.test(role.noun)) return sayDuration(json, rng);
  if (/^[A-Z][a-z]+([ -][A-Za-z]+)*$/.test(text) && !/air|canada|group/i.test(text) && rng.chance(0.5)) return text.toLowerCase();
  if (/^[a-z]+([A-Z][a-z]+)+$/.test(text) || /_/.test(text)) return rng.chance(0.6) ? splitName(text).join(" ") : text;
  return text;
}

const UNITS: readonly (readonly [number, string])[] = [
  [604800, "week"],
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
];

/** Seconds in words: `30 seconds`, `an hour`, `two days`. Exact. */
export function sayDuration(seconds: number, rng: Rng): string {
  for (const [size, unit] of UNITS) {
    if (seconds % size !== 0 || seconds === 0) continue;
    const n = seconds / size;
    if (n === 1) return rng.chance(0.4) ? `1 ${unit}` : `${unit === "hour" ? "an" : "a"} ${unit}`;
    return `${n <= 12 && rng.chance(0.4) ? numberInWords(n) : n} ${unit}s`;
  }
  return `${seconds} second${seconds === 1 ? "" : "s"}`;
}

function limits(p: Property, lo: number, hi: number): [number, number] {
  const d = p.description.toLowerCase();
  const said =
    /(?:between|range(?: is| of)?|within(?: the range of)?|from|scale (?:of|from))\D{0,12}(\d+(?:\.\d+)?)\s*(?:-|–|to|and|through)\s*(\d+(?:\.\d+)?)/.exec(d) ??
    /\((\d+)\s*[-–]\s*(\d+)/.exec(d);
  const s = p.schema;
  const min = typeof s.minimum === "number" ? s.minimum : typeof s.exclusiveMinimum === "number" ? s.exclusiveMinimum + 1 : said ? Number(said[1]) : lo;
  const max =
    typeof s.maximum === "number"
      ? s.maximum
      : typeof s.exclusiveMaximum === "number"
        ? s.exclusiveMaximum - 1
        : said
          ? Number(said[2])
          : Math.max(hi, min + 4);
  return min <= max ? [min, max] : [lo, hi];
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  count: [1, 12],
  rating: [1, 5],
  age: [18, 65],
  money: [5, 900],
  seconds: [5, 120],
  number: [1, 60],
  year: [2005, 2026],
  id: [100, 99999],
};

function numberValue(p: Property, role: Role, rng: Rng, o: ValueOptions): Value {
  if (role.kind === "latitude" || role.kind === "longitude") {
    const v = Math.round((rng.next() * (role.kind === "latitude" ? 130 : 300) - (role.kind === "latitude" ? 60 : 150)) * 1e4) / 1e4;
    return plain(v, String(v));
  }
  const [lo, hi] = RANGES[role.kind] ?? [1, 60];
  let [min, max] = limits(p, lo, hi);
  if (role.kind === "count" && /result|entries|item|page/.test(role.noun)) [min, max] = limits(p, 3, 50);
  if (/^port$/.test(role.noun)) [min, max] = [1024, 9999];
  if (role.kind === "seconds" && (max > 3000 || /timespan|period|window|lookback|range/.test(role.noun))) {
    if (max <= 3000) max = 2_592_000;
    const n = rng.pick([600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 259200, 604800, 1209600].filter((s) => s >= min && s <= max));
    const said = sayDuration(n, rng);
    return plain(n, /timespan|period|window|lookback/.test(role.noun) ? said.replace(/^(an?|1) /, "") : said);
  }
  if (max - min > 200 && role.kind === "count") max = min + 50;
  const step = typeof p.schema.multipleOf === "number" && p.schema.multipleOf > 0 ? p.schema.multipleOf : 1;
  let n = o.extreme ? rng.pick([min, max]) : rng.int(Math.ceil(min / step), Math.floor(max / step)) * step;
  if (p.type === "number" && role.kind !== "count" && !o.extreme && rng.chance(0.4) && step === 1 && n + 0.5 <= max) n += 0.5;
  return plain(n, sayNumber(n, role, rng), true);
}

function sayNumber(n: number, role: Role, rng: Rng): string {
  const digits = String(n);
  const words = Number.isInteger(n) && n >= 0 && n <= 12 && rng.chance(0.4) ? numberInWords(n) : digits;
  switch (role.kind) {
    case "count": {
      if (/days$/.test(role.noun) && !/ /.test(role.noun) && rng.chance(0.6)) {
        if (n === 7) return rng.pick(["a week", "one week", "7 days", "seven days"]);
        if (n === 14) return "two weeks";
      }
      return `${words} ${n === 1 ? singular(role.noun) : role.noun}`;
    }
    case "rating":
      return rng.chance(0.7) ? `${words} star${n === 1 ? "" : "s"}` : words;
    case "money":
      return rng.chance(0.5) ? `$${digits}` : `${digits} dollars`;
    case "seconds":
      return sayDuration(n, rng);
    default:
      return digits;
  }
}

function placeValue(role: Role, rng: Rng, o: ValueOptions): Value {
  if (role.noun === "country") return named(rng.pick(part(COUNTRIES, o.heldout)));
  if (role.noun === "state") return named(rng.pick(part(STATE_NAMES, o.heldout)));
  const us = part(US_PLACES, o.heldout, (x) => x.city);
  const world = part(WORLD_PLACES, o.heldout, (x) => x.city);
  const inUs = role.layout === "city, state" || (role.layout !== "city, country" && rng.chance(0.3));
  const c = rng.pick(inUs ? us : world);
  const full = `${c.city}, ${c.region}`;
  if (role.layout !== "") {
    const said = FAMOUS.has(c.city) && c.region !== "ME" && rng.chance(0.3) ? c.city : c.state && rng.chance(0.35) ? `${c.city}, ${c.state}` : full;
    return plain(full, said, true);
  }
  if (o.rare) return named(rng.chance(0.5) ? inventedWord(rng) : `${rng.pick(["San", "Port", "New", "Upper", "Old", "Saint"])} ${inventedWord(rng)}`);
  if (/city/.test(role.noun) || rng.chance(0.66) || c.city === c.region) return plain(c.city, c.city, true, [full]);
  const region = c.state && rng.chance(0.4) ? c.state : c.region;
  return plain(`${c.city}, ${region}`, `${c.city}, ${region}`, true, [c.city]);
}

const named = (s: string): Value => plain(s, s, true);
const quoted = (s: string, rng: Rng, p = 1): Value => plain(s, rng.chance(p) ? `"${s}"` : s);

function textValue(role: Role, rng: Rng, o: ValueOptions): Value {
  const from = (list: readonly string[]) => rng.pick(part(list, o.heldout));
  const first = from(T.FIRST_NAMES);
  const last = from(T.LAST_NAMES);
  const slug = (s: string) =>
    s
      .toLowerCase()
      .normalize("NFD")
      .replace(/[^a-z]/g, "");
  if (role.examples.length > 0 && !o.rare && !EXACT_KINDS.has(role.kind) && rng.chance(0.3)) {
    const e = rng.pick(role.examples);
    return plain(e, e);
  }
  switch (role.kind) {
    case "person":
      return named(/first/.test(role.noun) ? first : /last|sur/.test(role.noun) ? last : rng.chance(0.4) ? first : `${first} ${last}`);
    case "email":
      return plain(
        ...same(
          `${slug(first)}${rng.pick([".", "_", ""])}${slug(last)}@${rng.pick(["example.com", "mail.example.org", "northwind.test", "uni-example.edu", "post.example.net"])}`,
        ),
      );
    case "phone":
      return plain(...same(`+${rng.pick(["1", "44", "49", "33", "81"])}${rng.int(200, 999)}${rng.int(1000000, 9999999)}`));
    case "url":
      return plain(...same(`https://${rng.pick(["www.", "", "docs.", "blog."])}${rng.pick(part(T.WORDS, o.heldout))}.example/${rng.pick(T.FILE_STEMS)}`));
    case "path":
      return plain(...same(existing(role, rng, o) ?? filePath(rng, o)));
    case "folder":
      return plain(...same(existing(role, rng, o) ?? folderPath(rng, o)));
    case "glob":
      return plain(...same(rng.chance(0.6) ? `*.${rng.pick(T.EXTENSIONS)}` : `${rng.pick(part(T.FILE_STEMS, o.heldout))}*`));
    case "id":
    case "token":
      return plain(...same(identifier(role, rng)));
    case "secret":
      return plain(...same(`${rng.pick(part(T.WORDS, o.heldout))}-${rng.int(1000, 9999)}-${slug(inventedWord(rng))}`));
    case "host":
      return plain(
        ...same(rng.chance(0.4) ? `10.${rng.int(0, 255)}.${rng.int(0, 255)}.${rng.int(1, 254)}` : `${rng.pick(part(T.WORDS, o.heldout))}.example.com`),
      );
    case "username":
      return plain(...same(`${slug(first).slice(0, rng.int(1, 5))}${slug(last)}${rng.chance(0.3) ? rng.int(1, 99) : ""}`));
    case "nickname":
      return plain(...same(o.rare || rng.chance(0.3) ? `${slug(inventedWord(rng))}-${rng.int(1, 9)}` : from(T.NICKNAMES)));
    case "query": {
      const t = o.rare ? `${inventedWord(rng)} ${rng.pick(T.WORDS)}` : from(topicList(o.topic));
      return plain(t, rng.chance(0.25) ? `"${t}"` : t, !o.rare);
    }
    case "text":
      return quoted(from(/note|task|todo|reminder/.test(`${o.topic} ${role.noun}`) ? T.NOTES : T.MESSAGES), rng);
    case "subject":
      return quoted(from(T.SUBJECTS), rng, 0.8);
    case "address":
      return named(`${rng.int(2, 250)} ${last} ${rng.pick(["Street", "Avenue", "Road", "Lane"])}`);
    case "district":
      return named(from(T.DISTRICTS));
    case "airport":
      return rng.chance(role.examples.length > 0 ? 0.9 : 0.4)
        ? plain(...same(rng.pick(part(AIRPORTS, o.heldout))))
        : named(rng.pick(part([...FAMOUS], o.heldout)));
    case "month":
      return named(rng.pick("January February March April May June July August September October November December".split(" ")));
    case "title":
      return titleValue(role, rng, o);
    default: {
      const list = LISTS[role.kind];
      if (list && !o.rare) return plain(...same(from(list)));
      const w = o.rare || rng.chance(0.4) ? inventedWord(rng) : from(T.WORDS);
      return plain(w, w);
    }
  }
}

const EXACT_KINDS = new Set(["path", "folder", "email", "phone", "secret", "person", "text", "query"]);
const same = (s: string): [string, string] => [s, s];
const LISTS: Readonly<Record<string, readonly string[]>> = {
  language: T.LANGUAGES,
  color: T.COLORS,
  size: T.SIZES,
  currency: T.CURRENCIES,
  company: T.COMPANIES,
  product: T.PRODUCTS,
  hotel: T.HOTELS,
  restaurant: T.RESTAURANTS,
  cuisine: T.CUISINES,
  artist: T.ARTISTS,
  song: T.SONGS,
  movie: T.MOVIES,
  genre: T.GENRES,
  airline: T.AIRLINES,
  symbol: T.SYMBOLS,
  tag: T.TAGS,
  timezone: T.TIMEZONES,
  project: T.PROJECT_NAMES,
  department: T.DEPARTMENTS,
};

function topicList(topic: string): readonly string[] {
  if (/recipe|food|dish|meal|cook|ingredient/.test(topic)) return T.FOODS;
  if (/product|item|shop|store/.test(topic)) return T.PRODUCTS;
  if (/song|track|music|album/.test(topic)) return T.SONGS;
  if (/movie|film|show/.test(topic)) return T.MOVIES;
  if (/file|content|code|line/.test(topic)) return T.GREP_WORDS;
  if (/contact|person|people|user|employee/.test(topic)) return T.LAST_NAMES;
  return T.TOPICS;
}

function titleValue(role: Role, rng: Rng, o: ValueOptions): Value {
  const e = `${role.entity} ${o.topic}`;
  const from = (list: readonly string[]) => rng.pick(part(list, o.heldout));
  if (/event|meeting|appointment/.test(e)) return quoted(from(T.SUBJECTS), rng, 0.6);
  if (/project|repo/.test(e)) return plain(...same(from(T.PROJECT_NAMES)));
  if (/task|todo|note|reminder/.test(e)) return quoted(from(T.NOTES), rng, 0.8);
  if (/product|item/.test(e)) return plain(...same(from(T.PRODUCTS)));
  if (/hotel/.test(e)) return named(from(T.HOTELS));
  if (/restaurant/.test(e)) return named(from(T.RESTAURANTS));
  if (/(user|person|people|contact|customer|employee|patient|student)/.test(e)) return named(`${from(T.FIRST_NAMES)} ${from(T.LAST_NAMES)}`);
  if (/(server|table|database|bucket|channel|group|list|playlist)/.test(e)) return plain(...same(from(T.NICKNAMES)));
  return plain(...same(`${capital(from(T.WORDS))} ${o.rare ? inventedWord(rng) : capital(from(T.WORDS))}`));
}

/** A path that exists where one is read, a new one beside what exists where one is made; null where nothing is known. */
function existing(role: Role, rng: Rng, o: ValueOptions): string | null {
  const { files, folders } = o.known ?? { files: [], folders: [] };
  if (folders.length === 0 || o.rare) return null;
  const fresh = o.making === true || role.side === "end";
  const folder = rng.pick(part(folders, o.heldout));
  const inside = (name: string) => `${folder}${folder.endsWith("/") ? "" : "/"}${name}`;
  if (role.kind === "folder") return fresh ? inside(`${rng.pick(part(T.FOLDERS, o.heldout))}-${rng.pick(part(T.WORDS, o.heldout))}`) : folder;
  if (fresh || files.length === 0) return inside(`${rng.pick(part(T.FILE_STEMS, o.heldout))}-${rng.pick(part(T.WORDS, o.heldout))}.${rng.pick(T.EXTENSIONS)}`);
  return rng.pick(part(files, o.heldout));
}

function filePath(rng: Rng, o: ValueOptions): string {
  const stem = o.rare ? inventedWord(rng).toLowerCase() : rng.pick(part(T.FILE_STEMS, o.heldout));
  const file = `${stem}${rng.chance(0.2) ? rng.int(2, 30) : ""}.${rng.pick(T.EXTENSIONS)}`;
  return rng.chance(0.35) ? file : `${folderPath(rng, o)}/${file}`;
}

function folderPath(rng: Rng, o: ValueOptions): string {
  const a = rng.pick(part(T.FOLDERS, o.heldout));
  const b = rng.chance(0.35) ? `/${rng.pick(part(T.FOLDERS, o.heldout))}` : "";
  return `${rng.weighted([
    ["", 4],
    ["/", 2],
    ["/home/anna/", 1],
    ["./", 1],
  ])}${a}${b}`;
}

function identifier(role: Role, rng: Rng): string {
  const letters =
    role.entity
      .replace(/[^a-z]/g, "")
      .slice(0, rng.pick([1, 2, 3]))
      .toUpperCase() || rng.pick(["A", "K", "X"]);
  return rng.weighted([
    [() => String(rng.int(100, 999999)), 4],
    [() => `${letters}${rng.pick(["-", "", "_"])}${rng.int(100, 99999)}`, 5],
    [() => `${letters.toLowerCase()}${rng.int(10, 9999)}`, 2],
    [() => `${inventedWord(rng).toUpperCase().slice(0, 4)}-${rng.int(10, 99)}${rng.pick(["A", "C", "X", "Q"])}`, 1],
  ])();
}

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
    const fromExample = quotes.length > 1 && role.kind !== "path" && rng.chance(0.7) ? rng.pick(quotes) : null;
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
