/** Requests that need no tool: plain questions, and actions that no tool of the set offers. */
import type { Rng } from "../../../platform/rng.ts";
import type { Toolset } from "../../types.ts";
import { capital, gerund, listing, literally, plural, tidy } from "./english.ts";
import { expand } from "./expand.ts";
import { definite, readToolset, type ToolModel } from "./model.ts";
import { actionBeside, hasOwn, type Phrase, questionOfPlace, takesPlaces } from "./near-misses.ts";
import { frameOf, type Request } from "./request.ts";
import { sayVerb } from "./verbs.ts";
import { CHORE_SHAPES, CHORES, MISUSES, REFUSALS } from "./words/chores.ts";
import { TEMPLATES } from "./words/questions.ts";

/** What a toolset speaks of; words that a request may not hold if no tool is to serve it. */
export interface Territory {
  readonly words: ReadonlySet<string>;
  /** A tool can search for anything: knowledge questions could be put to it. */
  readonly searchesAnything: boolean;
}

const COMMON = new Set(
  "a an the of for in to and or by with list get find item name type id data current all information details new time day days year work show me my your user number status person place project set file-name help".split(
    " ",
  ),
);

export function territoryOf(tools: readonly ToolModel[]): Territory {
  const words = new Set<string>();
  for (const t of tools) {
    for (const w of t.vocabulary) if (!COMMON.has(w) && w.length > 2) words.add(w);
    for (const d of t.domains) for (const w of d.vocabulary) words.add(w);
    for (const w of t.tool.description.toLowerCase().match(/[a-z]{4,}/g) ?? []) if (STRONG_NOUNS.has(w)) words.add(w);
  }
  const searchesAnything = tools.some(
    (t) =>
      t.domains.some((d) => d.id === "info/web" || d.id === "info/news" || d.id === "language/translate") ||
      (t.cls === "search" &&
        t.params.some((p) => p.role.kind === "query" && p.property.required) &&
        /web|internet|knowledge|wikipedia|anything|documents?/i.test(t.tool.description)),
  );
  return { words, searchesAnything };
}

/** A toolset as read, and its territory. */
export function readTerritory(toolset: Toolset): { readonly tools: readonly ToolModel[]; readonly territory: Territory } {
  const tools = readToolset(toolset);
  return { tools, territory: territoryOf(tools) };
}

/** Nouns of the chores: when a description speaks of one, its tool may serve the chore. */
const STRONG_NOUNS = new Set(CHORES.flatMap((c) => c.needs));

/** Whether a text speaks of what the tools speak of. */
export const touches = (text: string, territory: Territory) =>
  (text.toLowerCase().match(/[a-z]+/g) ?? []).some((w) => territory.words.has(w) || territory.words.has(w.replace(/s$/, "")));

/** A plain question, or null when the draw falls into the tools' territory. */
export function plainQuestion(tools: readonly ToolModel[], territory: Territory, rng: Rng): Request | null {
  const near = tools.flatMap((t) => t.domains.flatMap((d) => d.nearMisses ?? []));
  if (near.length > 0 && !territory.searchesAnything && rng.chance(0.15)) {
    const text = rng.pick(near);
    return { text: casual(text, rng), frame: `plain ${frameOf(text)}` };
  }
  if (tools.length > 0 && !territory.searchesAnything && rng.chance(SUBJECT_SHARE)) {
    const about = subjectQuestion(rng.pick(tools), rng);
    if (about !== null) return about;
  }
  if (!territory.searchesAnything && !hasOwn(tools) && takesPlaces(tools) && rng.chance(PLACE_SHARE)) {
    const about = questionOfPlace(tools, rng);
    return about && { text: casual(tidy(capital(about.say)), rng), frame: `plain ${frameOf(about.blank)}` };
  }
  const t = rng.pick(TEMPLATES);
  if (territory.searchesAnything && t.kind === "knowledge") return null;
  const shape = expand(t.text, rng);
  const text = tidy(t.fill && shape.includes("{t}") ? shape.replace("{t}", literally(rng.pick(t.fill))) : shape);
  if (touches(text, territory)) return null;
  return { text: casual(text, rng), frame: t.text === "{t}" ? `plain ${frameOf(text)}` : `plain ${frameOf(shape.replace("{t}", "{topic}"))}` };
}

/** Share of the plain questions that speak of what a tool works on and yet want no call. */
const SUBJECT_SHARE = 0.2;
/** Share of them that a place stands in, where tools take places. */
const PLACE_SHARE = 0.15;
/** Of such a thing in general, which no tool looks up; `{S}` its plural. */
const SUBJECT_QUESTIONS: readonly string[] = [
  "(write|make up) (a short|a funny|a two-line) (poem|rhyme|story|joke) about {S}",
  "what do (people|you) (like|dislike|think) about {S}?",
  "(who|how was it that somebody) (invented|came up with) {S}?",
  "what is the history of {S}?",
  "why do (people|we) need {S}?",
  "how (did|would) people (get by|live) without {S}?",
  "what is the difference between good and bad {S}?",
  "explain {S} to a (child|five-year-old)",
  "what is another word for {S}?",
  "how do you spell {S}?",
  "how do {S} work(| in general)?",
  "what should (I|one) know about {S}(| in general)?",
];

function subjectQuestion(tool: ToolModel, rng: Rng): Request | null {
  const object = tool.objects.find((o) => /^[a-z][a-z -]{2,24}$/.test(o));
  if (object === undefined || tool.cls === "search" || tool.domains.length > 0) return null;
  const shape = expand(rng.pick(SUBJECT_QUESTIONS), rng);
  const text = tidy(shape.replace("{S}", literally(plural(object))));
  return { text: casual(text.charAt(0).toUpperCase() + text.slice(1), rng), frame: `plain ${frameOf(shape.replace("{S}", "{subject}"))}` };
}

