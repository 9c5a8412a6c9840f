/**
 * Whether an argument's value is among the accepted ones, in the manner of Berkeley's function-calling
 * leaderboard (bfcl-eval 2026.3.23, `ast_checker`): strings without regard to case, punctuation and
 * white space, numbers by value, an empty string among the accepted ones meaning "may be left out".
 *
 * One thing is stricter here: text where punctuation or case carries meaning (paths, addresses, dates,
 * codes: no white space, and one of `/ \ @ : _ .` inside or a digit beside a mark) is compared as it is.
 */
import { plain } from "../data/answers.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";

/** The mark among accepted values that says "may be left out". */
export const MAY_BE_LEFT_OUT = "";

/** Whether the value equals one of the accepted ones. */
export const isAccepted = (value: JsonValue, accepted: readonly unknown[]): boolean => accepted.some((a) => a !== MAY_BE_LEFT_OUT && sameValue(value, a));

/** Whether the argument may be left out. */
export const mayBeLeftOut = (accepted: readonly unknown[]): boolean => accepted.includes(MAY_BE_LEFT_OUT);

function sameValue(value: JsonValue, accepted: unknown): boolean {
  if (typeof value === "string" && typeof accepted === "string") return sameText(value, accepted);
  if (Array.isArray(value)) return Array.isArray(accepted) && value.length === accepted.length && value.every((v, i) => sameValue(v as JsonValue, accepted[i]));
  if (isObject(value)) {
    if (!isObject(accepted)) return false;
    const keys = Object.keys(value);
    return keys.length === Object.keys(accepted).length && keys.every((k) => Object.hasOwn(accepted, k) && sameValue(value[k] as JsonValue, accepted[k]));
  }
  return value === accepted;
}

function sameText(value: string, accepted: string): boolean {
  if (value.trim().normalize("NFC") === accepted.trim().normalize("NFC")) return true;
  if (isLiteral(value) || isLiteral(accepted)) return false;
  const a = plain(value);
  return a !== "" && a === plain(accepted);
}

/** A path, address, date or code. */
function isLiteral(text: string): boolean {
  const t = text.trim();
  return !/\s/.test(t) && (/[/\\@:_]|\S\.\S/.test(t) || (/\d/.test(t) && /[\p{P}\p{S}]/u.test(t)));
}

const isObject = (v: unknown): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
