/**
 * How the conversation of each scenario and kind is made. A recipe gets the tool's model and a stream
 * of its own and gives exchanges, or null when its draw cannot be used (it is then asked again).
 */

import type { Rng } from "../../../platform/rng.ts";
import { rivalsOf } from "../../kinds.ts";
import type { Exchange } from "../teacher.ts";
import { askFor, askForAll, supply } from "./asking.ts";
import { callExchange, drawBindings, isBounded, otherCalls, type Wanted } from "./calls.ts";
import { inTurn, parallel } from "./chain.ts";
import { WEATHER_OPEN } from "./domains/weather.ts";
import { literally } from "./english.ts";
import { afterCall, followUp, pointerTo, pointingBack } from "./follow-ups.ts";
import { definite, type ToolModel } from "./model.ts";
import { outOfScope, plainQuestion } from "./plain.ts";
import { argumentsOf, type Binding, type Request, type RequestOptions, writeRequest } from "./request.ts";
import { faultFor } from "./results.ts";
import { clearOf, twinsOf } from "./twins.ts";
import { disturb } from "./unusual.ts";
import { asks } from "./verbs.ts";
import type { Recipe } from "./world.ts";

function request(model: ToolModel, bindings: readonly Binding[], rng: Rng, o: RequestOptions): Request | null {
  return writeRequest(model, bindings, rng, o);
}

/** A plain request for the tool and its call. */
const serve =
  (w: Omit<Wanted, "heldout">, o: RequestOptions = { style: "normal" }, needs: (b: readonly Binding[]) => boolean = () => true): Recipe =>
  (world, model, rng, heldout, turn) => {
    const bindings = drawBindings(world, model, rng, { ...w, optional: turn > 30 ? w.optional / 2 : w.optional, heldout });
    if (bindings === null || (turn < 30 && !needs(bindings))) return null;
    const r = request(model, bindings, rng, o);
    if (r === null) return null;
    const twins = twinsOf(model, world);
    const alternatives = clearOf(twins, model, r.text, turn);
    if (alternatives === "unclear") return null;
    return { frame: r.frame, exchanges: [callExchange(r.text, model, bindings, rng, otherCalls(alternatives, bindings))] };
  };

// --- no tool ---

const general: Recipe = (world, _model, rng) => {
  const q = plainQuestion(world.tools, world.territory, rng);
  return q && { frame: q.frame, exchanges: [{ kind: "plain", user: q.text }] };
};

const beyond: Recipe = (world, _model, rng) => {
  const q = outOfScope(world.tools, world.territory, rng);
  return q && { frame: q.frame, exchanges: [{ kind: "say", user: q.text, answer: q.refusal }] };
};

/** Chances that something is asked before, which does not say it either, and that the request points at what nobody named. */
const CHAT_BEFORE = 0.25;
const POINTLESS = 0.2;

const missingRequired: Recipe = (world, model, rng, heldout) => {
  const bindings = drawBindings(world, model, rng, { optional: 0.15, most: 1, heldout });
  if (bindings === null) return null;
  const required = bindings.filter((b) => b.param.property.required && b.param.role.kind !== "constant");
  if (required.length === 0) return null;
  const all = required.length > 1 && rng.chance(0.4);
  const missing = all ? required : [rng.pick(required)];
  const known = bindings.filter((b) => !missing.includes(b));
  const pointless =
    asks(model.cls) && rng.chance(POINTLESS)
      ? pointerTo(
          missing.map((b) => b.param),
          rng,
        )
      : "";
  const r = request(model, known, rng, { style: "normal", ...(pointless !== "" && { register: "bare" }) });
  if (r === null) return null;
  const ask: Exchange = {
    kind: "say",
    user: pointless === "" ? r.text : pointingBack(r.text, pointless),
    answer:
      all && missing.length > 1
        ? askForAll(
            missing.map((b) => b.param),
            model,
            rng,
          )
        : askFor((missing[0] as Binding).param, model, rng),
  };
  // What was asked before names nothing that the request could point at.
  const chat = pointless === "" && rng.chance(CHAT_BEFORE) ? plainQuestion(world.tools, world.territory, rng) : null;
  const before: Exchange[] = chat === null ? [] : [{ kind: "plain", user: chat.text }];
  const frame = `missing ${r.frame} ${pointless}`.trim();
  const focus = before.length;
  if (heldout || missing.length > 2 || rng.chance(0.4)) return { frame, exchanges: [...before, ask], focus };
  return { frame, exchanges: [...before, ask, callExchange(supply(missing, model, rng), model, bindings, rng)], focus };
};

// --- errors ---

