/**
 * Toolsets that never repeat, made from a catalogue of operations and parameters: which tools stand together, what they and
 * their parameters are called, how they are described, what is required, in which form values come. For training that
 * is to serve any toolset; pure, each one follows from the seed and its number.
 */
import type { JsonObject, JsonValue } from "../../platform/json.ts";
import { type Rng, rngFor } from "../../platform/rng.ts";
import type { ToolDefinition, Toolset } from "../../schemas/generated/toolset.ts";
import { toolsetHash } from "../../tools/toolset.ts";
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

/** Which operations a toolset has, which of the same services it has not, and how its authors write. */
interface Drawn {
  readonly rng: Rng;
  readonly style: NameStyle;
  readonly allRequired: boolean;
  readonly chosen: readonly Chosen[];
  readonly leftOut: readonly Chosen[];
  readonly numbers: ReadonlyMap<string, number>;
}
interface Chosen {
  readonly service: Service;
  readonly operation: Operation;
}

function draw(seed: number, index: number, most: number): Drawn {
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
  const allRequired = rng.next() < 0.15;
  // Most servers do one thing; larger ones do several.
  const services = rng.shuffle(SERVICES).slice(0, Math.max(1, Math.ceil(size / rng.int(2, 5))));
  const pool = services.flatMap((service) => rng.shuffle(service.operations).map((operation) => ({ service, operation })));
  const numbers = new Map(services.map((s) => [s.name, rng.int(1, 4)]));
  return { rng, style, allRequired, chosen: pool.slice(0, size), leftOut: pool.slice(size), numbers };
}

/**
 * One toolset of one to fifteen tools; few tools more often than many.
 * @param most at most so many tools, for a curriculum that goes from short to long
 */
export function makeToolset(seed: number, index: number, most = Number.POSITIVE_INFINITY): Toolset {
  const drawn = draw(seed, index, most);
  return toolsetOf(drawn.rng.shuffle(drawn.chosen), drawn);
}

/** Verbs that another tool of the same service never stands in for: who asks to cancel is not served by a search. */
const OWN_VERBS = new Set("cancel delete return rename move rate complete close archive escalate renew forward lock share submit restart".split(" "));

/** What the services of a toolset do and its tools do not, as a toolset; null where nothing of the kind is left out. */
export function makeLeftOut(seed: number, index: number, most = Number.POSITIVE_INFINITY): Toolset | null {
  const drawn = draw(seed, index, most);
  const verbs = new Set(drawn.chosen.map((c) => c.operation.verb));
  const others = drawn.leftOut.filter((c) => OWN_VERBS.has(c.operation.verb) && !verbs.has(c.operation.verb));
  return others.length === 0 ? null : toolsetOf(others, drawn);
}

function toolsetOf(operations: readonly Chosen[], { rng, style, allRequired, numbers }: Drawn): Toolset {
  const taken = new Set<string>();
  const tools = operations.flatMap(({ service, operation }): ToolDefinition[] => {
    const words = [operation.verb, ...operation.object.split(" ")].filter((w) => w !== "");
    const name = style(service.name, numbers.get(service.name) ?? 1, words);
    if (taken.has(name)) return [];
    taken.add(name);
    return [{ name, description: describe(operation, rng), input_schema: inputSchema(operation, allRequired, rng), source: "file", origin: "curriculum" }];
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
  const habits: Habits = { defaults: rng.chance(0.35), flags: rng.chance(0.2), open: rng.chance(0.25), counts: rng.chance(0.1) };
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
    const schema = inHabit(rng.pick(parameter.schemas), habits, must || allRequired, rng);
    const open =
      Array.isArray(schema.enum) && schema.enum.includes("dontcare") ? rng.pick([" Use 'dontcare' for no preference.", " 'dontcare' means any.", ""]) : "";
    if (detailed) schema.description = rng.pick(parameter.descriptions) + (open === "" ? rng.pick(["", "", "."]) : `.${open}`);
    properties[name] = schema;
    if (must || allRequired) required.push(name);
  }
  return { type: "object", properties, ...(required.length > 0 ? { required } : {}), ...(rng.chance(0.1) ? { additionalProperties: false } : {}) };
}

/** How the authors of one server write schemas. */
interface Habits {
  /** Optional parameters state what they are when left out. */
  readonly defaults: boolean;
  /** What is on or off is a word: 'True', 'False'. */
  readonly flags: boolean;
  /** Optional choices have one that leaves them open. */
  readonly open: boolean;
  /** Small numbers are chosen from a list of words. */
  readonly counts: boolean;
}

/** A parameter's schema as these authors would write it. */
function inHabit(schema: JsonObject, habits: Habits, required: boolean, rng: Rng): Record<string, JsonValue> {
  const out: Record<string, JsonValue> = { ...schema };
  if (habits.flags && out.type === "boolean") {
    out.type = "string";
    out.enum = ["True", "False", ...(required ? [] : ["dontcare"])];
  }
  if (habits.counts && out.type === "integer" && typeof out.maximum === "number" && out.maximum <= 12) {
    delete out.minimum;
    delete out.maximum;
    out.type = "string";
    out.enum = ["1", "2", "3", ...(rng.chance(0.5) ? ["4", "5"] : [])];
  }
  if (required) return out;
  if (habits.open && Array.isArray(out.enum) && out.type === "string" && !out.enum.includes("dontcare")) out.enum = [...out.enum, "dontcare"];
  const none = Array.isArray(out.enum) ? (out.enum.includes("dontcare") ? "dontcare" : (out.enum[0] ?? null)) : DEFAULTS[String(out.type)];
  if (habits.defaults && none !== undefined && rng.chance(0.8)) out.default = Array.isArray(none) ? rng.pick(none) : none;
  return out;
}

/** What stands as a default by type; a list holds alternatives. */
const DEFAULTS: Readonly<Record<string, JsonValue>> = { boolean: false, integer: [1, 10, 0, 5], number: [0, 0.0, 10], string: ["None", "", "null", "All"] };
