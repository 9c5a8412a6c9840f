/**
 * Varies the wording of a request in a language with a pack: another form of the same question, a greeting, small talk, a courtesy more or less, and what
 * typing does to it. What is put round a request is a line of its language's pack that speaks to people as the request does (address.ts); what it says, and
 * what stands in it word for word, stays.
 */
import type { Rng } from "../../platform/rng.ts";
import { type Address, addressOf, fits } from "./address.ts";
import { putBack, takeOut } from "./keep.ts";
import { type LanguagePack, lexiconOf, listOf } from "./pack.ts";
import { reword, sentencesOf } from "./reword.ts";
import { misspelt, small, withoutKeys, withoutMarks } from "./typing.ts";

type Register = "plain" | "polite" | "casual" | "terse" | "chatty";
const REGISTERS: readonly Register[] = ["plain", "polite", "casual", "terse", "chatty"];

/** How often a request is said in another form, where it is in a known one. */
const REWORDED = 0.6;
/** How often what says nothing goes, where there is some. */
const SHORTER = 0.5;
/** Share with a misspelt word, and with no accents (in a hurry). */
const MISSPELT = 0.15;
const PLAIN = 0.1;
const PLAIN_IN_HASTE = 0.3;
const GREETED: Readonly<Record<Register, number>> = { plain: 0.25, polite: 0.45, casual: 0.3, terse: 0, chatty: 0.5 };
const LED = 0.12;
const TALKED: Readonly<Record<Register, number>> = { plain: 0.1, polite: 0.1, casual: 0.1, terse: 0, chatty: 0.9 };
const TAILED: Readonly<Record<Register, number>> = { plain: 0.1, polite: 0.7, casual: 0.15, terse: 0, chatty: 0.2 };
const CLOSED: Readonly<Record<Register, number>> = { plain: 0.12, polite: 0.4, casual: 0.1, terse: 0, chatty: 0.25 };

export interface Varied {
  /** The request with the values that change blanked (`{v0}`). */
  readonly blanked: string;
  /** Words that have to stay: the values of its calls. */
  readonly kept: readonly string[];
  /** How the conversation that it is in speaks to people. */
  readonly address: Address;
  /** Whether it is the conversation's only request. */
  readonly alone: boolean;
  readonly pack: LanguagePack;
  readonly rng: Rng;
  /** Whether what typing does is to be seen too. */
  readonly slips: boolean;
}

/** The request in other words, its blanks in it. */
export function varied({ blanked, kept, address, alone, pack, rng, slips }: Varied): string {
  const { text, taken } = takeOut(blanked, kept);
  const caseless = text === text.toLowerCase() && /\p{L}/u.test(text);
  const register = rng.pick(REGISTERS);
  let body = rng.chance(SHORTER) ? shorter(ungreeted(text, pack), pack) : ungreeted(text, pack);
  if (rng.chance(REWORDED)) {
    const own = joined(address, addressOf(body, pack));
    body = reword(body, own === "none" && alone ? "free" : own, pack, rng);
  }
  body = dressed(body, address, pack, register, rng);
  // Whoever wrote without capitals does so all through.
  if (caseless) body = lower(body);
  if (slips) body = typed(body, kept, pack, register, rng);
  return putBack(body.replace(/[ \t]+/g, " ").trim(), taken);
}

/** How two texts together speak to people. */
export function joined(a: Address, b: Address): Address {
  if (a === "none" || a === b) return b;
  return b === "none" ? a : "both";
}

/** Without a greeting in front; it begins with a capital then. */
function ungreeted(text: string, pack: LanguagePack): string {
  const greetings = pack.lines.greetings.map((g) => g.replace(/[.*+?^$()|[\]\\/]/g, "\\$&")).sort((a, b) => b.length - a.length);
  const rest = text.replace(new RegExp(`^[¡]?(?:${greetings.join("|")})\\s?[,!.]+\\s*`, "iu"), "");
  return rest === text || !/\p{L}/u.test(rest) ? text : capital(rest);
}

/** Whether it begins with a greeting all the same (without a comma behind it). */
const greets = (text: string, pack: LanguagePack): boolean => pack.lines.greetings.some((g) => text.toLowerCase().startsWith(`${g.toLowerCase()} `));

const bare = (sentence: string): string =>
  sentence
    .replace(/[\s.!?¡¿…]+/gu, " ")
    .trim()
    .toLowerCase();

