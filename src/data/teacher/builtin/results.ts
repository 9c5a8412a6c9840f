/**
 * Tool results that no execution gave: plausible JSON from the definition, for tools that may not be
 * executed; and the faults that error samples put in a tool's place.
 */
import type { JsonObject, JsonValue } from "../../../platform/json.ts";
import type { Rng } from "../../../platform/rng.ts";
import { plural, singular, splitName } from "./english.ts";
import type { ToolModel } from "./model.ts";
import type { Outcome } from "./subject.ts";
import { asks } from "./verbs.ts";
import * as T from "./words/things.ts";

/** A plausible result of this call. */
export function simulateResult(model: ToolModel, args: JsonObject, rng: Rng): Outcome {
  const topic = model.objects[0] ?? "";
  const several =
    model.cls === "list" ||
    model.cls === "search" ||
    (/s$/.test(topic) && !/(details|contents|conditions|statistics|properties|education|status)$/.test(topic));
  const value =
    !asks(model.cls) && model.cls !== "compute" && model.cls !== "convert"
      ? confirmation(model, args, rng)
      : several
        ? manyItems(model, args, rng)
        : oneThing(model, args, rng);
  return { text: JSON.stringify(value), isError: false, timedOut: false };
}

const key = (s: string) =>
  s
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "");

function echo(args: JsonObject, n: number): Record<string, JsonValue> {
  return Object.fromEntries(
    Object.entries(args)
      .filter(([k, v]) => (typeof v === "string" ? v.length <= 40 && !/key|password|secret|token/i.test(k) : typeof v === "number"))
      .slice(0, n),
  );
}

function attributes(model: ToolModel, rng: Rng): Record<string, JsonValue> {
  const topic = model.objects.join(" ");
  for (const [re, make] of ATTRIBUTES) if (re.test(topic)) return make(rng);
  return {
    name: `${rng.pick(T.WORDS)} ${rng.pick(T.WORDS)}`,
    status: rng.pick(["active", "pending", "ready", "archived"]),
    updated: `202${rng.int(2, 6)}-0${rng.int(1, 9)}-1${rng.int(0, 9)}`,
  };
}

/** Attributes by the thing; first match wins. */
const ATTRIBUTES: readonly (readonly [RegExp, (rng: Rng) => Record<string, JsonValue>])[] = [
  [
    /weather|condition/,
    (r) => ({
      temperature_c: r.int(-5, 34),
      condition: r.pick(["light rain", "clear sky", "cloudy", "snow", "sunny"]),
      humidity: r.int(20, 95),
      wind_kph: r.int(2, 45),
    }),
  ],
  [
    /flight/,
    (r) => ({
      airline: r.pick(T.AIRLINES),
      departure_time: `${String(r.int(6, 21)).padStart(2, "0")}:${r.pick(["05", "20", "40", "55"])}`,
      stops: r.int(0, 2),
      price_usd: r.int(80, 1400),
    }),
  ],
  [/hotel|house|room|accommodation|apartment/, (r) => ({ name: r.pick(T.HOTELS), rating: r.int(4, 5), price_per_night_usd: r.int(45, 420) })],
  [
    /attraction|landmark|sight/,
    (r) => ({
      name: `${r.pick(T.LAST_NAMES)} ${r.pick(["Museum", "Park", "Gallery", "Tower", "Gardens", "Cathedral"])}`,
      category: r.pick(["Museum", "Park", "Historical Landmark"]),
      rating: r.int(3, 5),
    }),
  ],
  [/restaurant/, (r) => ({ name: r.pick(T.RESTAURANTS), cuisine: r.pick(T.CUISINES), rating: r.int(3, 5) })],
  [/recipe|dish/, (r) => ({ title: r.pick(T.FOODS), minutes: r.int(10, 90), servings: r.int(2, 8) })],
  [
    /news|article|headline|event/,
    (r) => ({
      title: `${r.pick(T.TOPICS)}: ${r.pick(["what comes next", "a year in review", "the facts", "new plans announced", "experts disagree"])}`,
      source: r.pick(["Daily Courier", "Morning Post", "The Observer", "World Report"]),
      date: `202${r.int(3, 6)}-1${r.int(0, 2)}-0${r.int(1, 9)}`,
    }),
  ],
  [/product|item|inventory|stock/, (r) => ({ name: r.pick(T.PRODUCTS), price_usd: r.int(8, 400), stock: r.int(0, 60) })],
  [
    /order|shipment|delivery|parcel/,
    (r) => ({
      status: r.pick(["shipped", "being packed", "delivered", "on its way"]),
      carrier: r.pick(["FastPost", "BlueLine", "ParcelGo"]),
      expected_date: `202${r.int(4, 6)}-0${r.int(1, 9)}-2${r.int(0, 8)}`,
    }),
  ],
  [
    /sensor|reading|metric|device/,
    (r) => ({
      metric: r.pick(["temperature", "humidity", "co2", "noise"]),
      value: r.int(10, 90),
      serial: `Q${r.int(100, 999)}-${r.int(10, 99)}`,
      at: `202${r.int(3, 6)}-0${r.int(1, 9)}-1${r.int(0, 9)}T0${r.int(0, 9)}:30:00Z`,
    }),
  ],
  [
    /server|database|host|connection/,
    (r) => ({ name: r.pick(T.NICKNAMES), type: r.pick(["postgres", "sql", "graphql"]), status: r.pick(["online", "offline", "starting"]) }),
  ],
  [/project|repo/, (r) => ({ name: r.pick(T.PROJECT_NAMES), status: r.pick(["in progress", "completed", "on hold"]), owner: r.pick(T.FIRST_NAMES) })],
  [/\b(files?|director|folder|documents?)/, (r) => ({ name: `${r.pick(T.FILE_STEMS)}.${r.pick(T.EXTENSIONS)}`, size_kb: r.int(1, 900) })],
  [
    /contact|person|user|profile|provider|employee|customer/,
    (r) => ({ name: `${r.pick(T.FIRST_NAMES)} ${r.pick(T.LAST_NAMES)}`, rating: r.int(2, 5), phone: `+1${r.int(200, 999)}${r.int(1000000, 9999999)}` }),
  ],
  [
    /task|todo|issue|ticket|note|reminder/,
    (r) => ({ title: r.pick(T.NOTES), status: r.pick(["open", "done", "in review"]), priority: r.pick(["low", "medium", "high"]) }),
  ],
  [/song|music|track|album/, (r) => ({ title: r.pick(T.SONGS), artist: r.pick(T.ARTISTS), minutes: r.int(2, 9) })],
  [/movie|film|show/, (r) => ({ title: r.pick(T.MOVIES), genre: r.pick(T.GENRES), rating: r.int(5, 9) })],
  [
    /technolog|stack|experience|education/,
    (r) => ({
      languages: r.shuffle(["TypeScript", "Python", "Go", "Rust", "Java"]).slice(0, 2),
      tools: r.shuffle(["Docker", "Figma", "Git", "Terraform"]).slice(0, 2),
      years: r.int(1, 12),
    }),
  ],
  [
    /help|assistance|information|documentation/,
    (r) => ({
      topic: r.pick(T.TOPICS),
      text: r.pick([
        "See the user guide for the first steps.",
        "Open the settings page and choose your options.",
        "Type the command followed by its arguments.",
      ]),
      section: r.int(1, 9),
    }),
  ],
  [/stock|share|price|rate|currency/, (r) => ({ price: r.int(20, 900), change_percent: r.int(-4, 4), currency: r.pick(T.CURRENCIES) })],
];

