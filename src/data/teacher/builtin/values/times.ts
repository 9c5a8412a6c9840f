/** Dates and times: in the layout that a schema asks for, and in the ways people say them. The year is always said, of a span at least once. */
import type { Rng } from "../../../../platform/rng.ts";
import { ordinal } from "../english.ts";
import type { Role } from "../roles.ts";
import type { Context, Value } from "./value.ts";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAY_MS = 86_400_000;

interface Day {
  readonly y: number;
  readonly m: number;
  readonly d: number;
}

const two = (n: number) => String(n).padStart(2, "0");
/** Calendar day of a day number (days since 1970-01-01, UTC). */
const dayOf = (n: number): Day => {
  const t = new Date(n * DAY_MS);
  return { y: t.getUTCFullYear(), m: t.getUTCMonth() + 1, d: t.getUTCDate() };
};
const iso = (x: Day) => `${x.y}-${two(x.m)}-${two(x.d)}`;

/** A day from 2022 to 2027; the end of a span lies 1 to 12 days after its start. */
function pickDay(role: Role, rng: Rng, ctx: Context): number {
  if (role.side === "end" && ctx.day !== undefined) return ctx.day + rng.int(1, 12);
  const day = rng.int(18_993, 21_183);
  if (role.side !== "end") ctx.day = day;
  return day;
}

function sayDay(x: Day, rng: Rng): string {
  const month = MONTHS[x.m - 1] as string;
  return rng.weighted([
    [iso(x), 3],
    [`${month} ${x.d}, ${x.y}`, 3],
    [`${month} ${ordinal(x.d)}, ${x.y}`, 2],
    [`${x.d} ${month} ${x.y}`, 2],
    [`the ${ordinal(x.d)} of ${month} ${x.y}`, 1],
    [`${month.slice(0, 3)} ${x.d}, ${x.y}`, 0.7],
    [`${x.d} ${month.slice(0, 3)} ${x.y}`, 0.5],
    // Which is the day can be told only from the thirteenth on.
    [`${two(x.d)}/${two(x.m)}/${x.y}`, x.d > 12 ? 0.6 : 0],
    [`${x.m}/${x.d}/${x.y}`, x.d > 12 ? 0.6 : 0],
  ]);
}

export function dateValue(role: Role, rng: Rng, ctx: Context): Value {
  const x = dayOf(pickDay(role, rng, ctx));
  const json = role.layout === "MM/DD/YYYY" ? `${two(x.m)}/${two(x.d)}/${x.y}` : role.layout === "DD/MM/YYYY" ? `${two(x.d)}/${two(x.m)}/${x.y}` : iso(x);
  const said = role.layout !== "YYYY-MM-DD" && rng.chance(0.3) ? json : sayDay(x, rng);
  return { json, said, accepted: [json], caseless: true };
}

/** Days of a span up to which one says `a week later`. */
const MOST_LATER = 14;

/**
 * The same days as people say two of them: the year once (`April 15th to April 22nd 2023`), or the second by the first
 * (`returning a week later`). Null where they are better left as they are.
 */
export function sayPair(start: Value, end: Value, layout: string, rng: Rng): { readonly start: string; readonly end: string } | null {
  const [from, to] = [start, end].map((v) => isoOf(String(v.json), layout));
  if (from === undefined || to === undefined || from.slice(0, 4) !== to.slice(0, 4) || to <= from) return null;
  const apart = (Date.parse(to) - Date.parse(from)) / DAY_MS;
  if (apart <= MOST_LATER && rng.chance(0.12)) {
    const later = apart === 7 ? "a week later" : apart === 14 ? "two weeks later" : apart === 1 ? "a day later" : `${apart} days later`;
    return { start: start.said, end: later };
  }
  const bare = (said: string): string | null => (/[a-z].*,? \d{4}$/i.test(said) ? said.replace(/,? \d{4}$/, "") : null);
  if (!rng.chance(0.4)) return null;
  const first = rng.chance(0.6);
  const shorter = bare(first ? start.said : end.said);
  return shorter === null ? null : first ? { start: shorter, end: end.said } : { start: start.said, end: shorter };
}

/** The ISO day of a date in this layout; undefined for what is none. */
function isoOf(date: string, layout: string): string | undefined {
  const [a, b, year] = date.split("/");
  if (layout === "MM/DD/YYYY") return `${year}-${a}-${b}`;
  if (layout === "DD/MM/YYYY") return `${year}-${b}-${a}`;
  return /^\d{4}-\d{2}-\d{2}$/.test(date) ? date : undefined;
}

export function datetimeValue(role: Role, rng: Rng, ctx: Context): Value {
  const x = dayOf(pickDay(role, rng, ctx));
  if (role.layout === "YYYY-MM-DD") return { json: iso(x), said: sayDay(x, rng), accepted: [iso(x)], caseless: true };
  const h = rng.int(0, 23);
  const min = rng.pick([0, 0, 15, 30, 45]);
  const json = role.layout === "YYYY-MM-DD HH:mm:ss" ? `${iso(x)} ${two(h)}:${two(min)}:00` : `${iso(x)}T${two(h)}:${two(min)}:00Z`;
  const said = rng.chance(0.35) ? json : `${sayDay(x, rng)} at ${sayClock(h, min, rng)}${role.layout.endsWith("Z") && rng.chance(0.3) ? " UTC" : ""}`;
  return { json, said, accepted: [json], caseless: false };
}

function sayClock(h: number, m: number, rng: Rng): string {
  if (m === 0 && (h === 12 || h === 0) && rng.chance(0.4)) return h === 12 ? "noon" : "midnight";
  if (rng.chance(0.5)) return `${two(h)}:${two(m)}`;
  const h12 = h % 12 === 0 ? 12 : h % 12;
  return `${h12}${m === 0 && rng.chance(0.6) ? "" : `:${two(m)}`} ${h < 12 ? "am" : "pm"}`;
}

export function timeValue(role: Role, rng: Rng): Value {
  const h = rng.int(6, 22);
  const m = rng.pick([0, 0, 15, 30, 45]);
  const h12 = h % 12 === 0 ? 12 : h % 12;
  const clock = `${two(h)}:${two(m)}`;
  const json = role.layout === "h:mm AM" ? `${h12}:${two(m)} ${h < 12 ? "AM" : "PM"}` : role.layout === "HH:mm:ssZ" ? `${clock}:00Z` : clock;
  return { json, said: rng.chance(0.3) ? json : sayClock(h, m, rng), accepted: [json], caseless: true };
}

/** `2024-03-01 to 2024-03-08`. */
export function rangeValue(rng: Rng): Value {
  const start = rng.int(18_993, 21_183);
  const a = dayOf(start);
  const b = dayOf(start + rng.int(1, 30));
  const json = `${iso(a)} to ${iso(b)}`;
  return { json, said: rng.chance(0.4) ? json : `${sayDay(a, rng)} to ${sayDay(b, rng)}`, accepted: [json], caseless: true };
}
