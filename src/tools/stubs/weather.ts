/**
 * The weather stub: three tools whose answers depend on the place and the arguments alone (a hash), never
 * on a clock or a network. Values are plausible for the place's climate and few, so that an answer can be
 * judged by whether it repeats them.
 *
 * On purpose: a place that does not exist (Atlantis, gibberish, "my house") is an error; Null Island
 * times out (a late error); Point Nemo, where nothing is, gives an empty result.
 */
import { createHash } from "node:crypto";
import type { JsonObject } from "../../platform/json.ts";
import { type Climate, lookUp, placeKey } from "./places.ts";
import { failed, type Stub, type StubAnswer, type StubTool, text } from "./stub.ts";

/** Places with an answer of their own kind, for error loops. */
export const TIMEOUT_PLACE = "Null Island";
export const EMPTY_PLACE = "Point Nemo";

const LOCATION = { type: "string", description: "City, optionally with its country, e.g. 'Paris' or 'Lima, Peru'." };
const HINTS = { readOnlyHint: true, openWorldHint: false };

const TOOLS: readonly StubTool[] = [
  {
    name: "get_weather",
    description: "Get the current weather at a place: temperature, condition, humidity and wind.",
    inputSchema: { type: "object", properties: { location: LOCATION }, required: ["location"] },
    annotations: HINTS,
  },
  {
    name: "get_forecast",
    description: "Get the weather forecast for a place, day by day. Use it for tomorrow, the weekend or the days to come.",
    inputSchema: {
      type: "object",
      properties: {
        location: LOCATION,
        days: { type: "integer", minimum: 1, maximum: 14, default: 3, description: "How many days to forecast, from 1 to 14, e.g. 5. Three when left out." },
      },
      required: ["location"],
    },
    annotations: HINTS,
  },
  {
    name: "get_alerts",
    description: "List the weather alerts in force at a place, such as storms, floods or extreme heat.",
    inputSchema: { type: "object", properties: { location: LOCATION }, required: ["location"] },
    annotations: HINTS,
  },
];

/** Mean temperature and half its spread in °C, by climate. Rough figures of the Köppen groups. */
const TEMPERATURES: Readonly<Record<Climate, readonly [mean: number, spread: number]>> = {
  tropical: [28, 5],
  dry: [29, 9],
  mild: [19, 8],
  temperate: [13, 10],
  cold: [3, 12],
};

const DRY_SKY = ["clear sky", "sunny", "partly cloudy", "cloudy", "overcast", "windy"];
const WET_SKY = ["light rain", "rain", "heavy rain", "showers", "drizzle", "fog"];
const STORMS = ["thunderstorms"];
const SNOW = ["light snow", "snow", "heavy snow", "freezing fog"];

const ALERTS: readonly (readonly [event: string, fits: (mean: number) => boolean])[] = [
  ["thunderstorm warning", (t) => t > 10],
  ["flood watch", (t) => t > 2],
  ["high wind warning", () => true],
  ["heat advisory", (t) => t > 24],
  ["air quality alert", () => true],
  ["dense fog advisory", (t) => t < 24],
  ["winter storm warning", (t) => t < 8],
  ["frost advisory", (t) => t < 14],
];
const SEVERITIES = ["minor", "moderate", "severe", "extreme"];

/** Whole numbers in a range, drawn from a hash: the same parts give the same numbers. */
function draws(...parts: readonly (string | number)[]): (low: number, high: number) => number {
  const bytes = createHash("sha256").update(parts.join("\n")).digest();
  let at = 0;
  return (low, high) => {
    const n = bytes.readUInt16BE(at % 30);
    at += 2;
    return low + (n % (high - low + 1));
  };
}

const pick = <T>(list: readonly T[], draw: (low: number, high: number) => number): T => list[draw(0, list.length - 1)] as T;

function conditionAt(celsius: number, climate: Climate, draw: (low: number, high: number) => number): string {
  const roll = draw(0, 99);
  if (celsius <= 1) return roll < 45 ? pick(SNOW, draw) : pick(DRY_SKY, draw);
  if (climate === "dry") return pick(roll < 85 ? DRY_SKY.slice(0, 4) : ["dusty", "windy", "showers"], draw);
  if (roll < 55) return pick(DRY_SKY, draw);
  return pick(roll > 92 && celsius > 12 ? STORMS : WET_SKY, draw);
}

function current(location: string, key: string, climate: Climate): JsonObject {
  const draw = draws("weather", key);
  const [mean, spread] = TEMPERATURES[climate];
  const temperature = mean + draw(-spread, spread);
  return {
    location,
    temperature_c: temperature,
    condition: conditionAt(temperature, climate, draw),
    humidity: climate === "dry" ? draw(11, 42) : draw(38, 94),
    wind_kph: draw(2, 46),
  };
}

function forecast(location: string, key: string, climate: Climate, days: number): JsonObject {
  const [mean, spread] = TEMPERATURES[climate];
  const list = Array.from({ length: days }, (_, i) => {
    const draw = draws("forecast", key, i + 1);
    const high = mean + draw(-spread, spread);
    return { day: i + 1, condition: conditionAt(high, climate, draw), high_c: high, low_c: high - draw(3, 11) };
  });
  return { location, days, forecast: list };
}

function alerts(location: string, key: string, climate: Climate): JsonObject {
  const draw = draws("alerts", key);
  const [mean] = TEMPERATURES[climate];
  const possible = ALERTS.filter(([, fits]) => fits(mean)).map(([event]) => event);
  const count = [0, 0, 1, 1, 1, 2][draw(0, 5)] as number;
  const first = draw(0, possible.length - 1);
  const list = Array.from({ length: count }, (_, i) => ({
    event: possible[(first + i * 2) % possible.length] as string,
    severity: pick(SEVERITIES, draw),
    until: `${String(draw(0, 23)).padStart(2, "0")}:00`,
  }));
  return { location, alerts: list };
}

/** Answers a call with compact JSON, or with an error that names the place. */
function call(name: string, args: JsonObject): StubAnswer {
  const location = String(args.location).trim();
  const key = placeKey(location);
  if (key === placeKey(TIMEOUT_PLACE)) return { ...failed(`Request timed out: the weather service did not answer for "${location}".`), late: true };
  if (key === placeKey(EMPTY_PLACE)) return { content: [] };
  const place = lookUp(location);
  if (place === undefined)
    return failed(
      location === "" ? "No location was given. Name a city." : `Unknown location: "${location.slice(0, 100)}". Check the spelling or name a city.`,
    );
  if (name === "get_weather") return text(JSON.stringify(current(location, place.key, place.climate)));
  if (name === "get_forecast") return text(JSON.stringify(forecast(location, place.key, place.climate, Number(args.days ?? 3))));
  return text(JSON.stringify(alerts(location, place.key, place.climate)));
}

export const weather: Stub = { name: "weather", tools: TOOLS, call };
