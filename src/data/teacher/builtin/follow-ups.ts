/**
 * Conversations whose last request leans on what was said before it: another value (`and in Bergen?`), another tool for the same thing
 * (`any warnings there?`), something added (`make it 6 days`), the same again; a new request that leans on nothing; and words after which
 * no call is due (`thanks, that's all`). The call of a follow-up is complete: what was not said again is taken from the chat.
 */
import type { Rng } from "../../../platform/rng.ts";
import { changes } from "../../kinds.ts";
import type { Exchange } from "../teacher.ts";
import { callExchange, drawBindings, makeValid, otherCalls } from "./calls.ts";
import { capital, literally, singular, splitName, tidy, uncapital } from "./english.ts";
import { expand } from "./expand.ts";
import { mentionsOf } from "./mentions/index.ts";
import type { Param, ToolModel } from "./model.ts";
import { outOfScope, plainQuestion } from "./plain.ts";
import { type Binding, frameOf, type Request, writeRequest } from "./request.ts";
import { clearOf, says, twinsOf } from "./twins.ts";
import { type Context, makeValue, type Value } from "./values/index.ts";
import { CLOSING_ANSWERS, CLOSINGS } from "./words/closings.ts";
import type { Made, Recipe, World } from "./world.ts";

/** Roles whose value says which thing a request is about; it goes on being that thing. */
const THING = /^(place|airport|id|path|folder|person|symbol|title|city|product|hotel|restaurant|username|email|nickname|address|district)$/;
/** Roles whose value is changed first of all. */
const CHANGED = /^(place|airport|id|path|folder|query|date|person|symbol|title|nickname|enum|city|product|hotel)$/;
/** Roles that name what a tool makes, and the classes of those that make something. */
const NAME = /^(nickname|title|path|username|id)$/;
const MAKING = /^(create|write|register|book)$/;
/** Roles that nothing is changed in: they have no words of their own, or too many. */
const FIXED = /^(flag|boolean|object|edit|list|constant)$/;
/** A pronoun for a thing that was named before, or the same thing named by its kind. */
const THERE = /^(place|city|district|address)$/;

const ANOTHER: readonly string[] = [
  "(and|what about|how about|and what about|now|ok and) {M}?",
  "(and|what about|how about|and how about) {X}?",
  "(same|the same|do the same|same thing|now the same) (for|with) {X}",
  "(okay|thanks|great|good), (and|now) {M}?",
  "(can you|could you) (also do|do) (that|it|the same) (for|with) {X}?",
  "{X}?",
  "(now|then|next) {X}, please",
  "(what if it's|and if it's) {X}?",
  "(sorry|no|oh), (I meant|make that|I wanted) {X}",
];
const ADDED: readonly string[] = [
  "(and|what about|how about|ok, and|now) {M}?",
  "(make it|make that|change it to|better) {X}",
  "{M} (instead|rather|please|this time)",
  "(actually|sorry|hm|no wait), {M}",
  "(the same|same again|that again|once more)(,| but) {M}",
  "(thanks|good|okay), (now|but|and) {M}",
];
const AGAIN: readonly string[] = [
  "(again|once more|one more time)(| please|, please)",
  "(check|do|run|try) (that|it) (again|once more)(|, please)",
  "(could you|can you) (check|look|do that|try) again?",
  "(has it changed|has that changed|has anything changed|did it change)(| since| meanwhile)?",
  "(is that|is it) still (so|the case|the same)?",
  "(refresh|repeat) (that|it)(| please|, please)",
  "(any news|anything new)(| since| there)?",
];
const LEADS: readonly string[] = ["And ", "and ", "ok and ", "Thanks. And ", "Great, thanks, and ", "Good, and ", "Then ", "And then "];
/** Of a request that points back by words of its own, which need not be tied to what was said. */
const FREE_LEADS: readonly string[] = ["", "", "Also, ", "Ok, ", "Great, thanks. ", "Good. ", "One more thing: ", "Hm, "];

/** A follow-up of one of the ways above; a draw that does not work out gives null and is tried again. */
export const followUp: Recipe = (world, model, rng, heldout, turn) => {
  const way = rng.weighted<Recipe>([
    [anotherValue, 3],
    [anotherTool, world.tools.length > 1 ? 3 : 0],
    [added, 2],
    [again, changes(model.tool) ? 0 : 0.5],
    [afresh, 1.5],
  ]);
  return way(world, model, rng, heldout, turn);
};