const fails =
  (kind: "error" | "empty" | "timeout"): Recipe =>
  (world, model, rng, heldout) => {
    // Half of the error requests name something that does not exist, so that the real tool may fail by itself.
    const wrong = kind === "error" && rng.chance(0.6);
    const bindings = drawBindings(world, model, rng, { optional: 0.4, most: 2, wrong, heldout });
    if (bindings === null) return null;
    const r = request(model, bindings, rng, { style: "normal" });
    if (r === null) return null;
    const fault = faultFor(kind, model, argumentsOf(bindings, model), rng, heldout);
    return { frame: r.frame, exchanges: [callExchange(r.text, model, bindings, rng, { fault })] };
  };

// --- ambiguity ---

const EITHER: readonly string[] = [
  "(give me|show me|I want|I need|get me) {1} or {2} {ARGS}, (whichever is quicker|either is fine|whatever you have|I don't mind which)",
  "(I'm not sure if I need|not sure whether I want|I can't decide between) {1} or {2} {ARGS}, (just start with the first|take the first one|the first will do)",
  "{1} or {2} {ARGS}, (one of the two is enough|either one works|your choice)",
  "(maybe|perhaps) {1}, or else {2}, {ARGS}",
  "(do you have|can I get|could I see) {1} or {2} {ARGS}?",
];

const severalApply: Recipe = (world, model, rng, heldout) => {
  const rivals = rivalsOf(model.tool, world.toolset)
    .map((t) => world.byName.get(t.name))
    .filter((t): t is ToolModel => t !== undefined);
  if (rivals.length === 0) return null;
  const bindings = drawBindings(world, model, rng, { optional: 0, most: 0, heldout });
  if (bindings === null) return null;
  const open = model.domains.some((d) => d.id === "weather/now" || d.id === "weather/forecast") && rng.chance(0.5);
  const rival = rng.pick(rivals);
  const nouns = [...model.objects, ...model.domains.flatMap((d) => d.objects ?? [])];
  const theirs = [...rival.objects, ...rival.domains.flatMap((d) => d.objects ?? [])].filter((n) => !nouns.includes(n));
  if (theirs.length === 0) return null;
  const patterns = open
    ? WEATHER_OPEN
    : [
        rng
          .pick(EITHER)
          .replace("{1}", literally(definite(rng.pick(nouns))))
          .replace("{2}", literally(definite(rng.pick(theirs)))),
      ];
  const r = request(model, bindings, rng, { style: "open", patterns });
  return (
    r && {
      frame: r.frame,
      // "X or Y" names its two tools; an open question leaves them all.
      exchanges: [callExchange(r.text, model, bindings, rng, otherCalls(open ? rivals : [rival], bindings))],
    }
  );
};

const vague: Recipe = (world, model, rng, heldout) => {
  const bindings = drawBindings(world, model, rng, { optional: 0, most: 0, heldout });
  if (bindings === null) return null;
  const r = request(model, bindings, rng, { style: "vague" });
  if (r === null) return null;
  const rivals = rivalsOf(model.tool, world.toolset)
    .map((t) => world.byName.get(t.name))
    .filter((t): t is ToolModel => t !== undefined);
  return {
    frame: r.frame,
    exchanges: [callExchange(r.text, model, bindings, rng, otherCalls(rivals, bindings))],
  };
};

// --- edges ---

const unusual: Recipe = (world, model, rng, heldout) => {
  const bindings = drawBindings(world, model, rng, { optional: 0.3, most: 2, rare: rng.chance(0.3), heldout });
  if (bindings === null) return null;
  const r = request(model, bindings, rng, { style: "normal", register: rng.pick(["plain", "casual", "chatty"] as const) });
  if (r === null) return null;
  return { frame: r.frame, exchanges: [callExchange(disturb(r.text, bindings, rng), model, bindings, rng)] };
};

/** Recipes by `scenario/kind`; a new kind is a row here and one in kinds.ts. */
export const RECIPES: Readonly<Record<string, Recipe>> = {
  "standard/plain": serve({ optional: 0.5, most: 3 }),
  "standard/detailed": serve({ optional: 0.65, most: 4 }, { style: "normal" }, (b) => b.length > 1),
  "standard/follow_up": followUp,
  "no_tool/general": general,
  "no_tool/out_of_scope": beyond,
  "no_tool/missing_required": missingRequired,
  "no_tool/after_call": afterCall,
  "error/error": fails("error"),
  "error/empty": fails("empty"),
  "error/timeout": fails("timeout"),
  "ambiguous/several_apply": severalApply,
  "ambiguous/vague": vague,
  "edge/boundary": serve({ optional: 0.7, most: 2, extreme: true }, { style: "normal" }, (b) =>
    b.some((x) => isBounded(x.param) || x.param.role.kind === "enum"),
  ),
  "edge/missing_optional": serve({ optional: 0, most: 0 }),
  "edge/unusual_input": unusual,
  "chain/parallel": parallel,
  "chain/in_turn": inTurn,
};
