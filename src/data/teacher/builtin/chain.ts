/**
 * Requests that take several calls: one thing asked of two values ("in Oslo and in Bergen"), or two requests in one, to be
 * served at once or one after the other. Both requests are written like any other, and every value is said.
 */
import type { Rng } from "../../rng.ts";
import type { Exchange } from "../teacher.ts";
import { answerFromAll } from "./answers.ts";
import { callOf, drawBindings, makeValid, otherCalls } from "./calls.ts";
import { singular, uncapital } from "./english.ts";
import type { ToolModel } from "./model.ts";
import { type Binding, frameOf, type Request, writeRequest } from "./request.ts";
import { simulateResult } from "./results.ts";
import { clearOf, twinsOf } from "./twins.ts";
import { type Context, makeValue } from "./values/index.ts";
import type { Made, Recipe, World } from "./world.ts";

/** Roles whose value two of can stand side by side: "for Oslo and Bergen". */
const PAIRED = /^(place|airport|id|path|folder|person|symbol|title|city|product|hotel|username|email|query)$/;

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
  const two = world.tools.length > 1 && (turn > 30 || rng.chance(0.5));
  return two ? twoRequests(world, model, rng, heldout, turn, AT_ONCE, true) : twoValues(world, model, rng, heldout, turn);
};

export const inTurn: Recipe = (world, model, rng, heldout, turn) => twoRequests(world, model, rng, heldout, turn, IN_TURN, false);

function twoValues(world: World, model: ToolModel, rng: Rng, heldout: boolean, turn: number): Made | null {
  const bindings = drawBindings(world, model, rng, { optional: 0.2, most: 1, heldout });
  if (bindings === null) return null;
  const target = bindings.find((b) => b.param.property.required && PAIRED.test(b.param.role.kind) && b.param.property.enum === undefined);
  if (target === undefined) return null;
  const ctx: Context = { used: new Set([String(target.value.json)]) };
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
  if (r === null || twins === "unclear") return null;
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
    // Of the second no other tool would do: two questions of which is right are one too many.
    if (r === null || twins === "unclear" || (parts.length > 0 && twins.length > 0)) return null;
    parts.push({ model: tool, bindings, twins });
    requests.push(r);
  }
  const [first, then] = requests as [Request, Request];
  const joint = rng.pick(joints);
  const bare = (text: string): string => text.replace(/[.!]+$/, "");
  const [a, b] = [bare(first.text), bare(then.text)];
  // A question, or several sentences, end before what follows them begins.
  if (/[?.!] |\?$/.test(a) && !joint.includes("{A}.")) return null;
  const said = joint
    .replace(/\{A\}\.?/, (m) => (a.endsWith("?") ? a : a + m.slice(3)))
    .replace("{a}", () => uncapital(a))
    .replace("{b}", () => uncapital(b))
    .replace("{B}", () => b);
  const text = /[.?!]$/.test(said) || rng.chance(0.5) ? said : `${said}.`;
  const user = rng.chance(0.7) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  const frame = frameOf(joint.replace(/\{[aA]\}/, () => first.frame).replace(/\{[bB]\}/, () => then.frame));
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