/** The same tool with another value of what it is asked about. */
const anotherValue: Recipe = (world, model, rng, heldout) => {
  const bindings = drawBindings(world, model, rng, { optional: 0.25, most: 2, heldout });
  if (bindings === null) return null;
  const required = bindings.filter((b) => b.param.property.required);
  const target = required.find((b) => CHANGED.test(b.param.role.kind)) ?? required.find((b) => !FIXED.test(b.param.role.kind));
  const value = target && anotherOf(target.param, bindings, world, model, rng, heldout);
  if (target === undefined || value === null || value === undefined) return null;
  return changed(world, model, bindings, target.param, value, ANOTHER, rng);
};

/** The same thing again with one more argument, or with another of those that say how. */
const added: Recipe = (world, model, rng, heldout) => {
  const bindings = drawBindings(world, model, rng, { optional: 0.3, most: 2, heldout });
  if (bindings === null) return null;
  const open = model.params.filter(
    (p) =>
      !THING.test(p.role.kind) && !/^(constant|object|edit|token|secret)$/.test(p.role.kind) && (p.property.required || !bindings.some((b) => b.param === p)),
  );
  if (open.length === 0) return null;
  const target = rng.pick(open);
  const value = anotherOf(target, bindings, world, model, rng, heldout);
  return value === null ? null : changed(world, model, bindings, target, value, ADDED, rng);
};

/** The first request, and one that says nothing but the new value of one argument. */
function changed(world: World, model: ToolModel, before: readonly Binding[], param: Param, value: Value, shapes: readonly string[], rng: Rng): Made | null {
  // One end of a span says nothing without the other, and may come to lie beyond it.
  if (param.role.side !== null && before.some((b) => b.param !== param && b.param.role.kind === param.role.kind && b.param.role.side !== null)) return null;
  const had = before.some((b) => b.param === param);
  const wanted = had ? before.map((b) => (b.param === param ? { param, value } : b)) : [...before, { param, value }];
  const second = makeValid(model, wanted);
  if (second === null || second.length !== wanted.length) return null;
  const first = writeRequest(model, before, rng, { style: "normal" });
  if (first === null) return null;
  const topic = singular(model.objects[0] ?? "");
  // `that allows smoking` hangs on a thing that a follow-up does not name.
  const forms = mentionsOf(param, value, topic).filter((m) => m.at === "after" && !/^,? ?(that|which|who|whose)\b/.test(m.text));
  const bare = value.said !== "" && !mistakable(param, model);
  const usable = shapes.filter((s) => (forms.length > 0 || !s.includes("{M}")) && (bare || !s.includes("{X}")));
  if (usable.length === 0) return null;
  const mention = forms.length > 0 ? rng.weighted(forms.map((f) => [f.text, f.weight] as const)) : "";
  const shape = expand(rng.pick(usable), rng).replace("{M}", literally(mention.replace(/\bX\b/g, "{X}").replace(/^, /, "")));
  // A shape that says nothing of what is changed is not to be understood.
  if (value.said !== "" && !shape.includes("{X}") && mention === "") return null;
  const said = tidy(shape.replaceAll("{X}", literally(value.said)));
  // What has a case of its own keeps it, at the beginning too.
  const user = shape.startsWith("{X}") && !value.caseless ? said : inCase(said, rng);
  const twins = clearOf(twinsOf(model, world), model, first.text, 40);
  const alternatives = (bindings: readonly Binding[]) => (twins === "unclear" ? {} : otherCalls(twins, bindings));
  return {
    frame: `then ${frameOf(shape.replaceAll("{X}", `{${param.property.name}}`))} ${model.tool.name.toLowerCase()}`,
    exchanges: [callExchange(first.text, model, before, rng, alternatives(before)), callExchange(user, model, second, rng, alternatives(second))],
  };
}

/** Whether a value by itself could be taken for another parameter's: one of the same role, or a number beside another. */
const mistakable = (param: Param, model: ToolModel): boolean =>
  model.params.some((p) => p !== param && (p.role.kind === param.role.kind || (isNumeric(p) && isNumeric(param))));

const isNumeric = ({ property }: Param): boolean =>
  property.type === "integer" || property.type === "number" || (property.enum?.every((v) => /^\d+$|^dontcare$/.test(String(v))) ?? false);

