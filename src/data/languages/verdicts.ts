/**
 * Whether an answer that is not in English says that something failed, or that there is nothing: by the words of its language's pack, clause by clause, for
 * a tool's own words are often in another language than the sentence that tells them.
 */
import { type LanguagePack, packOf } from "./pack.ts";
import { recognise } from "./recognise.ts";

interface Verdicts {
  readonly failed: RegExp;
  readonly worked: RegExp | null;
  readonly none: RegExp;
}

const verdicts = new WeakMap<LanguagePack, Verdicts>();

function verdictsOf(pack: LanguagePack): Verdicts {
  const known = verdicts.get(pack);
  if (known !== undefined) return known;
  const made = {
    failed: oneOf(pack.verdicts.failed),
    worked: pack.verdicts.worked.length === 0 ? null : oneOf(pack.verdicts.worked),
    none: oneOf(pack.verdicts.none),
  };
  verdicts.set(pack, made);
  return made;
}

/** Any of some words, as words of their own; a star stands for the rest of one. */
const oneOf = (words: readonly string[]): RegExp =>
  new RegExp(
    `(?<![\\p{L}\\p{M}\\p{N}])(?:${words.map((w) => w.replace(/[.+?^$()|[\]\\{}]/g, "\\$&").replaceAll("*", "[\\p{L}\\p{M}]*")).join("|")})(?![\\p{L}\\p{M}\\p{N}])`,
    "giu",
  );

const CLAUSE = /[:;.!?\n"„“”«»]+(?=\s|$)/;

/** Whether an answer in a language with a pack says that a call failed. */
export const failedIn = (answer: string): boolean =>
  judged(answer, (clause, { failed, worked }) => (worked === null ? clause : clause.replace(worked, "")).search(failed) >= 0);

/** Whether an answer in a language with a pack says that there is nothing. */
export const noneIn = (answer: string): boolean => judged(answer, (clause, { none }) => clause.search(none) >= 0);

function judged(answer: string, says: (clause: string, verdicts: Verdicts) => boolean): boolean {
  const text = answer.normalize("NFC").replaceAll(/[\u2018\u2019]/g, "'");
  return [text, ...text.split(CLAUSE)].some((clause) => {
    const pack = packOf(recognise(clause)?.code ?? "");
    return pack !== undefined && says(clause, verdictsOf(pack));
  });
}
