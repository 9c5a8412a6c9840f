/** Numbers: counts, ratings, amounts, durations; in digits, in words, with what they count. */
import type { JsonValue } from "../../../../platform/json.ts";
import type { Rng } from "../../../../platform/rng.ts";
import type { Property } from "../../../schema.ts";
import { numberInWords, singular, splitName } from "../english.ts";
import type { Role } from "../roles.ts";
import { plain, type Value, type ValueOptions } from "./value.ts";

const UNITS: readonly (readonly [number, string])[] = [
  [604800, "week"],
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
];

const DAY = 86400;

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
  // A bound beyond all use (2^53 - 1) is none.
  const capped = (value: unknown): value is number => typeof value === "number" && value < 1e9;
  const min = typeof s.minimum === "number" ? s.minimum : typeof s.exclusiveMinimum === "number" ? s.exclusiveMinimum + 1 : said ? Number(said[1]) : lo;
  const max = capped(s.maximum) ? s.maximum : capped(s.exclusiveMaximum) ? s.exclusiveMaximum - 1 : said ? Number(said[2]) : Math.max(hi, min + 4);
  if (min <= max) return [min, max];
  // A bound that is stated holds, and the usual range lies beside it.
  return capped(s.maximum) || capped(s.exclusiveMaximum) ? [max - (hi - lo), max] : [lo, hi];
}

/** The open or closed ends of a range so narrow that whole steps leave nothing between them; undefined for any other. */
function narrow({ schema: s, type }: Property): [number, number] | undefined {
  if (type !== "number" || s.multipleOf !== undefined) return undefined;
  const of = (closed: JsonValue | undefined, open: JsonValue | undefined, inward: number): number | undefined =>
    typeof closed === "number" ? closed : typeof open === "number" ? open + inward : undefined;
  const min = of(s.minimum, s.exclusiveMinimum, HUNDREDTH);
  const max = of(s.maximum, s.exclusiveMaximum, -HUNDREDTH);
  return min !== undefined && max !== undefined && min <= max && Math.floor(max) - Math.ceil(min) < 1 ? [min, max] : undefined;
}

const HUNDREDTH = 0.01;
const hundredths = (n: number): number => Math.round(n * 100) / 100;

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

const PIXELS = /pixel|viewport|window|browser|screen|image/i;
/** What such numbers are about, where the schema does not say. */
const USUAL: readonly (readonly [name: RegExp, range: readonly [number, number], description?: RegExp])[] = [
  [/(^|_)page(_?(number|num|no))?$|^pageNumber$/i, [1, 20]],
  [/depth/i, [1, 6]],
  [/width$/i, [320, 1920], PIXELS],
  [/height$/i, [240, 1080], PIXELS],
];
/** Numbers that nobody writes with a fraction, though many schemas would allow one. */
const WHOLE =
  /\b(id|ids|page|per page|depth|width|height|count|limit|number|index|port|offset|year|size|level|version|timeout|max|breadth|priority|rank|steps?)\b/;