/** Another tool about the thing that the first request named. */
const anotherTool: Recipe = (world, model, rng, heldout, turn) => {
  // What is made anew is not the thing that was named before.
  const makes = MAKING.test(model.cls);
  const others = world.tools.filter(
    (t) => t !== model && model.params.some((p) => p.property.required && !(makes && NAME.test(p.role.kind)) && sameThing(p, t) !== undefined),
  );
  if (others.length === 0) return null;
  const other = rng.pick(others);
  const before = drawBindings(world, other, rng, { optional: 0.2, most: 1, heldout });
  const own = drawBindings(world, model, rng, { optional: 0.3, most: 2, heldout });
  if (before === null || own === null) return null;
  const taken = own.map((b) => {
    const theirs = sameThing(b.param, other);
    const value = theirs && before.find((x) => x.param === theirs)?.value;
    return value === undefined ? { binding: b, shared: false } : { binding: { param: b.param, value }, shared: true };
  });
  const wanted = taken.map((t) => t.binding);
  const second = makeValid(model, wanted);
  if (second === null || second.length !== wanted.length || !taken.some((t) => t.shared && t.binding.param.property.required)) return null;
  const first = writeRequest(other, before, rng, { style: "normal" });
  const said = writeRequest(
    model,
    taken.filter((t) => !t.shared).map((t) => t.binding),
    rng,
    { style: "normal", register: "bare" },
  );
  // Words that fit the tool that is in use already would be read as more of the same.
  if (first === null || said === null || !tellsApart(model, other, said.text)) return null;
  const pointing = pointerTo(
    taken.filter((t) => t.shared).map((t) => t.binding.param),
    rng,
  );
  // What neither points back nor is tied to what was said would be a request that leaves something out.
  const text = pointing === "" ? ledIn(said.text, LEADS, rng) : ledIn(pointingBack(said.text, pointing), [...LEADS, ...FREE_LEADS], rng);
  const twins = clearOf(twinsOf(model, world), model, said.text, turn);
  const theirTwins = clearOf(twinsOf(other, world), other, first.text, turn);
  if (twins === "unclear" || theirTwins === "unclear") return null;
  return {
    frame: `then ${said.frame} ${pointing}`.trim(),
    exchanges: [
      callExchange(first.text, other, before, rng, otherCalls(theirTwins, before)),
      callExchange(text, model, second, rng, otherCalls(twins, second)),
    ],
  };
};

/** Whether a request is for one tool rather than another that needs much the same: it says a word of its own. */
function tellsApart(model: ToolModel, other: ToolModel, text: string): boolean {
  const [mine, theirs] = [new Set(splitName(model.tool.name).map(singular)), new Set(splitName(other.tool.name).map(singular))];
  const own = [...mine].filter((w) => !theirs.has(w));
  const alike = model.cls === other.cls && [...mine].some((w) => theirs.has(w) && singular(model.objects[0] ?? "").includes(w));
  return !alike || says(text, own);
}

/** The very same call once more. */
const again: Recipe = (world, model, rng, heldout) => {
  const bindings = drawBindings(world, model, rng, { optional: 0.3, most: 2, heldout });
  const first = bindings && writeRequest(model, bindings, rng, { style: "normal" });
  if (!first) return null;
  const shape = expand(rng.pick(AGAIN), rng);
  const twins = clearOf(twinsOf(model, world), model, first.text, 40);
  const alternatives = twins === "unclear" ? {} : otherCalls(twins, bindings);
  return {
    frame: `again ${frameOf(shape)} ${model.tool.name.toLowerCase()}`,
    exchanges: [
      callExchange(first.text, model, bindings, rng, alternatives),
      callExchange(ledIn(shape, [...FREE_LEADS, ...LEADS], rng), model, bindings, rng, alternatives),
    ],
  };
};

/** A request of its own after another: nothing of the first goes into its call. */
const afresh: Recipe = (world, model, rng, heldout, turn) => {
  const before = served(world, rng, heldout, turn);
  const bindings = drawBindings(world, model, rng, { optional: 0.3, most: 2, heldout });
  const second = bindings && writeRequest(model, bindings, rng, { style: "normal" });
  if (before === null || !second) return null;
  const twins = clearOf(twinsOf(model, world), model, second.text, turn);
  if (twins === "unclear") return null;
  return {
    frame: `afresh ${second.frame}`,
    exchanges: [before, callExchange(second.text, model, bindings, rng, otherCalls(twins, bindings))],
  };
};

