/** Values of a fixed list, said as people say them: a code by its name, an identifier by its words. */
import type { JsonValue } from "../../../../platform/json.ts";
import type { Rng } from "../../../../platform/rng.ts";
import type { Property } from "../../../schema.ts";
import { numberInWords, splitName } from "../english.ts";
import { glossesOf, type Role } from "../roles.ts";
import { sayDuration } from "./numbers.ts";
import { plain, type Value } from "./value.ts";

/** Longer enum values are not said by anyone. */
const LONGEST = 120;

/** Values that stand for no choice. */
export const NO_CHOICE = /^(dontcare|don't care|any|all|none|null|default|auto|unspecified|unknown|)$/i;

/** Of these the ones that a person may mean by "it doesn't matter". */
const OPEN = /^(dontcare|don't care|any)$/i;
const OPEN_SHARE = 0.07;

/** How often what is on or off is wanted: mostly, unless it is that already, or something bad. */
export const yesShare = (p: Property): number => (p.schema.default === true || /(^|_)(problem|issue|late|complaint|defect)/i.test(p.name) ? 0.25 : 0.75);
/** Whether a value of something that is on or off says on. */
export const isYes = (v: JsonValue): boolean => v === true || /^(true|yes|on)$/i.test(String(v));

/** One of the values that say something; null where none fits the type. */
export function enumValue(p: Property, role: Role, rng: Rng): Value | null {
  const values = (p.enum ?? []).filter((v) => fitsType(v, p));
  const telling = values.filter((v) => !NO_CHOICE.test(String(v)) && String(v).length <= LONGEST);
  const pool = telling.length > 0 ? telling : values;
  if (pool.length === 0) return null;
  // Saying that it does not matter is a choice too, and may as well be left out of the call.
  const open = values.find((v) => OPEN.test(String(v)));
  if (open !== undefined && !p.required && rng.chance(OPEN_SHARE)) return plain(open, "", false, [""]);
  if (role.kind === "flag") {
    const yes = rng.chance(yesShare(p));
    return plain(pool.find((v) => isYes(v) === yes) ?? rng.pick(pool), "");
  }
  const json = rng.pick(pool);
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
/** What people call files of a type. */
const FILES: Readonly<Record<string, string>> = {
  py: "Python",
  js: "JavaScript",
  ts: "TypeScript",
  txt: "text",
  md: "markdown",
  json: "JSON",
  csv: "CSV",
  pdf: "PDF",
  docx: "Word",
  xlsx: "Excel",
  html: "HTML",
  xml: "XML",
  yaml: "YAML",
  jpg: "JPEG",
  png: "PNG",
  mp3: "MP3",
};
const ORDERS: Readonly<Record<string, string>> = { asc: "ascending", desc: "descending" };

/** Letters that make no word, which people write in capitals: `sql`, `mtna`. */
const ABBREVIATION = /^([b-df-hj-np-tv-xz]{2,5}|(?!sch|spr|str|scr|thr|spl)[b-df-hj-np-tv-xz]{3}[a-z]{1,2})$/;

/** How a person says an enum value: a code by its name, an identifier by its words. */
function sayEnum(p: Property, role: Role, json: JsonValue, rng: Rng): string {
  const text = String(json);
  const gloss = glossesOf(p).get(text);
  if (gloss && rng.chance(0.4)) return gloss;
  if (/lang/.test(role.noun) && CODES[text.toUpperCase()]) return CODES[text.toUpperCase()] as string;
  const file = FILES[text.toLowerCase()];
  if (file !== undefined && /type|extension|format/.test(role.noun) && rng.chance(0.5)) return file;
  if (ORDERS[text.toLowerCase()]) return ORDERS[text.toLowerCase()] as string;
  if (/^(\d|1[0-2])$/.test(text) && /star|rating|number|count|rooms|guests/.test(role.noun) && rng.chance(0.45)) return numberInWords(Number(text));
  if (typeof json === "number" && /interval|seconds/.test(role.noun)) return sayDuration(json, rng);
  if (/^[A-Z][a-z]+([ -][A-Za-z]+)*$/.test(text) && !/air|canada|group/i.test(text) && rng.chance(0.5)) return text.toLowerCase();
  if (ABBREVIATION.test(text) && rng.chance(0.5)) return text.toUpperCase();
  if (/^[a-z]+([A-Z][a-z]+)+$/.test(text) || /_/.test(text)) return rng.chance(0.6) ? splitName(text).join(" ") : text;
  return text;
}
