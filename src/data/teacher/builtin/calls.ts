/** Draws the arguments of a call, keeps them valid, and makes the exchange that a call is. */
import type { JsonObject, JsonValue } from "../../../platform/json.ts";
import type { Rng } from "../../../platform/rng.ts";
import { compileArguments } from "../../schema.ts";
import type { CallOutcome } from "../../types.ts";
import type { DraftCall, DraftFault, Exchange } from "../teacher.ts";
import { answerFrom } from "./answers.ts";
import { singular } from "./english.ts";
import type { Param, ToolModel } from "./model.ts";
import { argumentsOf, type Binding } from "./request.ts";
import { simulateResult } from "./results.ts";
import { type Context, makeValue } from "./values/index.ts";
import { sayPair } from "./values/times.ts";
import { asks } from "./verbs.ts";
import type { World } from "./world.ts";

export interface Wanted {
  /** Chance of each optional argument. */
  readonly optional: number;
  /** Most optional arguments. */
  readonly most: number;
  readonly extreme?: boolean;
  readonly rare?: boolean;
  /** Something that does not exist, where one can tell. */
  readonly wrong?: boolean;
  readonly heldout: boolean;
}

const RARELY = new Set(["token", "secret", "constant", "object", "latitude", "longitude"]);
/** Pairs that a call should not hold both of. */
const EXCLUSIVE: readonly (readonly [RegExp, RegExp])[] = [
  [/^head$/i, /^tail$/i],
  [/^(start|t0|from|since|end|t1|until)/i, /^(timespan|period|duration)$/i],
];
/** A span up to now: it has no other end, even where the schema has parameters for one. */
const LOOKS_BACK = /^(timespan|lookback|period)$/i;

/** Chance that the other end of a span is said with the one. */
const TOGETHER = 0.75;

/** The other end of an optional span of time, where it is optional too. */
function partnerOf(p: Param, model: ToolModel): Param | undefined {
  if (p.role.side === null || (p.role.kind !== "date" && p.role.kind !== "datetime")) return undefined;
  return model.params.find((q) => !q.property.required && q.role.kind === p.role.kind && q.role.side !== null && q.role.side !== p.role.side);
}

/** What kind of thing is looked for is what people say first of all (`museums in London`), wherever they say more than they must. */
const KIND = /\b(category|type|kind|genre|cuisine|specialty)$/;
const KIND_SHARE = 0.65;
/** How many of a thing are wanted is said where it is ordered, hardly where one asks whether there is any. */
const HOW_MANY = /^(quantity|qty)$/;

function shareOf({ role, property }: Param, { cls }: ToolModel, { optional }: Wanted): number {
  if (RARELY.has(role.kind)) return 0.03;
  if (!asks(cls)) return optional;
  if (HOW_MANY.test(property.name)) return optional / 3;
  return optional >= 0.4 && role.kind === "enum" && KIND.test(role.noun) ? Math.max(optional, KIND_SHARE) : optional;
}

/** Draws the arguments of a call: all required ones, some optional ones. Null when they cannot be made valid. */
export function drawBindings(world: World, model: ToolModel, rng: Rng, w: Wanted): Binding[] | null {
  const ctx: Context = { used: new Set() };
  const topic = singular(model.objects[0] ?? "");
  const optional = rng.shuffle(model.params.filter((p) => !p.property.required)).filter((p) => rng.chance(shareOf(p, model, w)));
  const chosen = new Set<Param>();
  let wanted = 0;
  for (const p of optional) {
    if (wanted >= w.most) break;
    const clash = model.params.some(
      (q) =>
        (chosen.has(q) || (q.property.required && LOOKS_BACK.test(q.property.name))) &&
        EXCLUSIVE.some(([a, b]) => (a.test(p.property.name) && b.test(q.property.name)) || (b.test(p.property.name) && a.test(q.property.name))),
    );
    if (!clash && !/should not be|do not (set|specify|use)|internal use/i.test(p.property.description)) {
      if (!chosen.has(p)) wanted++;
      chosen.add(p);
      // Who says when it begins mostly says when it ends.
      const partner = partnerOf(p, model);
      if (partner !== undefined && rng.chance(TOGETHER)) chosen.add(partner);
    }
  }
  const bindings: Binding[] = [];
  for (const param of model.params) {
    if (!param.property.required && !chosen.has(param)) continue;
    const value = makeValue(param.property, param.role, rng, ctx, {
      heldout: w.heldout,
      known: world.known,
      making: model.cls === "create" || model.cls === "write",
      topic,
      extreme: w.extreme && isBounded(param),
      rare: (w.rare || w.wrong) && param.property.required,
      wrong: w.wrong && param.property.required,
    });
    if (value === null) {
      if (param.property.required) return null;
      continue;
    }
    bindings.push({ param, value });
  }
  return makeValid(model, asSpan(bindings, rng));
}

