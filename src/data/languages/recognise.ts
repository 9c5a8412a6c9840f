/**
 * Which language a request is in, by the words that it is made of: no model, the same everywhere. Sure or silent: a request of names and numbers has no
 * language, and of one that could be in two none is said. Beside the languages with a pack it knows some by name that have none (others.json), English among
 * them, so that their neighbours are not taken for them; a script that no pack is written in is told by its letters.
 */
import others from "./others.json" with { type: "json" };
import { type LanguagePack, listOf, packs } from "./pack.ts";

export interface Language {
  /** ISO 639-1; empty where only the script is known. */
  readonly code: string;
  /** As messages have it. */
  readonly name: string;
}

export const ENGLISH: Language = { code: "en", name: "English" };

/** What a word counts for a language alone; what several languages have is shared among them. */
const WORD = 1;
/** A word that is in no list counts so much by its ending, and by a letter that only one of the languages has. */
const ENDING = 0.35;
const LETTER = 0.7;
/**
 * The least that a language has to have, the least for each word of the request, and how many times the next one's. Chosen on requests that were written
 * for it (tests/data/languages.test.ts has others): below, names decide; above, requests of three words are told no more.
 */
const LEAST = 0.9;
const LEAST_PER_WORD = 0.14;
const TIMES = 1.3;

interface Known {
  readonly languages: readonly Language[];
  /** Word → the places of its languages: as it is written, and without its accents. */
  readonly words: ReadonlyMap<string, readonly number[]>;
  readonly plain: ReadonlyMap<string, readonly number[]>;
  readonly endings: readonly (readonly [string, number])[];
  readonly letters: ReadonlyMap<string, number>;
  /** Places of the languages whose nouns have a capital. */
  readonly capitals: ReadonlySet<number>;
}

let known: Known | undefined;

function knowledge(): Known {
  if (known !== undefined) return known;
  const entries = [
    ...packs().map((p) => ({ code: p.code, name: p.name, ...p.recognise, words: wordsOf(p), endings: listOf(p.recognise.endings) })),
    ...Object.entries(others as Readonly<Record<string, { name: string; words: string; requests?: string }>>).map(([code, o]) => ({
      code,
      name: o.name,
      words: `${o.words} ${o.requests ?? ""}`,
      endings: [],
      letters: "",
      capital_nouns: false,
    })),
  ];
  const words = new Map<string, number[]>();
  const plain = new Map<string, number[]>();
  const enter = (into: Map<string, number[]>, all: readonly string[], at: number): void => {
    for (const word of new Set(all)) into.set(word, [...(into.get(word) ?? []), at]);
  };
  for (const [at, entry] of entries.entries()) {
    const all = listOf(entry.words).map((w) => w.toLowerCase());
    enter(words, all, at);
    enter(plain, all.map(withoutAccents), at);
  }
  known = {
    languages: entries.map(({ code, name }) => ({ code, name })),
    words,
    plain,
    endings: entries.flatMap((e, at) => e.endings.map((ending) => [withoutAccents(ending), at] as const)),
    letters: new Map(entries.flatMap((e, at) => [...e.letters].map((letter) => [letter, at] as const))),
    capitals: new Set(entries.flatMap((e, at) => (e.capital_nouns ? [at] : []))),
  };
  return known;
}

/** All words of a pack's own sentences too: who knows how something is said knows the words. */
function wordsOf({ recognise: { words, requests }, lines, rewordings, results }: LanguagePack): string {
  const { about, found, done, empty, failed, timeout } = results;
  const sentences = [...Object.values(lines).flat(), ...rewordings.flatMap((r) => r.forms), about, found, done, empty, failed, timeout].flat();
  return [words, requests, ...sentences.flatMap((line) => line.replace(/\{\w+\}/g, " ").match(/[\p{L}\p{M}]+/gu) ?? [])].join(" ");
}

/** Lower case, without marks; ß and ligatures as they are typed where there is no such key. */
export const withoutAccents = (text: string): string =>
  text
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{M}+/gu, "")
    .replaceAll("ß", "ss")
    .replaceAll("œ", "oe")
    .replaceAll("æ", "ae");