/** Sometimes without capitals or the final mark, as people type. */
function casual(text: string, rng: Rng): string {
  if (rng.chance(0.22)) return text.toLowerCase().replace(/[?.!]$/, (m) => (rng.chance(0.5) ? "" : m));
  return rng.chance(0.1) ? `${rng.pick(["Hi,", "Hey,", "Quick question:", "Tell me,"])} ${text.charAt(0).toLowerCase()}${text.slice(1)}` : text;
}

export interface OutOfScope extends Request {
  readonly refusal: string;
}

/** Share of the requests beyond the tools that come closest to them (near-misses.ts). */
const BESIDE_SHARE = 0.6;

/** A request for an action that no tool offers, and the honest answer. Null when this draw might be served. */
export function outOfScope(tools: readonly ToolModel[], territory: Territory, rng: Rng): OutOfScope | null {
  const near = tools.length > 0 && !hasOwn(tools) && rng.chance(BESIDE_SHARE) ? actionBeside(tools, territory.searchesAnything, rng) : null;
  const misuse = near === null && rng.chance(0.45) && tools.length > 0 ? nearMiss(tools, territory, rng) : null;
  let say: string;
  let blank: string;
  if (near !== null) ({ say, blank } = near satisfies Phrase);
  else if (misuse !== null) {
    say = misuse;
    blank = say;
  } else {
    const c = rng.pick(CHORES);
    if (c.needs.some((w) => territory.words.has(w))) return null;
    say = rng.pick(c.say);
    if (touches(say.split(" ")[0] ?? "", territory)) return null;
    blank = say;
  }
  const [verb = "", ...rest] = say.split(" ");
  const ing = [gerund(verb), ...rest].join(" ");
  const shape = expand(rng.pick(CHORE_SHAPES), rng);
  const body = shape.replace("{CING}", literally(ing)).replace("{C}", literally(say));
  const frame = `scope ${frameOf(shape.replace("{CING}", literally(blank)).replace("{C}", literally(blank)))}`;
  const question = /^(can|could|would|how about|any chance|is it|is there|are you)/i.test(body);
  let text = tidy(question ? `${body.replace(/\?$/, "")}?` : `${body}${rng.chance(0.7) ? "." : ""}`);
  text = rng.chance(0.3) ? text.toLowerCase().replace(/[?.]$/, (m) => (rng.chance(0.5) ? "" : m)) : text.charAt(0).toUpperCase() + text.slice(1);
  if (rng.chance(0.15)) text = `${rng.pick(["Hi,", "Hello,", "Hey,", "Good morning,"])} ${text.charAt(0).toLowerCase()}${text.slice(1)}`;
  const theirs = say
    .replace(/\bmy\b/g, "your")
    .replace(/\bI\b/g, "you")
    .replace(/\bme\b/g, "you")
    .replace(/\byou're\b|\bI'm\b/g, "you're")
    .replace(/\bus\b/g, "you");
  const [v2 = "", ...r2] = theirs.split(" ");
  const refusal = rng
    .pick(REFUSALS)
    .replace("{CING}", literally([gerund(v2), ...r2].join(" ")))
    .replace("{C}", literally(theirs))
    .replace("{CAN}", literally(capabilities(tools, rng)));
  return { text, frame, refusal: tidy(refusal) };
}

/** An honest answer to a request for anything that no tool offers, without saying its words again. */
export const declineAnything = (tools: readonly ToolModel[], rng: Rng): string =>
  tidy(rng.pick(REFUSALS.filter((r) => !/\{C(ING)?\}/.test(r))).replace("{CAN}", literally(capabilities(tools, rng))));

/** An action on the tools' own subject that none of them offers; null when this draw might be offered. */
function nearMiss(tools: readonly ToolModel[], territory: Territory, rng: Rng): string | null {
  const names = tools.map((t) => `${t.tool.name} ${t.tool.description}`.toLowerCase()).join(" ");
  const beyond = tools.flatMap((t) => t.domains.flatMap((d) => d.beyond ?? []));
  if (beyond.length > 0 && rng.chance(0.5)) {
    const [say, word] = rng.pick(beyond);
    return names.includes(word) ? null : say;
  }
  const m = rng.pick(MISUSES);
  if (m.needs.some((w) => territory.words.has(w)) || tools.some((t) => m.needs.includes(t.verb))) return null;
  return m.say.replace("{O}", literally(definite(rng.pick(rng.pick(tools).objects))));
}

/** What the tools can do, as verb phrases: at most four. */
export function capabilities(tools: readonly ToolModel[], rng: Rng): string {
  const phrases = [...new Set(tools.map((t) => t.domains.find((d) => d.capability)?.capability ?? ability(t, rng)))];
  const chosen = phrases.length > 4 ? rng.shuffle(phrases).slice(0, 3) : phrases;
  return listing(chosen, phrases.length > 1 && rng.chance(0.4) ? "or" : "and");
}

function ability(t: ToolModel, rng: Rng): string {
  const verbs = sayVerb(t.verb, t.cls).filter((v) => !/ me\b|^let /.test(v));
  const np = t.objects[0] ?? "things";
  if (t.cls === "read") return `look up ${definiteOrPlural(np, rng)}`;
  return `${verbs.includes(t.verb) ? t.verb : (verbs[0] ?? t.verb)} ${definiteOrPlural(np, rng)}`;
}

const definiteOrPlural = (np: string, _rng: Rng) => (/s$/.test(np) && !/ss$/.test(np) ? np : definite(np));
