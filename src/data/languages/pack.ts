/**
 * The languages that the builtin augmentation (augment.ts) can vary a request in: one data file each, and a row in the table here. A pack has all of a
 * language that the code beside it needs; none of that code knows a language by name.
 *
 * English has none: its sentences come from the builtin teacher's own dressing (teacher/builtin/dress.ts), which knows a tool's verb and domain and
 * draws in an order of its own. A pack of this form would say other things, and change every English data set that there is.
 */
import type { LanguagePack } from "../../schemas/generated/language-pack.ts";
import de from "./de.json" with { type: "json" };
import es from "./es.json" with { type: "json" };
import fr from "./fr.json" with { type: "json" };
import it from "./it.json" with { type: "json" };
import nl from "./nl.json" with { type: "json" };
import pt from "./pt.json" with { type: "json" };

export type { LanguagePack };

/** The files are part of the program and checked against schemas/language-pack.schema.json by a test, not at run time. */
const PACKS: ReadonlyMap<string, LanguagePack> = new Map([de, es, fr, it, nl, pt].map((p) => [p.code, p as unknown as LanguagePack]));

/** Codes of the languages that have a pack, sorted. */
export const packCodes = (): string[] => [...PACKS.keys()].sort();

/** All packs, in the order of their codes. */
export const packs = (): LanguagePack[] => packCodes().map((code) => PACKS.get(code) as LanguagePack);

/** The pack of a language; undefined where there is none. */
export const packOf = (code: string): LanguagePack | undefined => PACKS.get(code);

/** The words of a list in a pack. */
export const listOf = (words: string): string[] => words.split(" ").filter((w) => w !== "");

/** What is looked up in a pack again and again. */
export interface Lexicon {
  /** Words that hold sentences together and those that forms of a request begin with: in the middle of a sentence they are written small. */
  readonly small: ReadonlySet<string>;
  /** All the pack's words, in lower case: known not to be a name. */
  readonly known: ReadonlySet<string>;
  readonly slips: ReadonlySet<string>;
  readonly courteous: ReadonlySet<string>;
  readonly notIn: ReadonlySet<string>;
  readonly notLast: ReadonlySet<string>;
  readonly keeps: ReadonlySet<string>;
  /** In lower case, without their full stop. */
  readonly titles: ReadonlySet<string>;
}

const lexicons = new WeakMap<LanguagePack, Lexicon>();

export function lexiconOf(pack: LanguagePack): Lexicon {
  const made = lexicons.get(pack);
  if (made !== undefined) return made;
  const firsts = pack.rewordings.flatMap((r) => r.forms).flatMap((form) => form.match(/^[¿¡]?(\p{L}+)/u)?.[1]?.toLowerCase() ?? []);
  const words = listOf(pack.recognise.words);
  // Orders, mostly; a polite Sie keeps its capital.
  const speaking = [...listOf(pack.address.formal), ...listOf(pack.address.informal)].filter((w) => w === w.toLowerCase());
  const slips = listOf(pack.typing.slips);
  const lexicon: Lexicon = {
    small: new Set([...words, ...firsts, ...speaking]),
    known: new Set([...words, ...firsts, ...speaking, ...slips, ...listOf(pack.recognise.requests)]),
    slips: new Set(slips),
    courteous: new Set(listOf(pack.courteous)),
    notIn: new Set(listOf(pack.typing.not_in_x)),
    notLast: new Set(listOf(pack.typing.not_last_in_x)),
    keeps: new Set(listOf(pack.typing.keeps)),
    titles: new Set(listOf(pack.values.titles).map((t) => t.toLowerCase().replace(/\.$/, ""))),
  };
  lexicons.set(pack, lexicon);
  return lexicon;
}
