/**
 * Reads a tool result into facts: labels with values and units from key names (`temperature_c` 18 →
 * "temperature", "18 °C"), in the order of the result, without what the question already said.
 */
import type { JsonObject, JsonValue } from "../../../platform/json.ts";
import { splitName } from "./english.ts";

export interface Fact {
  readonly key: string;
  readonly label: string;
  readonly text: string;
  readonly numeric: boolean;
}

/** Units by the last part of a key; `true` where the unit follows without a space. */
const UNITS: Readonly<Record<string, string>> = {
  c: " °C",
  celsius: " °C",
  f: " °F",
  fahrenheit: " °F",
  kph: " km/h",
  kmh: " km/h",
  mph: " mph",
  mps: " m/s",
  pct: "%",
  percent: "%",
  percentage: "%",
  mm: " mm",
  cm: " cm",
  km: " km",
  miles: " miles",
  kg: " kg",
  ms: " ms",
  sec: " seconds",
  secs: " seconds",
  seconds: " seconds",
  minutes: " minutes",
  mins: " minutes",
  hours: " hours",
  bytes: " bytes",
  kb: " KB",
  mb: " MB",
  gb: " GB",
  usd: " USD",
  eur: " EUR",
  gbp: " GBP",
  hpa: " hPa",
  kwh: " kWh",
  celcius: " °C",
};
/** Whole keys that are percentages or degrees by custom. */
const BARE: Readonly<Record<string, string>> = { humidity: "%", cloud_cover: "%", precipitation_chance: "%", chance_of_rain: "%" };

/** A key's label and its value as text. */
export function factOf(key: string, value: string | number | boolean): Fact {
  const words = splitName(key);
  const unit = words.length > 1 ? UNITS[words.at(-1) as string] : undefined;
  const label = (unit === undefined ? words : words.slice(0, -1))
    .join(" ")
    .replace(/\bid\b/g, "ID")
    .replace(/\burl\b/g, "URL");
  const suffix = typeof value === "number" ? (unit ?? BARE[key.toLowerCase()] ?? "") : "";
  const one = suffix === " seconds" || suffix === " minutes" || suffix === " hours" || suffix === " miles";
  const text = typeof value === "boolean" ? (value ? "yes" : "no") : `${value}${value === 1 && one ? suffix.slice(0, -1) : suffix}`;
  return { key, label, text: text.replace(/\s+/g, " ").trim(), numeric: typeof value === "number" };
}

const isObject = (v: unknown): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
const isScalar = (v: unknown): v is string | number | boolean => typeof v === "string" || typeof v === "number" || typeof v === "boolean";

/** The parsed result when it is an object or an array, else null (prose). */
export function parseResult(text: string): JsonObject | readonly JsonValue[] | null {
  if (text.length > 60_000 || !/^\s*[[{]/.test(text)) return null;
  try {
    const v: unknown = JSON.parse(text);
    return isObject(v) || Array.isArray(v) ? (v as JsonObject | JsonValue[]) : null;
  } catch {
    return null;
  }
}

/** Scalars of an object, nested objects flattened (depth 3), values that repeat an argument left out. */
export function factsOf(value: JsonObject, said: ReadonlySet<string>, depth = 0): Fact[] {
  const out: Fact[] = [];
  for (const [key, v] of Object.entries(value)) {
    if (out.length >= 12) break;
    if (isScalar(v)) {
      if (v === "" || said.has(String(v).toLowerCase()) || String(v).length > 160) continue;
      out.push(factOf(key, v));
    } else if (isObject(v) && depth < 3) out.push(...factsOf(v, said, depth + 1));
    else if (Array.isArray(v) && v.length > 0 && v.length <= 8 && v.every(isScalar)) out.push({ ...factOf(key, ""), text: v.map(String).join(", ") });
  }
  return out;
}

/** The first array of objects or scalars in a result, with the key it stands under. */
export function listOf(value: JsonObject | readonly JsonValue[], depth = 0): { key: string; items: readonly JsonValue[] } | null {
  if (Array.isArray(value)) return { key: "", items: value };
  for (const [key, v] of Object.entries(value as JsonObject)) {
    if (Array.isArray(v) && (v.length === 0 || v.some(isObject) || v.every(isScalar))) return { key, items: v };
    if (isObject(v) && depth < 2) {
      const inner = listOf(v, depth + 1);
      if (inner) return inner;
    }
  }
  return null;
}

/** Whether a result holds nothing: no text, an empty list or object, or a list that is empty and little else. */
export function isEmptyResult(text: string, said: ReadonlySet<string>): boolean {
  const t = text.trim();
  if (t === "" || t === "null" || /^(no (results?|data|matches|records|entries)( found| available)?\.?|nothing found\.?|\(empty\)|none)$/i.test(t)) return true;
  const v = parseResult(t);
  if (v === null) return false;
  if (Array.isArray(v)) return v.length === 0;
  const o = v as JsonObject;
  if (Object.keys(o).length === 0) return true;
  const list = listOf(o);
  const facts = factsOf(o, said).filter((f) => !/^(count|total|status|success|ok|message|length|days)$/i.test(f.key));
  return list !== null && list.items.length === 0 && facts.length === 0;
}
