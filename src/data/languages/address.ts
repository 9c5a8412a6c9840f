/**
 * How a text speaks to somebody: formally (Sie, vous), informally (du, tu), or not at all. What is put round a request has to speak as the request does;
 * where a text has signs of both (a Sie that may be a she) nothing that speaks to anybody is put round it.
 */
import { type LanguagePack, listOf } from "./pack.ts";

export type Address = "formal" | "informal" | "both" | "none";

interface Signs {
  /** In lower case; those with a capital as they are. */
  readonly formal: ReadonlySet<string>;
  readonly informal: ReadonlySet<string>;
}

const signs = new WeakMap<LanguagePack, Signs>();

function signsOf(pack: LanguagePack): Signs {
  const known = signs.get(pack);
  if (known !== undefined) return known;
  const made = { formal: new Set(listOf(pack.address.formal)), informal: new Set(listOf(pack.address.informal)) };
  signs.set(pack, made);
  return made;
}

/** How a text of the pack's language speaks to somebody. */
export function addressOf(text: string, pack: LanguagePack): Address {
  const { formal, informal } = signsOf(pack);
  const words = text.normalize("NFC").match(/[\p{L}\p{M}]+/gu) ?? [];
  const has = (of: ReadonlySet<string>): boolean => words.some((w) => of.has(w) || of.has(w.toLowerCase()));
  const [a, b] = [has(formal), has(informal)];
  return a && b ? "both" : a ? "formal" : b ? "informal" : "none";
}

/** Whether a line may stand in a text that speaks so. A text without a sign may be an order all the same, of a verb that is not in the pack: nothing is said to anybody in it. */
export function fits(line: string, text: Address, pack: LanguagePack): boolean {
  const own = addressOf(line, pack);
  return own === "none" || (own !== "both" && text === own);
}