function manyItems(model: ToolModel, args: JsonObject, rng: Rng): JsonObject {
  const name = key(plural(splitName(singular(model.objects[0] ?? "result")).at(-1) ?? "result"));
  const items: Record<string, JsonValue>[] = [];
  const n = rng.int(1, 3);
  for (let i = 0; i < n; i++) items.push(attributes(model, rng));
  return { ...(rng.chance(0.5) ? echo(args, 1) : {}), [name]: items };
}

/** One thing's attributes; it has no second name beside the one that was asked for. */
function oneThing(model: ToolModel, args: JsonObject, rng: Rng): JsonObject {
  const named = model.params.some(
    (p) =>
      args[p.property.name] !== undefined &&
      (/name|title/i.test(p.property.name) || /^(person|title|project|product|hotel|topic|query|word)$/.test(p.role.kind)),
  );
  const found = attributes(model, rng);
  return { ...echo(args, 2), ...Object.fromEntries(Object.entries(found).filter(([k]) => !named || !/^(name|title|topic)$/.test(k))) };
}

function confirmation(model: ToolModel, args: JsonObject, rng: Rng): JsonObject {
  const noun =
    singular(model.objects[0] ?? "request")
      .split(" ")
      .at(-1) ?? "request";
  const done = rng.pick(["success", "ok", "completed", "confirmed"]);
  const id = `${key(noun).slice(0, 3).toUpperCase()}-${rng.int(1000, 99999)}`;
  return rng.chance(0.6) ? { status: done, [`${key(noun)}_id`]: id, ...echo(args, 2) } : { status: done, reference: id };
}

// --- faults ---

export type FaultKind = "error" | "empty" | "timeout";

const ERRORS: readonly string[] = [
  "Error: internal server error",
  "Error: service unavailable, try again later",
  "Error: permission denied",
  "Error: rate limit exceeded",
  "Upstream service returned an invalid response",
  '{"error":"service temporarily unavailable"}',
  '{"error":{"code":"INTERNAL","message":"unexpected failure while processing the request"}}',
  "Error: authentication failed",
  "Connection refused by the remote host",
  "Error: the backend is under maintenance",
];
const NOT_FOUND: readonly string[] = [
  "Error: {X} was not found",
  'Error: no entry for "{X}"',
  '{"error":"{X} not found"}',
  "Unknown value: {X}",
  "Error: could not resolve {X}",
];
const TIMEOUTS: readonly string[] = [
  "Error: the request timed out",
  "Request timed out: no response from the service",
  '{"error":"timeout"}',
  "Timed out while waiting for the tool to answer",
  "Error: operation timed out",
];

/** What the tool is made to answer instead of executing. Held-out cases draw from their own wordings where there are enough. */
export function faultFor(kind: FaultKind, model: ToolModel, args: JsonObject, rng: Rng, heldout: boolean): Outcome & { readonly kind: FaultKind } {
  const half = (list: readonly string[]) => rng.pick(list.filter((_, i) => (i % 3 === 2) === heldout));
  if (kind === "timeout") return { kind, text: half(TIMEOUTS), isError: false, timedOut: true };
  if (kind === "empty") {
    const name = key(plural(splitName(model.objects[0] ?? "results").at(-1) ?? "results"));
    const texts = asks(model.cls) ? ["[]", "{}", `{"${name}":[]}`, "No results found.", '{"results":[]}', "null"] : ["", "{}", "null", "No data", "{}", "null"];
    return { kind, text: half(texts), isError: false, timedOut: false };
  }
  const named = Object.values(args).find((v): v is string => typeof v === "string" && v.length > 1 && v.length < 50 && !/["\\]/.test(v));
  const text = named !== undefined && rng.chance(0.5) ? half(NOT_FOUND).replace("{X}", () => named) : half(ERRORS);
  return { kind, text, isError: true, timedOut: false };
}
