/**
 * Requests that take several calls: one thing asked of two values ("in Oslo and in Bergen"), or two requests in one, to be
 * served at once or one after the other. Both requests are written like any other, and every value is said.
 */

import type { Rng } from "../../../platform/rng.ts";
import { changes } from "../../kinds.ts";
import type { Exchange } from "../teacher.ts";
import { answerFromAll } from "./answers.ts";
import { callOf, drawBindings, makeValid, otherCalls } from "./calls.ts";
import { capital, singular, uncapital } from "./english.ts";
import type { ToolModel } from "./model.ts";
import { type Binding, frameOf, type Request, writeRequest } from "./request.ts";
import { simulateResult } from "./results.ts";
import { canBePaired } from "./roles.ts";
import { clearOf, twinsOf } from "./twins.ts";
import { type Context, makeValue } from "./values/index.ts";
import type { Made, Recipe, World } from "./world.ts";

/** Roles that say which one thing is changed, besides what is said twice: two of it would be the same, or clash. */
const NAMES = /^(place|airport|id|path|folder|person|symbol|title|city|product|hotel|username|email|nickname|date|datetime|time|secret|token)$/;
/** Who says where they are is in one place. */
const ONE_PLACE = /\b(i['’]?m|i am|i live|i just|lives? in|we['’]?re|we are|arriv(ed|ing)|travell?ing|land(ed|ing)?|here in|stuck in|based in)\b/i;
/** Words that put a request after another, in one that is served at once with it. */
const SEQUENCE = /\bthen\b|\bafter that\b|(^|[.,!] )next\b,?/i;
/** A pronoun for a thing that was named before: the request before this one names another. */
const POINTS_BACK = /(?<!\b(?:is|does|did|will|was|can|would|could|has|had|are|do|should|might|how \w+)) (?:it|them)\b(?! (?:is|was|gets|feels|will|be)\b|'s)/i;

/** `{A}` and `{b}` are the requests, the second in the middle of a sentence; `{B}` is a sentence of its own. */
const AT_ONCE: readonly string[] = [
  "{A}, and {b}",
  "{A} and also {b}",
  "{A}. Also, {b}",
  "{A}. And {b}",
  "{A}. {B}",
  "two things: {a}, and {b}",
  "{A}, plus {b}",
];
const IN_TURN: readonly string[] = [
  "{A}, then {b}",
  "{A}, and then {b}",
  "first {a}, then {b}",
  "{A}. After that, {b}",
  "{A}. Once that's done, {b}",
  "{A}. When you have that, {b}",
  "{A}, and after that {b}",
];

/** One call with its tool, and the tools that would do as well. */
interface Part {
  readonly model: ToolModel;
  readonly bindings: readonly Binding[];
  readonly twins: readonly ToolModel[];
}

export const parallel: Recipe = (world, model, rng, heldout, turn) => {
  const two = world.tools.length > 1 && rng.chance(0.5);
  return two ? twoRequests(world, model, rng, heldout, turn, AT_ONCE, true) : twoValues(world, model, rng, heldout, turn);
};

export const inTurn: Recipe = (world, model, rng, heldout, turn) => twoRequests(world, model, rng, heldout, turn, IN_TURN, false);

function twoValues(world: World, model: ToolModel, rng: Rng, heldout: boolean, turn: number): Made | null {
  const bindings = drawBindings(world, model, rng, { optional: 0.2, most: 1, heldout });
  if (bindings === null) return null;
  const target = bindings.find((b) => b.param.property.required && canBePaired(b.param));
  if (target === undefined || (changes(model.tool) && bindings.some((b) => b !== target && NAMES.test(b.param.role.kind)))) return null;
  const ctx: Context = { used: new Set(bindings.map((b) => String(b.value.json))) };
  const other = makeValue(target.param.property, target.param.role, rng, ctx, {
    heldout,
    known: world.known,
    making: model.cls === "create" || model.cls === "write",
    topic: singular(model.objects[0] ?? ""),
  });
  if (other === null || JSON.stringify(other.json) === JSON.stringify(target.value.json)) return null;
  const wanted = bindings.map((b) => (b === target ? { ...b, value: other } : b));
  const second = makeValid(model, wanted);
  if (second === null || second.length !== wanted.length) return null;
  const both = { ...target.value, said: `${target.value.said} and ${other.said}`, caseless: target.value.caseless && other.caseless };
  const said = bindings.map((b) => (b === target ? { ...b, value: both } : b));
  const r = writeRequest(model, said, rng, { style: "normal" });
  const twins = r === null ? "unclear" : clearOf(twinsOf(model, world), model, r.text, turn);
  if (r === null || twins === "unclear" || ONE_PLACE.test(r.text)) return null;
  const parts = [bindings, second].map((arguments_) => ({ model, bindings: arguments_, twins }));
  return { frame: `both ${r.frame}`, exchanges: [exchangeOf(r.text, parts, true, rng)] };
}

function twoRequests(world: World, model: ToolModel, rng: Rng, heldout: boolean, turn: number, joints: readonly string[], together: boolean): Made | null {
  const others = world.tools.filter((t) => t !== model);
  if (others.length === 0) return null;
  const parts: Part[] = [];
  const requests: Request[] = [];
  for (const tool of [model, rng.pick(others)]) {
    const bindings = drawBindings(world, tool, rng, { optional: 0.25, most: 1, heldout });
    if (bindings === null) return null;
    const r = writeRequest(tool, bindings, rng, { style: "normal", register: "bare" });
    const twins = r === null ? "unclear" : clearOf(twinsOf(tool, world), tool, r.text, turn);
    if (r === null || twins === "unclear" || (together && SEQUENCE.test(r.text)) || (parts.length > 0 && POINTS_BACK.test(r.frame))) return null;
    parts.push({ model: tool, bindings, twins });
    requests.push(r);
  }
  const [first, then] = requests as [Request, Request];
  const joint = rng.pick(joints);
  const bare = (text: string): string => text.replace(/[.!]+$/, "");
  const [a, b] = [bare(first.text), bare(then.text)];
  // A question, or several sentences, end before what follows them begins.
  if (/[?.!] |\?$/.test(a) && !joint.includes("{A}.")) return null;
  const written: Readonly<Record<string, string>> = { A: a, a: uncapital(a), b: uncapital(b), B: capital(b) };
  const said = joint.replace(/\{([AaBb])\}(\.?)/g, (_, part: string, stop: string) => `${written[part]}${a.endsWith("?") && part === "A" ? "" : stop}`);
  const text = /[.?!]$/.test(said) || rng.chance(0.5) ? said : `${said}.`;
  const user = rng.chance(0.7) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  const frame = frameOf(joint.replace(/\{([AaBb])\}/g, (_, part: string) => (part.toLowerCase() === "a" ? first.frame : then.frame)));
  return { frame, exchanges: [exchangeOf(user, parts, together, rng)] };
}

function exchangeOf(user: string, parts: readonly Part[], together: boolean, rng: Rng): Exchange {
  const calls = parts.map(({ model, bindings, twins }) => {
    const call = { ...callOf(model, bindings), ...otherCalls(twins, bindings) };
    return { model, call, simulate: () => simulateResult(model, call.arguments, rng) };
  });
  const [first, ...more] = calls as [(typeof calls)[number], ...typeof calls];
  return {
    kind: "call",
    user,
    call: first.call,
    simulate: first.simulate,
    more: more.map(({ call, simulate }) => ({ call, simulate })),
    together,
    answer: (outcome, others) => answerFromAll(calls, [outcome, ...others], rng),
  };
}
