/**
 * Toolsets that never repeat, made from a catalogue of operations and parameters: which tools stand together, what they and
 * their parameters are called, how they are described, what is required, in which form values come. For training that
 * is to serve any toolset; pure, each one follows from the seed and its number.
 */
import type { JsonObject, JsonValue } from "../../platform/json.ts";
import type { ToolDefinition, Toolset } from "../../schemas/generated/toolset.ts";
import { toolsetHash } from "../../tools/toolset.ts";
import { type Rng, rngFor } from "../rng.ts";
import { type Operation, SERVICES, type Service } from "./catalogue.ts";
import { PARAMETERS } from "./parameters.ts";

/** How the authors of one server write names. */
type NameStyle = (service: string, index: number, words: readonly string[]) => string;
const upper = (w: string): string => w.charAt(0).toUpperCase() + w.slice(1);
const NAME_STYLES: readonly (readonly [NameStyle, number])[] = [
  [(_, __, w) => w.join("_"), 6],
  [(_, __, w) => w.map((x, i) => (i === 0 ? x : upper(x))).join(""), 2],
  [(s, __, w) => `${s}_${w.join("_")}`.toLowerCase(), 1.5],
  [(s, i, w) => `${s}_${i}_${w.map(upper).join("")}`, 1],
  [(s, __, w) => `${s}_${w.map((x, i) => (i === 0 ? x : upper(x))).join("")}`, 1],
  [(_, __, w) => w.join("-"), 0.7],
];

/** How a verb is put in a description; `{o}` is what the operation is about. */
const DESCRIPTIONS: Readonly<Record<string, readonly string[]>> = {
  search: ["Search for {o}.", "Searches {o}.", "Find {o} that match the given criteria.", "Returns a list of {o}, filtered by the given parameters."],
  find: ["Find {o}.", "Looks up {o}.", "Returns {o} that fit the given filters."],
  list: ["List {o}.", "Lists all {o}.", "Returns {o}, optionally filtered."],
  get: ["Get {o}.", "Retrieve {o}.", "Returns {o}.", "Fetches {o} for the given parameters."],
  create: ["Create {o}.", "Creates {o} with the given details.", "Set up {o}."],
  add: ["Add {o}.", "Adds {o}.", "Registers {o}."],
  book: ["Book {o}.", "Books {o} for the given date.", "Make a booking: {o}."],
  reserve: ["Reserve {o}.", "Reserves {o} under the given details."],
  cancel: ["Cancel {o}.", "Cancels {o}; this cannot be undone."],
  delete: ["Delete {o}.", "Removes {o} for good."],
};
const ANY_DESCRIPTION = ["{V} {o}.", "This function is used to {v} {o}.", "Allows to {v} {o} for the user."];

/**
 * One toolset of one to fifteen tools; few tools more often than many.
 * @param most at most so many tools, for a curriculum that goes from short to long
 */
export function makeToolset(seed: number, index: number, most = Number.POSITIVE_INFINITY): Toolset {
  const rng = rngFor(seed, "toolset", index);
  const drawn = rng.weighted([
    [1, 1],
    [2, 3],
    [3, 4],
    [4, 3],
    [5, 3],
    [6, 2],
    [8, 1.5],
    [10, 1],
    [14, 0.5],
  ]);
  const size = drawn <= most ? drawn : rng.int(1, most);
  const style = rng.weighted(NAME_STYLES);
  const required = rng.next() < 0.15 ? "all" : "stated";
  const chosen: { service: Service; operation: Operation }[] = [];
  // Most servers do one thing; larger ones do several.
  const services = rng.shuffle(SERVICES).slice(0, Math.max(1, Math.ceil(size / rng.int(2, 5))));
  const pool = services.flatMap((service) => rng.shuffle(service.operations).map((operation) => ({ service, operation })));
  for (const item of pool.slice(0, size)) chosen.push(item);
  const numbers = new Map(services.map((s) => [s.name, rng.int(1, 4)]));
  const taken = new Set<string>();
  const tools = rng.shuffle(chosen).flatMap(({ service, operation }): ToolDefinition[] => {
    const words = [operation.verb, ...operation.object.split(" ")].filter((w) => w !== "");
    const name = style(service.name, numbers.get(service.name) ?? 1, words);
    if (taken.has(name)) return [];
    taken.add(name);
    return [
      { name, description: describe(operation, rng), input_schema: inputSchema(operation, required === "all", rng), source: "file", origin: "curriculum" },
    ];
  });
  return { version: 1, hash: toolsetHash(tools), tools };
}

function describe({ verb, about }: Operation, rng: Rng): string {
  const template = rng.pick(rng.chance(0.75) ? (DESCRIPTIONS[verb] ?? ANY_DESCRIPTION) : ANY_DESCRIPTION);
  return template
    .replace("{V}", () => upper(verb))
    .replace("{v}", () => verb)
    .replace("{o}", () => about);
}

/** Optional parameters are left out now and then, as every server has others. */
function inputSchema(operation: Operation, allRequired: boolean, rng: Rng): JsonObject {
  const camel = rng.chance(0.15);
  const properties: Record<string, JsonValue> = {};
  const required: string[] = [];
  const detailed = rng.chance(0.9);
  for (const { key, required: must } of operation.parameters) {
    if (!must && rng.chance(0.35)) continue;
    const parameter = PARAMETERS[key];
    if (parameter === undefined) throw new Error(`the catalogue names a parameter that is not described: ${key}`);
    const snake = parameter.names.find((n) => rng.chance(0.5) && !Object.hasOwn(properties, n)) ?? parameter.names.find((n) => !Object.hasOwn(properties, n));
    if (snake === undefined) continue;
    const name = camel
      ? snake
          .split("_")
          .map((w, i) => (i === 0 ? w : upper(w)))
          .join("")
      : snake;
    const schema: Record<string, JsonValue> = { ...rng.pick(parameter.schemas) };
    if (detailed) schema.description = rng.pick(parameter.descriptions) + rng.pick(["", "", "."]);
    properties[name] = schema;
    if (must || allRequired) required.push(name);
  }
  return { type: "object", properties, ...(required.length > 0 ? { required } : {}), ...(rng.chance(0.1) ? { additionalProperties: false } : {}) };
}
