/**
 * New values for what a request in a language with a pack says: the words in which a value stands in it (a date in local form, a number as a word), and
 * another value in the same form. What would need another article, ending or sentence around it is left as it is: names stay among names of their sort,
 * numbers above one, topics and notes where quotation marks or a preposition that asks for nothing hold them.
 */
import { boundedRegExp, isPattern } from "../../platform/bounded-regexp.ts";
import type { JsonValue } from "../../platform/json.ts";
import type { Rng } from "../../platform/rng.ts";
import type { Param } from "../teacher/builtin/reading.ts";
import { makeValue, type Value, type ValueOptions } from "../teacher/builtin/values/index.ts";
import { part } from "../teacher/builtin/values/value.ts";
import { asWord } from "./keep.ts";
import { type LanguagePack, listOf } from "./pack.ts";

/** A value where it stands in a request. */
export interface Spoken {
  /** The words that stand for it. */
  readonly words: string;
  /** What another value of its kind would be said by; null where it cannot be said so. */
  readonly say: (value: JsonValue) => string | null;
  /** What is right before it: a word in lower case, or a quotation mark. */
  readonly before: string;
}

/** How a value is said in a text; null where it is not, or not in a way that another could be said in. */
export function spoken(value: JsonValue, text: string, pack: LanguagePack): Spoken | null {
  const lower = text.toLowerCase();
  for (const { words, say } of [...literalForms(value), ...numberForms(value, pack), ...dateForms(value, pack)]) {
    const found = words === "" || !lower.includes(words.toLowerCase()) ? null : asWord(words).exec(text);
    if (found === null) continue;
    const before = /(\p{L}[\p{L}\p{M}.]*|["“„«'‘`])?[\s:]*$/u.exec(text.slice(0, found.index))?.[1] ?? "";
    return { words: found[0], say, before: before.toLowerCase() };
  }
  return null;
}

interface Form {
  readonly words: string;
  readonly say: (value: JsonValue) => string | null;
}

const literalForms = (value: JsonValue): Form[] =>
  typeof value === "string" || typeof value === "number" ? [{ words: String(value), say: (v) => (typeof v === typeof value ? String(v) : null) }] : [];

function numberForms(value: JsonValue, pack: LanguagePack): Form[] {
  if (typeof value !== "number" || !Number.isFinite(value)) return [];
  const { words, decimal } = pack.numbers;
  const forms: Form[] = [];
  // "Eins" and "une" agree with what follows them.
  if (Number.isInteger(value) && value >= 2 && value < words.length)
    forms.push({
      words: words[value] as string,
      say: (v) => (typeof v === "number" && Number.isInteger(v) && v >= 2 && v < words.length ? (words[v] as string) : null),
    });
  const local = (v: number): string => String(v).replace(".", decimal);
  if (!Number.isInteger(value)) forms.push({ words: local(value), say: (v) => (typeof v === "number" ? local(v) : null) });
  const grouped = (v: number, mark: string): string => String(v).replace(/\B(?=(\d{3})+$)/g, mark);
  if (Number.isInteger(value) && Math.abs(value) >= 1000)
    for (const mark of [decimal === "," ? "." : ",", " ", "\u00a0", "\u202f"])
      forms.push({ words: grouped(value, mark), say: (v) => (typeof v === "number" && Number.isInteger(v) ? grouped(v, mark) : null) });
  return forms;
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})$/;

function dateForms(value: JsonValue, pack: LanguagePack): Form[] {
  const [, y, m, d] = typeof value === "string" ? (ISO.exec(value) ?? []) : [];
  if (y === undefined || m === undefined || d === undefined) return [];
  const unlike = new Set(listOf(pack.dates.not_days).map(Number));
  return pack.dates.forms.map((form): Form => {
    const say = (v: JsonValue): string | null => {
      const [, year, month, day] = typeof v === "string" ? (ISO.exec(v) ?? []) : [];
      if (year === undefined || month === undefined || day === undefined) return null;
      // Without its year a date is of the same one; the first of a month has a form of its own in some languages.
      if ((!form.includes("{y}") && year !== y) || (form.includes("{month}") && day === "01") || unlike.has(Number(day)) !== unlike.has(Number(d))) return null;
      const parts: Readonly<Record<string, string>> = {
        d: String(Number(day)),
        dd: day,
        m: String(Number(month)),
        mm: month,
        month: pack.dates.months[Number(month) - 1] ?? "",
        y: year,
      };
      return form.replace(/\{(\w+)\}/g, (_, name: string) => parts[name] ?? "");
    };
    return { words: say(value as string) ?? "", say };
  });
}

/** What one draft's new values have in common. */
export interface LocalDraw {
  readonly pack: LanguagePack;
  readonly rng: Rng;
  readonly used: Set<string>;
  /** Days by which all dates of the draft move, so that their order and distance stay. */
  readonly shift: number;
  readonly options: ValueOptions;
}

/** Draws before a value is left as it is. */
const DRAWS = 12;

/** Another value for a parameter, said in the form of the old one; null where it is better left. */
export function anotherValue({ property, role }: Param, value: JsonValue, at: Spoken, text: string, o: LocalDraw): Value | null {
  if (property.enum !== undefined) return null;
  for (let i = 0; i < DRAWS; i++) {
    const drawn = draw({ property, role }, value, at, text, o);
    if (drawn === null) return null;
    const said = at.say(drawn);
    if (said === null || JSON.stringify(drawn) === JSON.stringify(value) || !taken(drawn, property.schema) || o.used.has(said)) continue;
    o.used.add(said);
    return { json: drawn, said, accepted: [drawn], caseless: role.kind === "place" || role.kind === "person" };
  }
  return null;
}

/** Kinds whose values are no language's. */
const NEUTRAL = new Set([
  "email",
  "phone",
  "url",
  "path",
  "folder",
  "glob",
  "id",
  "token",
  "secret",
  "host",
  "username",
  "nickname",
  "latitude",
  "longitude",
  "symbol",
  "currency",
  "timezone",
]);
const NUMBERS = new Set(["count", "rating", "age", "money", "seconds", "number", "year"]);

function draw({ property, role }: Param, value: JsonValue, at: Spoken, text: string, o: LocalDraw): JsonValue | null {
  const { pack, rng } = o;
  const { values } = pack;
  if (role.kind === "date" || (typeof value === "string" && ISO.test(value))) return typeof value === "string" ? moved(value, text, o) : null;
  if (typeof value === "number" && NUMBERS.has(role.kind)) {
    const drawn = makeValue(property, role, rng, { used: new Set() }, o.options)?.json;
    // One thing is not several.
    return typeof drawn === "number" &&
      Math.abs(value) >= 2 &&
      Math.abs(drawn) >= 2 &&
      drawn > 0 === value > 0 &&
      (!Number.isInteger(value) || Number.isInteger(drawn))
      ? drawn
      : again(value, drawn);
  }
  if (typeof value !== "string") return null;
  if (NEUTRAL.has(role.kind)) return shaped(value, makeValue(property, role, rng, { used: new Set() }, o.options)?.json);
  if (role.kind === "time") return /^\d{2}:\d{2}$/.test(value) && role.side === null ? `${two(rng.int(6, 22))}:${rng.pick(["00", "15", "30", "45"])}` : null;
  if (isPerson(value, pack)) return person(value, at, pack, rng);
  if (role.kind === "place" || role.kind === "airport") return isCity(role.noun, value) ? like(value, values.cities, rng) : null;
  if (role.kind === "person") return person(value, at, pack, rng);
  if (role.kind === "query") return quotes(at) || listOf(values.topics_after).includes(at.before) ? like(value, values.topics, rng) : null;
  if (role.kind === "text" || role.kind === "subject" || role.kind === "title") return quotes(at) ? rng.pick(values.notes) : null;
  return null;
}

/** For a number that did not fit: the old one, which is drawn anew. One or none is left as it is. */
const again = (value: number, drawn: JsonValue | undefined): JsonValue | null => (drawn === undefined || Math.abs(value) < 2 ? null : value);

const two = (n: number): string => String(n).padStart(2, "0");
const quotes = (at: Spoken): boolean => /["“„«'‘`]/.test(at.before);

/** Of the same outer form: an address stays an address, a code of letters and digits stays one. */
function shaped(value: string, drawn: JsonValue | undefined): JsonValue | null {
  const form = (s: string): string => `${/\s/.test(s)}${/@/.test(s)}${s.startsWith("/")}${/^\d+$/.test(s)}${/^[A-Z]{3}$/.test(s)}`;
  if (typeof drawn !== "string") return null;
  return form(drawn) === form(value) ? drawn : value;
}

/** A town by itself; what has a comma or names a country or state does not stand as freely in a sentence. */
const isCity = (noun: string, value: string): boolean => !/country|state/.test(noun) && !/[,\d]/.test(value) && value.length < 40 && !/^[A-Z]{3}$/.test(value);

const VOWEL = /^[aeiouyàáâäãåèéêëìíîïòóôöõøùúûüœæ]/iu;
/** One of a list that begins as the old one does, with a vowel or without: "d'Annecy", "de Lyon". */
function like(value: string, list: readonly string[], rng: Rng): string | null {
  const same = part(list, false).filter((v) => VOWEL.test(v) === VOWEL.test(value));
  return same.length < 3 ? null : rng.pick(same);
}

/** Whether it is the whole name of somebody, whatever the parameter is called. */
const isPerson = (value: string, { values }: LanguagePack): boolean => {
  const [first = "", last, more] = value.split(" ");
  return last !== undefined && more === undefined && (values.women.includes(first) || values.men.includes(first)) && /^\p{Lu}/u.test(last);
};

/** Names of somebody of the same sort, as long as the old one; null for a name that is not known. */
function person(value: string, at: Spoken, pack: LanguagePack, rng: Rng): string | null {
  const { women, men, last_names, titles } = pack.values;
  const last = (of: string): string | null => like(of, last_names, rng);
  const [first = "", ...rest] = value.split(" ");
  if (rest.length === 0 && listOf(titles).some((t) => t.toLowerCase().replace(/\.$/, "") === at.before.replace(/\.$/, ""))) return last(value);
  const list = women.includes(first) ? women : men.includes(first) ? men : null;
  if (list === null || rest.length > 1) return null;
  const given = like(first, list, rng);
  if (rest.length === 0 || given === null) return given;
  const family = last(rest[0] as string);
  return family === null ? null : `${given} ${family}`;
}

const DAY_MS = 86_400_000;

/** The date as many days later as all of the draft's; where the request names a day of the week beside it, it stays. */
function moved(value: string, text: string, { pack, shift }: LocalDraw): string | null {
  const days = listOf(pack.dates.days);
  const words = new Set((text.match(/[\p{L}\p{M}-]+/gu) ?? []).map((w) => w.toLowerCase()));
  if (!ISO.test(value) || days.some((d) => words.has(d.toLowerCase()))) return null;
  const at = Date.parse(`${value}T00:00:00Z`);
  return Number.isNaN(at) ? null : new Date(at + shift * DAY_MS).toISOString().slice(0, 10);
}

/** Whether the schema takes a text: its pattern and lengths. The rest is checked with the call. */
function taken(value: JsonValue, schema: Readonly<Record<string, unknown>>): boolean {
  if (typeof value !== "string") return true;
  const { pattern, minLength, maxLength } = schema;
  if (typeof minLength === "number" && value.length < minLength) return false;
  if (typeof maxLength === "number" && value.length > maxLength) return false;
  return typeof pattern !== "string" || !isPattern(pattern) || boundedRegExp(pattern, "u").test(value);
}
