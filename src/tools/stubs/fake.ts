/**
 * A stub of any toolset: results are made up from a tool's output schema, else from its name, its description and the
 * call's own arguments. Seed, tool and arguments decide a result and nothing else does.
 *
 * On purpose, so that error loops can be learned and measured: an argument that says it does not exist ("unknown",
 * "nonexistent", …) is an error; and of all other distinct calls with arguments about 5 in 100 are an error, 2 time out
 * (a late error) and 2 answer nothing.
 */
import { canonicalJson, type JsonObject, type JsonValue } from "../../platform/json.ts";
import type { ToolDefinition } from "../types.ts";
import { type Draw, drawsOf, fakeValue, namedValue, own, pick, singular, words } from "./fake-values.ts";
import { failed, type Stub, type StubAnswer, text } from "./stub.ts";

/** In 100 distinct calls. */
const ERRORS = 5;
const TIMEOUTS = 2;
const EMPTY = 2;

const NOT_THERE = /\b(unknown|nonexistent|non-existent|does[- _]not[- _]exist|missing|invalid)\b/i;
const NUMBER_OF_ECHOES = 4;
const MAX_FIELDS = 6;

/** Verbs by what their tool gives back. */
const LISTS = new Set("list search find query browse lookup filter".split(" "));
const SUMS = new Set("calculate compute convert count sum estimate measure".split(" "));
const DONE: Readonly<Record<string, string>> = Object.fromEntries(
  "create:created add:added insert:added book:booked reserve:reserved schedule:scheduled order:ordered send:sent post:posted upload:uploaded make:made start:started stop:stopped update:updated set:set edit:updated rename:renamed move:moved copy:copied modify:updated change:updated enable:enabled disable:disabled cancel:cancelled delete:deleted remove:removed archive:archived close:closed write:written save:saved submit:submitted pay:paid play:playing pause:paused turn:set run:finished execute:finished"
    .split(" ")
    .map((pair) => pair.split(":") as [string, string]),
);

/** Makes the stub. The definitions are checked ones. */
export function createFake(tools: readonly ToolDefinition[], seed: number): Stub {
  const known = new Map(tools.map((t) => [t.name, t]));
  return {
    name: "fake",
    tools: tools.map((t) => ({
      name: t.name,
      description: t.description,
      inputSchema: t.input_schema as { readonly type: "object" },
      ...(t.annotations === undefined ? {} : { annotations: t.annotations }),
    })),
    call(name, args) {
      const tool = known.get(name);
      return tool === undefined ? failed(`Tool ${name} not found`) : answer(tool, args, seed);
    },
  };
}

function answer(tool: ToolDefinition, args: JsonObject, seed: number): StubAnswer {
  const draw = drawsOf(seed, tool.name, canonicalJson(args));
  const asked = scalars(args);
  const absent = asked.find(([, v]) => typeof v === "string" && NOT_THERE.test(v));
  if (absent !== undefined) return failed(`Not found: ${absent[0]} "${String(absent[1]).slice(0, 100)}" does not exist.`);
  const fate = draw(0, 99);
  if (asked.length > 0) {
    const [key, value] = asked[0] as [string, JsonValue];
    const what = `${key} ${JSON.stringify(value).slice(0, 100)}`;
    if (fate < ERRORS) return failed(pick([`Not found: there is nothing for ${what}.`, `The service cannot process ${what} now. Try again later.`], draw));
    if (fate < ERRORS + TIMEOUTS) return { ...failed(`Request timed out: no answer for ${what}.`), late: true };
    if (fate < ERRORS + TIMEOUTS + EMPTY) return { content: [] };
  }
  const schema = tool.output_schema as JsonObject | undefined;
  const value = schema === undefined ? guessed(tool, args, draw) : fakeValue(schema, "", { draw, args, root: schema });
  return text(JSON.stringify(value));
}

/** The arguments that are one value each, in the order of the call. */
const scalars = (args: JsonObject): [string, JsonValue][] =>
  Object.entries(args).filter((e): e is [string, JsonValue] => e[1] !== undefined && e[1] !== null && typeof e[1] !== "object");

/** A result from names alone. */
function guessed(tool: ToolDefinition, args: JsonObject, draw: Draw): JsonValue {
  const [verb = "", ...rest] = words(tool.name.split(/[.:/]/).at(-1) ?? tool.name);
  const noun = rest.length === 0 ? "result" : rest.join("_");
  const echo = scalars(args)
    .filter(([key]) => key !== "__proto__")
    .slice(0, NUMBER_OF_ECHOES)
    .map(([key, v]): [string, JsonValue] => [key, typeof v === "string" ? v.slice(0, 100) : v]);
  const fields = fieldsOf(tool.description);
  if (LISTS.has(verb)) {
    const item = singular(rest.at(-1) ?? "result");
    const wanted = own(args, "limit") ?? own(args, "max_results") ?? own(args, "count");
    const most = typeof wanted === "number" ? Math.max(1, Math.min(3, Math.floor(wanted))) : 3;
    const members = fields.length > 0 ? fields : ["name"];
    const items = Array.from({ length: draw(1, most) }, () =>
      Object.fromEntries(["id", ...members].map((f) => [f, namedValue(f === "id" ? `${item}_id` : f, draw)])),
    );
    return { [noun.endsWith("s") ? noun : `${noun}s`]: items, total: items.length };
  }
  const done = Object.hasOwn(DONE, verb) ? DONE[verb] : undefined;
  if (done !== undefined) return { status: done, [`${singular(rest.at(-1) ?? "item")}_id`]: namedValue("id", draw), ...Object.fromEntries(echo) };
  if (SUMS.has(verb)) return { ...Object.fromEntries(echo), result: draw(100, 99_999) / 100 };
  const facts = fields.length > 0 ? fields : [noun];
  return Object.fromEntries([...echo, ...facts.map((f): [string, JsonValue] => [f, namedValue(f, draw)])]);
}

/** What a description says comes back: "…: temperature, humidity and wind", "returns name, price". */
function fieldsOf(description: string): string[] {
  const stated = /(?:\breturns?\b|\bincluding\b|\bsuch as\b|:)\s+([^.;()\n]{3,200})/i.exec(description)?.[1];
  if (stated === undefined) return [];
  const parts = stated.split(/,|\band\b|\bor\b/).map((p) => words(p.replace(/^\s*(the|its|a|an|their|all|each)\s+/i, "")));
  const short = parts.filter((p) => p.length >= 1 && p.length <= 2).map((p) => p.join("_"));
  return short.length < 2 ? [] : [...new Set(short)].filter((f) => f !== "id").slice(0, MAX_FIELDS);
}