/** A request that a tool served, and then words that want no call: a closing, a plain question, something that no tool does. */
export const afterCall: Recipe = (world, _model, rng, heldout, turn) => {
  const before = served(world, rng, heldout, turn);
  if (before === null) return null;
  const kind = rng.weighted([
    ["closing", 4],
    ["plain", 4],
    ["beyond", 2],
  ] as const);
  if (kind === "closing") {
    const shape = expand(rng.pick(CLOSINGS), rng);
    const user = inCase(rng.chance(0.7) ? shape : `${shape}${rng.pick(["!", ".", ""])}`, rng);
    return { frame: `closing ${frameOf(shape)}`, exchanges: [before, { kind: "say", user, answer: rng.pick(CLOSING_ANSWERS) }] };
  }
  const lead = rng.pick(["", "", "Thanks! ", "Great. By the way, ", "Ok. Something else: ", "Good to know. ", "Another question: ", "Thanks. "]);
  const after = (text: string): string => (/[,:] $/.test(lead) ? `${lead}${uncapital(text)}` : `${lead}${text}`);
  if (kind === "plain") {
    const q = plainQuestion(world.tools, world.territory, rng);
    return q && { frame: `after ${q.frame}`, exchanges: [before, { kind: "plain", user: after(q.text) }] };
  }
  const q = outOfScope(world.tools, world.territory, rng);
  return q && { frame: `after ${q.frame}`, exchanges: [before, { kind: "say", user: after(q.text), answer: q.refusal }] };
};

/** A request to any tool, with its call. */
function served(world: World, rng: Rng, heldout: boolean, turn: number): Exchange | null {
  if (world.tools.length === 0) return null;
  const tool = rng.pick(world.tools);
  const bindings = drawBindings(world, tool, rng, { optional: 0.25, most: 1, heldout });
  const r: Request | null = bindings && writeRequest(tool, bindings, rng, { style: "normal" });
  if (bindings === null || r === null) return null;
  const twins = clearOf(twinsOf(tool, world), tool, r.text, turn);
  return twins === "unclear" ? null : callExchange(r.text, tool, bindings, rng, otherCalls(twins, bindings));
}

/** Another value than the one that an argument has, if it has one. */
function anotherOf(param: Param, bindings: readonly Binding[], world: World, model: ToolModel, rng: Rng, heldout: boolean): Value | null {
  const old = bindings.find((b) => b.param === param)?.value;
  const ctx: Context = { used: new Set(bindings.map((b) => String(b.value.json))) };
  const value = makeValue(param.property, param.role, rng, ctx, {
    heldout,
    known: world.known,
    making: model.cls === "create" || model.cls === "write",
    topic: singular(model.objects[0] ?? ""),
  });
  return value === null || JSON.stringify(value.json) === JSON.stringify(old?.json) ? null : value;
}

/** The parameter of another tool that holds the same thing: alike in role, name, form and type. */
const sameThing = (p: Param, other: ToolModel): Param | undefined =>
  THING.test(p.role.kind)
    ? other.params.find(
        (q) =>
          q.role.kind === p.role.kind &&
          q.property.name === p.property.name &&
          q.property.type === p.property.type &&
          q.role.layout === p.role.layout &&
          q.role.side === p.role.side,
      )
    : undefined;

/** The request with words at the end of its first sentence that point at what was named before. */
export const pointingBack = (text: string, pointer: string): string => text.replace(/(?<!\b[A-Z])[.?!]+(?=\s+[A-Z])|[.?!]*$/, (marks) => ` ${pointer}${marks}`);

/** Words that point at the thing, or none. */
export function pointerTo(shared: readonly Param[], rng: Rng): string {
  const one = shared.length === 1 ? (shared[0] as Param) : undefined;
  if (one === undefined || one.role.side !== null) return "";
  if (THERE.test(one.role.kind)) return rng.pick(["there", "there", "there", `for the same ${one.role.noun}`, ""]);
  return rng.pick([`for that ${one.role.noun}`, `for the same ${one.role.noun}`, "for it", "for that", ""]);
}

/** With a word or two before it that tie it to what was said; a sentence goes on in lower case after one. */
function ledIn(text: string, leads: readonly string[], rng: Rng): string {
  const lead = rng.pick(leads);
  if (lead === "") return inCase(text, rng);
  return inCase(/[.] $/.test(lead) ? `${lead}${capital(text)}` : `${lead}${uncapital(text)}`, rng);
}

/** Mostly with a capital at its beginning, as people type the first word of a message. */
const inCase = (text: string, rng: Rng): string => (rng.chance(0.35) ? text : capital(text));
