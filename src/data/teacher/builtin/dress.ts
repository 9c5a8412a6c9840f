/** Dresses a request in a register: greetings, small talk before it, politeness, lower case, missing marks. */
import type { Rng } from "../../../platform/rng.ts";
import { capital, tidy, uncapital } from "./english.ts";
import type { ToolModel } from "./model.ts";
import * as P from "./patterns.ts";
import { verbClass } from "./verbs.ts";

/** `bare`: the sentences as they are, to be put into another. */
export type Register = "bare" | "plain" | "polite" | "casual" | "terse" | "chatty";

/** Text in lower case, except for its blanks. */
export const lowerOutside = (text: string) => text.replace(/(\{[^}]*\})|([^{]+)/g, (_, blank?: string, rest?: string) => blank ?? (rest ?? "").toLowerCase());

const OTHER_VERBS = new Set("get show give pull look bring tell find put shoot jot note google ls mkdir do let google print draw track ask".split(" "));
/** Whether a sentence begins with a verb: an order. */
const isVerbal = (body: string): boolean => {
  const w = (body.split(/[ ,]/)[0] ?? "").toLowerCase();
  return verbClass(w) !== null && !/^(weather|temperature|forecast|alert|index|help|order|status|note|match|count|post|list)s?$/.test(w)
    ? !/^\w+ (in|for|from|of|with|at|on)\b/i.test(body) || /^(search|look|go)/i.test(body)
    : OTHER_VERBS.has(w);
};

/** The sentences of a request as one text. */
export function dress(core: readonly string[], model: ToolModel, rng: Rng, register: Register): string {
  let [body = "", ...more] = core;
  // Patterns that offer `can you|please` end in a question mark for the one and need none for the other.
  if (/^(please|make|get|book|reserve|arrange)\b/i.test(body)) body = body.replace(/\?$/, "");
  if (register === "bare") return tidy([body, ...more].map((s, i, all) => (i === all.length - 1 || /[.?!]$/.test(s) ? s : `${s}.`)).join(" "));
  const question = body.endsWith("?");
  const order = /^(can|could|would|will|please|what|which|is|are|do|does|how|when|where|who|did|has|have|any)\b/i.test(body);
  if (register === "polite") {
    const imperative = !order && isVerbal(body);
    if (/please|kindly/i.test(body)) body = `${body}`;
    else if (rng.chance(0.5)) body = question ? `${body.slice(0, -1)}, please?` : imperative ? `Please ${uncapital(body)}` : `${body}, please`;
    else if (!question)
      body = imperative
        ? `${rng.pick(["If you don't mind,", "When you have a moment,", "Please", "If it's not too much trouble,"])} ${uncapital(body)}`
        : /^(I|we)\b/i.test(body)
          ? `${body}, ${rng.pick(["if possible", "if you don't mind", "please"])}`
          : `${body}, please`;
  }
  if (register === "terse") {
    const asked = /^(can|could|would|will) you /i.test(body);
    body = body.replace(/^(can|could|would|will) you (please |kindly |quickly |just |also )?/i, "").replace(/^please /i, "");
    if (asked || (more.length === 0 && rng.chance(0.7))) body = body.replace(/\?$/, "");
  }
  if (register === "chatty" && rng.chance(0.3) && !question && !/please/i.test(body)) body = `${body} ${rng.pick(P.TAILS)}`;
  const sentences = [body, ...more];
  const before: string[] = [];
  const contexts = model.domains.flatMap((d) => d.contexts ?? []);
  if (register === "chatty") before.push(rng.chance(0.5) && contexts.length > 0 ? rng.pick(contexts) : rng.pick(P.CONTEXTS));
  const greet = rng.chance(register === "polite" || register === "chatty" ? 0.35 : register === "casual" ? 0.2 : 0.07)
    ? rng.pick(rng.chance(0.75) ? P.GREETINGS : P.LEADS)
    : "";
  const after = register === "polite" && rng.chance(0.35) ? rng.pick(P.CLOSERS) : "";
  const stop = (s: string, final: boolean) =>
    /[.?!]$/.test(s) ? s : final && (register === "casual" || register === "terse") ? s : `${s}${rng.chance(0.04) ? "!" : "."}`;
  const parts = [...before, ...sentences].map((s, i, all) => capital(stop(s, i === all.length - 1 && after === "")));
  let text = parts.join(" ");
  if (greet !== "") text = rng.chance(0.6) ? `${greet}, ${uncapital(text)}` : `${greet}! ${text}`;
  if (after !== "") text = `${text} ${after}`;
  const lower = register === "casual" || register === "terse" ? rng.chance(0.55) : rng.chance(0.04);
  if (lower) {
    text = lowerOutside(text).replace(/\.$/, "");
    if (rng.chance(0.35)) text = text.replace(/\?$/, "");
    if (rng.chance(0.25)) text = text.replace(/\b(what|how|i|let|that|where)'(s|m|d)\b/g, "$1$2");
    if (rng.chance(0.1)) text = text.replace(/\bplease\b/g, "pls");
  }
  return tidy(text);
}
