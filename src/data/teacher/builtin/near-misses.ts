/**
 * Near misses: requests that speak of what the tools speak of and that none of them serves. Another deed to a tool's own thing ("cancel the flight" where
 * flights can only be searched), its own deed to another thing ("find a train" there), a question with a value that it takes ("which language do they speak
 * in Lisbon?"). What a toolset's names and descriptions say it might serve is left out.
 */
import type { Rng } from "../../../platform/rng.ts";
import { literally, singular } from "./english.ts";
import { expand } from "./expand.ts";
import type { ToolModel } from "./model.ts";
import { sayVerb, type VerbClass } from "./verbs.ts";
import { DAYS, DEEDS, ELSEWHERE, OF_PLACES, WHICH } from "./words/near-misses.ts";
import { US_PLACES, WORLD_PLACES } from "./words/places.ts";

/** A phrase, and the same with its blanks open: what is counted as one frame. */
export interface Phrase {
  readonly say: string;
  readonly blank: string;
}

/** Whether a toolset is one for these: where every tool's domain has near misses of its own (weather, files), those are better. */
export const hasOwn = (tools: readonly ToolModel[]): boolean => tools.every((t) => t.domains.some((d) => d.beyond !== undefined));

/** Verbs that may mean any deed. */
const ANY_DEED = /\b(manag|handl|maintain|administ|perform|operat)/i;
/** A thing's name that reads well after `the` and `my`, and the names of anything at all. */
const THING = /^[a-z][a-z -]{2,24}$/;
const ANYTHING = /^(information|info|data|details?|help|defaults?|results?|lists?|items?|values?|status)$/;
/** How often another deed is asked of the tools' own thing; else their deed of another. */
const OWN_THING = 0.5;

/** A verb phrase in the base form that no tool serves, or null where this draw might be served: where a tool searches for anything, nothing is looked for. */
export function actionBeside(tools: readonly ToolModel[], searchesAnything: boolean, rng: Rng): Phrase | null {
  const said = wordsOf(tools);
  const tool = rng.pick(tools);
  return rng.chance(OWN_THING) ? otherDeed(tools, tool, said, rng) : otherThing(tool, searchesAnything, said, rng);
}

function otherDeed(tools: readonly ToolModel[], tool: ToolModel, said: string, rng: Rng): Phrase | null {
  const deed = rng.pick(DEEDS);
  const things = tool.objects.filter((o) => THING.test(o) && !ANYTHING.test(o));
  const [which, form] = [rng.pick(WHICH), rng.pick(deed.say)];
  if (things.length === 0 || ANY_DEED.test(said) || serves(deed.needs, said) || tools.some((t) => deed.by.includes(t.cls))) return null;
  const one = rng.pick(things);
  const object = rng.chance(0.35) ? `my ${singular(one)}` : `the ${rng.chance(0.5) ? singular(one) : one}`;
  // What follows the thing ends the phrase only where the thing does.
  const tail = form.endsWith("{O}") ? fill(expand(which, rng), rng) : "";
  return { say: form.replace("{O}", literally(object)) + tail, blank: `${form.replace("{O}", "{object}")}${form.endsWith("{O}") ? which : ""}` };
}

/** Which list of other things goes with a class of verbs. */
const LISTS: Readonly<Record<VerbClass, keyof typeof ELSEWHERE | null>> = {
  read: "seek",
  list: "seek",
  search: "seek",
  check: "seek",
  book: "book",
  update: "change",
  toggle: null,
  delete: "end",
  send: "tell",
  write: "tell",
  create: "make",
  move: null,
  connect: null,
  convert: null,
  compute: null,
  run: null,
  play: null,
  register: null,
};

/** Verbs of a class that go with any of its list; of the other classes all do. */
const FITTING: Partial<Record<VerbClass, RegExp>> = {
  update: /^(update|edit|modify|change|set|adjust)$/,
  create: /^(create|make|generate|build|compose|draft|design|produce)$/,
};

function otherThing(tool: ToolModel, searchesAnything: boolean, said: string, rng: Rng): Phrase | null {
  const list = LISTS[tool.cls];
  if (list === null || FITTING[tool.cls]?.test(tool.verb) === false || (list === "seek" && searchesAnything)) return null;
  const thing = rng.pick(ELSEWHERE[list]);
  const verb = rng.pick(sayVerb(tool.verb, tool.cls));
  if (serves(thing.needs, said)) return null;
  return { say: `${verb} ${fill(thing.say, rng)}`, blank: `${verb} ${thing.say}` };
}

/** A question with a place in it that wants no call, where the tools take places; null where this draw might want one. */
export function questionOfPlace(tools: readonly ToolModel[], rng: Rng): Phrase | null {
  const question = rng.pick(OF_PLACES);
  if (serves(question.needs, wordsOf(tools))) return null;
  const shape = expand(question.say, rng);
  return { say: fill(shape, rng), blank: shape };
}

/** Whether a tool takes a place, so that such a question may be mistaken for its request. */
export const takesPlaces = (tools: readonly ToolModel[]): boolean => tools.some((t) => t.params.some((p) => p.role.kind === "place"));

/** What the tools' names and descriptions say. */
const wordsOf = (tools: readonly ToolModel[]): string => tools.map((t) => `${[...t.vocabulary].join(" ")} ${t.tool.description.slice(0, 2000)}`).join(" ");

/** Whether one of the words begins so. */
const serves = (beginnings: readonly string[], said: string): boolean => beginnings.some((w) => new RegExp(`\\b${w}`, "i").test(said));

function fill(text: string, rng: Rng): string {
  const city = () => rng.pick(rng.chance(0.7) ? WORLD_PLACES : US_PLACES).city;
  const [one, other, day] = [city(), city(), rng.pick(DAYS)];
  return text.replace("{CITY}", literally(one)).replace("{OTHER}", literally(other)).replace("{DAY}", literally(day));
}