/** A span's two dates said as people say them together. */
function asSpan(bindings: Binding[], rng: Rng): Binding[] {
  const [start, end] = (["start", "end"] as const).map((side) => bindings.find((b) => b.param.role.kind === "date" && b.param.role.side === side));
  if (start === undefined || end === undefined || start.param.role.layout !== end.param.role.layout) return bindings;
  const said = sayPair(start.value, end.value, start.param.role.layout, rng);
  if (said === null) return bindings;
  return bindings.map((b) =>
    b === start ? { ...b, value: { ...b.value, said: said.start } } : b === end ? { ...b, value: { ...b.value, said: said.end } } : b,
  );
}

export const isBounded = (p: Param) => p.property.type === "integer" || p.property.type === "number";

/** Drops optional arguments that the schema refuses; null when the required ones alone are refused. */
export function makeValid(model: ToolModel, bindings: Binding[]): Binding[] | null {
  const check = compileArguments(model.tool);
  if (check(argumentsOf(bindings, model)).length === 0) return bindings;
  const kept = bindings.filter((b) => b.param.property.required);
  if (check(argumentsOf(kept, model)).length > 0) return null;
  for (const b of bindings) {
    if (b.param.property.required) continue;
    if (check(argumentsOf([...kept, b], model)).length === 0) kept.push(b);
  }
  return kept;
}

/** The call of these arguments; optional ones that were not said may be left out or hold their default. */
export function callOf(model: ToolModel, bindings: readonly Binding[]): DraftCall {
  const accepted: Record<string, JsonValue[]> = {};
  const said: Record<string, string> = {};
  for (const p of model.params) {
    const b = bindings.find((x) => x.param === p);
    const fallback = p.property.schema.default;
    if (b) {
      accepted[p.property.name] = [...new Map(b.value.accepted.map((v) => [JSON.stringify(v), v])).values()];
      said[p.property.name] = b.value.said;
    } else if (p.property.nullWhenUnsaid) accepted[p.property.name] = [null];
    else if (!p.property.required)
      accepted[p.property.name] = fallback !== undefined && fallback !== null && fallback !== "" ? [fallback as JsonValue, ""] : [""];
  }
  return { name: model.tool.name, arguments: argumentsOf(bindings, model), accepted, said };
}

export function callExchange(
  user: string,
  model: ToolModel,
  bindings: readonly Binding[],
  rng: Rng,
  extra: { fault?: DraftFault; alternatives?: DraftCall["alternatives"] } = {},
): Exchange {
  const call = { ...callOf(model, bindings), ...(extra.alternatives ? { alternatives: extra.alternatives } : {}) };
  const args: JsonObject = call.arguments;
  return {
    kind: "call",
    user,
    call,
    ...(extra.fault ? { fault: extra.fault } : {}),
    answer: (outcome: CallOutcome) => answerFrom(model, args, outcome, rng),
    simulate: () => simulateResult(model, args, rng),
  };
}

/** The same required arguments, as another tool names them (rivals name them alike). */
export function acceptedFor(rival: ToolModel, bindings: readonly Binding[]): Record<string, JsonValue[]> {
  const out: Record<string, JsonValue[]> = {};
  for (const p of rival.params) {
    const b = bindings.find((x) => x.param.property.name === p.property.name);
    if (b) out[p.property.name] = [...b.value.accepted];
    else if (p.property.nullWhenUnsaid) out[p.property.name] = [null];
    else if (!p.property.required)
      out[p.property.name] =
        p.property.schema.default !== undefined && p.property.schema.default !== null ? [p.property.schema.default as JsonValue, ""] : [""];
  }
  return out;
}

/** The same arguments given to other tools, which would be right too. */
export const otherCalls = (tools: readonly ToolModel[], bindings: readonly Binding[]) =>
  tools.length === 0 ? {} : { alternatives: tools.map((t) => ({ name: t.tool.name, accepted: acceptedFor(t, bindings) })) };
