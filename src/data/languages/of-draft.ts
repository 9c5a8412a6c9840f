/**
 * The language of a conversation: that of the user's words, and where these are too few, of the answers with them. What the builtin teacher writes is
 * English; its drafts say so.
 */
import type { JsonValue } from "../../platform/json.ts";
import { callsOf, type Draft, type Exchange } from "../teacher/teacher.ts";
import { asWord } from "./keep.ts";
import { packOf } from "./pack.ts";
import { ENGLISH, type Language, recognise } from "./recognise.ts";

const known = new WeakMap<Draft, { readonly language: Language | null }>();

/** @param among codes of the languages that it may be in; one alone is taken for granted, none given: any */
export function languageOf(draft: Draft, among: readonly string[] | undefined): Language | null {
  if (draft.language === ENGLISH.code) return ENGLISH;
  const [only, second] = among ?? [];
  if (only !== undefined && second === undefined) return only === ENGLISH.code ? ENGLISH : { code: only, name: packOf(only)?.name ?? only };
  let found = known.get(draft);
  if (found === undefined) {
    const users = draft.exchanges.map((e) => withoutValues(e.user, e)).join("\n");
    found = { language: recognise(users, among) ?? recognise([users, ...draft.exchanges.map((e) => withoutValues(toldIn(e) ?? "", e))].join("\n"), among) };
    known.set(draft, found);
  }
  return found.language;
}

/** What an exchange came with as its answer; null where it has none yet. Not to be asked of the builtin teacher's: its answers draw from the draft's own stream. */
export function toldIn(e: Exchange): string | null {
  if (e.kind === "plain") return null;
  return e.kind === "say"
    ? e.answer
    : e.answer(
        e.fault ?? e.simulate(),
        (e.more ?? []).map((m) => m.simulate()),
      );
}

/** Values are of any language. */
function withoutValues(text: string, e: Exchange): string {
  const values = callsOf(e).flatMap((c) => textsIn(c.arguments as JsonValue));
  return values.reduce((t, value) => t.replace(asWord(value), " "), text);
}

/** Every text and number in a value, as text. */
export function textsIn(value: JsonValue): string[] {
  if (typeof value === "string" || typeof value === "number") return value === "" ? [] : [String(value)];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap((v) => textsIn(v as JsonValue)) : [];
}
