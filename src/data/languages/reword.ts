/** Says a request in another form that means the same, where it is in one of the forms of its language's pack. */
import type { Rng } from "../../platform/rng.ts";
import { type Address, addressOf, fits } from "./address.ts";
import { type LanguagePack, lexiconOf } from "./pack.ts";

interface Form {
  readonly text: string;
  readonly pattern: RegExp;
}

const forms = new WeakMap<LanguagePack, readonly (readonly Form[])[]>();

function formsOf(pack: LanguagePack): readonly (readonly Form[])[] {
  const known = forms.get(pack);
  if (known !== undefined) return known;
  const made = pack.rewordings.map((r) => r.forms.map((text) => ({ text, pattern: patternOf(text) })));
  forms.set(pack, made);
  return made;
}

/** A form as people type it: with any apostrophe, in any case, without its marks. */
function patternOf(form: string): RegExp {
  const escaped = form
    .replace(/\s*\?$/, "")
    .replace(/[.*+^$()|[\]\\/?]/g, "\\$&")
    .replace(/^¿/, "¿?")
    .replaceAll("'", "['’]")
    .replaceAll(" ", "\\s+")
    .replace("{x}", "(?<x>[^.!?;:,\\n]+?)");
  return new RegExp(`^${escaped}$`, "iu");
}

/** The sentences of a text, each with its marks and the blank behind it. */
export const sentencesOf = (text: string): string[] => text.match(/[^.!?…]+[.!?…]*\s*/gu) ?? [text];

/**
 * The text with its first sentence that is in a known form said in another, or as it is.
 * @param address how the conversation speaks to people; free: it is this request alone, and may begin to speak to somebody
 */
export function reword(text: string, address: Address | "free", pack: LanguagePack, rng: Rng): string {
  const sentences = sentencesOf(text);
  const own = address === "free" && sentences.length > 1 ? "none" : address;
  for (const [i, sentence] of sentences.entries()) {
    const said = inAnotherForm(sentence, own, pack, rng);
    if (said !== null) return [...sentences.slice(0, i), said, ...sentences.slice(i + 1)].join("");
  }
  return text;
}

function inAnotherForm(sentence: string, address: Address | "free", pack: LanguagePack, rng: Rng): string | null {
  const marks = /\s*[.!?…]*\s*$/u.exec(sentence)?.[0] ?? "";
  const bare = sentence.slice(0, sentence.length - marks.length);
  const behind = /\s*$/.exec(marks)?.[0] ?? "";
  for (const group of formsOf(pack)) {
    for (const form of group) {
      const x = form.pattern.exec(bare)?.groups?.x;
      if (x === undefined || !isPhrase(x, pack)) continue;
      const others = group.filter((f) => f !== form && (address === "free" ? addressOf(f.text, pack) !== "both" : fits(f.text, address, pack)));
      if (others.length === 0) return null;
      const said = rng.pick(others).text;
      const asks = /\?$/.test(said);
      const mark = asks ? "" : /[.!]/.test(marks) || behind !== "" ? "." : "";
      return `${said.replace("{x}", () => x)}${mark}${behind}`;
    }
  }
  return null;
}

/** Whether what a request is about is one phrase: nothing is joined to it, and its last word is not the verb's. */
function isPhrase(x: string, pack: LanguagePack): boolean {
  const { notIn, notLast } = lexiconOf(pack);
  const words = x.toLowerCase().match(/[\p{L}\p{M}]+|\{[kv]\d+\}/gu) ?? [];
  return words.length > 0 && !words.some((w) => notIn.has(w)) && !notLast.has(words.at(-1) as string);
}