/** A number inside its bounds, as the schema or the description states them. */
export function numberValue(p: Property, role: Role, rng: Rng, o: ValueOptions): Value {
  if (role.kind === "latitude" || role.kind === "longitude") {
    const v = Math.round((rng.next() * (role.kind === "latitude" ? 130 : 300) - (role.kind === "latitude" ? 60 : 150)) * 1e4) / 1e4;
    return plain(v, String(v));
  }
  const [lo, hi] = RANGES[role.kind] ?? [1, 60];
  const usual = USUAL.find(([name, , about]) => name.test(p.name) && (about === undefined || about.test(p.description)));
  let [min, max] = limits(p, ...(usual?.[1] ?? ([lo, hi] as const)));
  if (role.kind === "count" && /result|entries|item|page/.test(role.noun)) [min, max] = limits(p, 3, 50);
  if (/^port$/.test(role.noun)) [min, max] = [1024, 9999];
  if (role.kind === "seconds" && (max > 3000 || /timespan|period|window|lookback|range/.test(role.noun))) {
    if (max <= 3000 && p.schema.maximum === undefined && p.schema.exclusiveMaximum === undefined) max = 2_592_000;
    const usual = [600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 259200, 604800, 1209600].filter((s) => s >= min && s <= max);
    if (usual.length > 0) {
      const n = rng.pick(usual);
      const said = sayDuration(n, rng);
      return plain(n, /timespan|period|window|lookback/.test(role.noun) ? said.replace(/^(an?|1) /, "") : said);
    }
    // Of other ranges the days, hours or minutes in them: nobody says 14,508,935 seconds.
    const unit = UNITS.map(([size]) => size).find((size) => size <= DAY && Math.floor(max / size) - Math.ceil(min / size) >= 2);
    if (unit !== undefined) {
      const n = rng.int(Math.ceil(min / unit), Math.floor(max / unit)) * unit;
      return plain(n, sayDuration(n, rng));
    }
  }
  const ends = narrow(p);
  if (ends !== undefined) {
    const n = hundredths(o.extreme ? rng.pick(ends) : ends[0] + rng.next() * (ends[1] - ends[0]));
    return plain(n, String(n), true);
  }
  if (max - min > 200 && role.kind === "count") max = min + 50;
  const step = typeof p.schema.multipleOf === "number" && p.schema.multipleOf > 0 ? p.schema.multipleOf : 1;
  const few = role.kind === "count" && COMPANY.test(role.noun) && min >= 1 && max >= FEW && rng.chance(0.6);
  let n = o.extreme ? rng.pick([min, max]) : rng.int(Math.ceil(min / step), Math.floor((few ? FEW : max) / step)) * step;
  if (p.type === "number" && role.kind !== "count" && !WHOLE.test(splitName(p.name).join(" ")) && !o.extreme && rng.chance(0.4) && step === 1 && n + 0.5 <= max)
    n += role.kind === "rating" ? rng.int(1, Math.min(9, Math.floor((max - n) * 10))) / 10 : 0.5;
  n = step < 1 ? Number(n.toFixed(6)) : Math.round(n * 10) / 10;
  return plain(n, sayNumber(n, role, rng), true);
}

/** Most people come alone or with so many. */
const FEW = 4;
/** People that are counted. */
const COMPANY = /^(?:number of |num )?(?:adult|guest|people|person|passenger|travell?er|diner)s?$|party|group size/;

const digitsOr = (n: number, words: string): string => (n > 12 ? words : String(n));

/** So many people as one of them says it. */
function company(n: number, words: string, rng: Rng): string {
  if (n === 1) return rng.pick(["myself", "just me", "one person", "just myself", "only me"]);
  if (n === 2)
    return rng.pick([
      "my wife and me",
      "my husband and me",
      "me and a friend",
      "the two of us",
      "my sister and me",
      "a couple",
      "two people",
      "myself and one other",
      "me and one more person",
    ]);
  return rng.pick([`a group of ${words}`, `a party of ${words}`, `the ${words} of us`, `${words} people`, `${words} people`, `${digitsOr(n, words)} ppl`]);
}

function sayNumber(n: number, role: Role, rng: Rng): string {
  const digits = String(n);
  const words = Number.isInteger(n) && n >= 0 && n <= 12 && rng.chance(0.4) ? numberInWords(n) : digits;
  switch (role.kind) {
    case "count": {
      if (COMPANY.test(role.noun) && (/party|group/.test(role.noun) || rng.chance(0.35))) return company(n, words, rng);
      if (/days$/.test(role.noun) && !/ /.test(role.noun) && rng.chance(0.6)) {
        if (n === 7) return rng.pick(["a week", "one week", "7 days", "seven days"]);
        if (n === 14) return "two weeks";
      }
      return `${words} ${n === 1 ? singular(role.noun) : role.noun}`;
    }
    case "rating":
      if (!Number.isInteger(n) && rng.chance(0.5)) return digits;
      return `${words} star${n === 1 ? "" : "s"}`;
    case "money":
      return rng.chance(0.5) ? `$${digits}` : `${digits} dollars`;
    case "seconds":
      return sayDuration(n, rng);
    default:
      return digits;
  }
}