/** Without the pack's own small talk before it and courtesies after it; what is left is a request still. */
function shorter(text: string, pack: LanguagePack): string {
  const talk = new Set(pack.lines.contexts.map(bare));
  const courtesies = new Set(pack.lines.closers.map(bare));
  const sentences = sentencesOf(text);
  const from = sentences.findIndex((s) => !talk.has(bare(s)));
  const to = sentences.findLastIndex((s) => !courtesies.has(bare(s)));
  return from < 0 || to < from
    ? text
    : sentences
        .slice(from, to + 1)
        .join("")
        .trim();
}

function dressed(body: string, given: Address, pack: LanguagePack, register: Register, rng: Rng): string {
  const { lines } = pack;
  const address = joined(given, addressOf(body, pack));
  const pick = (from: readonly string[]): string => {
    const fitting = from.filter((l) => fits(l, address, pack));
    return fitting.length === 0 ? "" : rng.pick(fitting);
  };
  const { courteous } = lexiconOf(pack);
  const isCourtesy = (words: string): boolean => (words.match(/[\p{L}\p{M}]+/gu) ?? []).some((w) => courteous.has(w.toLowerCase()));
  const isCourteous = isCourtesy(body);
  let text = body;
  const tailed = !isCourteous && rng.chance(TAILED[register]);
  // Behind a question a condition is none ("How is the weather, if you can?"); a please is.
  if (tailed) text = withTail(text, pick(lines.tails.filter((tail) => !/\?\s*$/.test(text) || isCourtesy(tail))));
  if (rng.chance(TALKED[register])) text = `${pick(lines.contexts)} ${capital(text)}`;
  if (!greets(text, pack)) {
    if (rng.chance(GREETED[register])) {
      const greeting = pick(lines.greetings);
      text = startsSmall(text, pack) && rng.chance(0.7) ? `${greeting}, ${uncapital(text)}` : `${exclaimed(greeting, pack)} ${text}`;
    } else if (rng.chance(LED)) text = `${pick(lines.leads)}${colon(pack)} ${startsSmall(text, pack) ? uncapital(text) : text}`;
  }
  if (!isCourteous && !tailed && rng.chance(CLOSED[register])) text = `${/[.!?…]$/u.test(text) ? text : `${text}.`} ${pick(lines.closers)}`;
  return text;
}

/** Before the marks of its last sentence. */
function withTail(text: string, tail: string): string {
  const marks = /\s*[.!?…]*\s*$/u.exec(text)?.[0] ?? "";
  return `${text.slice(0, text.length - marks.length)}${tail}${marks}`;
}

/** French sets a blank before its marks, and Spanish has one in front. */
const exclaimed = (text: string, pack: LanguagePack): string =>
  `${pack.typing.drops.includes("¡") ? "¡" : ""}${text}${pack.question_mark === " ?" ? " !" : "!"}`;
const colon = (pack: LanguagePack): string => (pack.question_mark === " ?" ? " :" : ":");

function typed(text: string, kept: readonly string[], pack: LanguagePack, register: Register, rng: Rng): string {
  const haste = register === "casual" || register === "terse";
  const without = rng.chance(haste ? PLAIN_IN_HASTE : PLAIN);
  let out = text;
  if (rng.chance(MISSPELT)) out = misspelt(out, new Set(kept.flatMap((k) => k.toLowerCase().match(/[\p{L}\p{M}]+/gu) ?? [])), pack, rng);
  if (haste && rng.chance(0.6)) out = small(out, pack).replace(/\s*\.$/, "");
  if (haste && rng.chance(0.35)) out = out.replace(/\s*\?$/, "");
  if (haste && rng.chance(0.7)) out = withoutMarks(out, pack);
  return without ? withoutKeys(out, pack) : out;
}

/** First letter, behind an opening mark. */
const FIRST = /^([¿¡]?)(\p{L})/u;
const capital = (text: string): string => text.replace(FIRST, (_, mark: string, c: string) => mark + c.toUpperCase());
const uncapital = (text: string): string => text.replace(FIRST, (_, mark: string, c: string) => mark + c.toLowerCase());
const lower = (text: string): string => text.replace(/\{[^}]*\}|[^{]+/g, (part) => (part.startsWith("{") ? part : part.toLowerCase()));

/** Whether its first word is one that is written small in the middle of a sentence. */
const startsSmall = (text: string, pack: LanguagePack): boolean => {
  const word = /^[¿¡]?([\p{L}\p{M}]+)/u.exec(text)?.[1];
  // A polite Sie keeps its capital.
  return word !== undefined && lexiconOf(pack).small.has(word.toLowerCase()) && !listOf(pack.address.formal).includes(word);
};