/** What says nothing of the language around it: quotations, blanks, addresses, code. */
const FOREIGN = /"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|`[^`]*`|\{[^}]*\}|\S*[\d_@/\\]\S*|\S+\.\S+/g;

/** Words of no language's own: people say them everywhere. */
const EVERYWHERE = new Set(
  "server servers test status api id hotel hotels restaurant restaurants email e-mail mail ticket tickets alarm timer sensor sensors team online app login link video album radio internet computer software taxi park bar festival film menu pizza total normal normal final general local digital original stock web blog chat bot json csv pdf url http https prod dev".split(
    " ",
  ),
);

/** Kana, which Japanese alone has, among letters that it shares with Chinese. */
const KANA = /[\p{Script=Hiragana}\p{Script=Katakana}]/u;
const JAPANESE = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/gu;
/** Scripts without a pack, by what is in them. */
const SCRIPTS: readonly (readonly [RegExp, string])[] = [
  [/\p{Script=Hangul}/gu, "Korean"],
  [/\p{Script=Han}/gu, "Chinese"],
  [/\p{Script=Cyrillic}/gu, "a language in Cyrillic letters"],
  [/\p{Script=Arabic}/gu, "a language in Arabic letters"],
  [/\p{Script=Greek}/gu, "Greek"],
  [/\p{Script=Hebrew}/gu, "Hebrew"],
  [/\p{Script=Devanagari}/gu, "a language in Devanagari"],
  [/\p{Script=Thai}/gu, "Thai"],
];

/**
 * The language of a text, or null where it is not sure.
 * @param among codes of the languages that it may be in (all that are known, if left out)
 */
export function recognise(text: string, among?: readonly string[]): Language | null {
  const own = text.normalize("NFC").replace(FOREIGN, " ");
  const letters = own.match(/\p{L}/gu)?.length ?? 0;
  const isIn = (script: RegExp): boolean => (own.match(script)?.length ?? 0) * 3 > letters;
  if (letters === 0) return null;
  if (KANA.test(own) && isIn(JAPANESE)) return { code: "", name: "Japanese" };
  const script = SCRIPTS.find(([of]) => isIn(of));
  if (script !== undefined) return { code: "", name: script[1] };
  const { languages, words, plain, endings, letters: only, capitals } = knowledge();
  const scores = languages.map(() => 0);
  const give = (at: number, points: number): void => {
    if (among === undefined || among.includes(languages[at]?.code ?? "")) scores[at] = (scores[at] as number) + points;
  };
  const tokens = [...own.matchAll(/[\p{L}\p{M}]+/gu)].filter(([token]) => !EVERYWHERE.has(token.toLowerCase()));
  for (const { 0: token, index } of tokens) {
    const word = withoutAccents(token);
    // As it is written where it is a word so ("es" is no "és"), else as somebody without such keys means it.
    const of = words.get(token.toLowerCase()) ?? plain.get(word);
    const name = /^\p{Lu}\p{L}/u.test(token) && !/(?:^|[.!?:¿¡\n])\s*$/.test(own.slice(0, index));
    if (of !== undefined) for (const at of of) if (!name || capitals.has(at)) give(at, WORD / of.length);
    if (of === undefined && !name && word.length > 4) {
      const found = new Set(endings.filter(([ending]) => word.endsWith(ending) && word.length > ending.length + 2).map(([, language]) => language));
      for (const at of found) give(at, ENDING / found.size);
    }
    if (!name) for (const at of new Set([...token.toLowerCase()].flatMap((c) => only.get(c) ?? []))) give(at, LETTER);
  }
  for (const at of new Set([...own].flatMap((c) => (/\p{L}/u.test(c) ? [] : (only.get(c) ?? []))))) give(at, LETTER);
  const ranked = scores.map((score, at) => ({ score, at })).sort((a, b) => b.score - a.score || a.at - b.at);
  const [best, next] = ranked as [(typeof ranked)[number], (typeof ranked)[number]];
  const sure = best.score >= LEAST && best.score >= LEAST_PER_WORD * tokens.length && best.score >= TIMES * next.score;
  return sure ? (languages[best.at] as Language) : null;
}
