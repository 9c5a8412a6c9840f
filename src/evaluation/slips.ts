/**
 * What went wrong with single arguments: of a call that named the right tool, every argument that is not as it was
 * due, and in which way. Pure. What counts as right is values.ts's; this only sorts what is not.
 */
import { plain } from "../data/answers.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { ExpectedCall } from "../schemas/generated/case.ts";
import type { Slip } from "../schemas/generated/loop-record.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { isAccepted, MAY_BE_LEFT_OUT, mayBeLeftOut } from "./values.ts";

export type { Slip };
export type SlipKind = Slip["how"];

/** The kinds, in the order of tables, in words for people. */
export const SLIP_WORDS: Readonly<Record<SlipKind, string>> = {
  missing: "missing",
  invented: "invented",
  wrong_slot: "another argument's value",
  wrong_form: "right value, wrong form",
  wrong_enum_value: "another of the allowed values",
  wrong_value: "wrong value",
};

/** Longest text of a value that is kept. */
const MOST = 200;

/** The values that a tool's schema allows an argument (or an item of it), where it lists them. */
export type AllowedValues = (tool: string, argument: string) => readonly JsonValue[] | undefined;

/** Of a toolset. A `$ref` is not followed. */
export function allowedValues(tools: Toolset["tools"]): AllowedValues {
  return (tool, argument) => {
    const { properties } = (tools.find((t) => t.name === tool)?.input_schema ?? {}) as { properties?: Record<string, unknown> };
    const schema = properties !== undefined && Object.hasOwn(properties, argument) ? properties[argument] : undefined;
    const { enum: values, items } = (schema ?? {}) as { enum?: unknown; items?: { enum?: unknown } };
    const found = values ?? items?.enum;
    return Array.isArray(found) ? (found as JsonValue[]) : undefined;
  };
}

/** The slips of one made call against the call that was due. */
export function slipsOf(given: JsonObject, due: ExpectedCall, allowed: AllowedValues = () => undefined): Slip[] {
  const slips: Slip[] = [];
  const add = (argument: string, how: SlipKind): void => {
    const accepted = Object.hasOwn(due.arguments, argument) ? due.arguments[argument]?.filter((a) => a !== MAY_BE_LEFT_OUT) : undefined;
    slips.push({
      tool: due.name,
      argument,
      how,
      ...(Object.hasOwn(given, argument) ? { given: short(given[argument]) } : {}),
      ...(accepted === undefined || accepted.length === 0 ? {} : { accepted: short(accepted[0]) }),
    });
  };
  for (const [argument, accepted] of Object.entries(due.arguments)) {
    if (!Object.hasOwn(given, argument)) {
      if (!mayBeLeftOut(accepted)) add(argument, "missing");
      continue;
    }
    const value = given[argument] as JsonValue;
    if (isAccepted(value, accepted)) continue;
    add(argument, howWrong(argument, value, accepted, due, allowed(due.name, argument)));
  }
  for (const argument of Object.keys(given)) if (!Object.hasOwn(due.arguments, argument)) add(argument, "invented");
  return slips;
}

function howWrong(argument: string, value: JsonValue, accepted: readonly unknown[], due: ExpectedCall, allowed: readonly JsonValue[] | undefined): SlipKind {
  const wanted = accepted.filter((a) => a !== MAY_BE_LEFT_OUT);
  if (wanted.some((a) => sameButForm(value, a))) return "wrong_form";
  const others = Object.entries(due.arguments).filter(([name]) => name !== argument);
  // Small numbers and booleans are too common to say that they are another argument's.
  if (isTelling(value) && others.some(([, values]) => isAccepted(value, values))) return "wrong_slot";
  if (allowed !== undefined && typeof value !== "object" && isAccepted(value, allowed)) return "wrong_enum_value";
  return mayBeLeftOut(accepted) ? "invented" : "wrong_value";
}

/** One value written in two ways: other type, other punctuation, a list of one, a part of a longer text, a date's other order. */
function sameButForm(value: JsonValue, accepted: unknown): boolean {
  const [a, b] = [words(value), words(accepted)];
  if (a === "" || b === "") return false;
  // Of numbers no part, sign or point is a matter of form.
  const number = (text: string): number => (/^\s*[-+]?[\d,]*\.?\d+\s*$/.test(text) ? Number(text.replaceAll(",", "")) : Number.NaN);
  if (!Number.isNaN(number(a)) && !Number.isNaN(number(b))) return number(a) === number(b);
  if (plain(a) === plain(b)) return true;
  const sorted = (text: string): string =>
    (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
      .map((w) => w.replace(/^0+(?=\d)/, ""))
      .sort()
      .join(" ");
  if (sorted(a) === sorted(b)) return true;
  const [short, long] = plain(a).length < plain(b).length ? [plain(a), plain(b)] : [plain(b), plain(a)];
  return short.length >= 3 && long.includes(short);
}

/** The words of a value, those of a list or an object one after another. */
function words(value: unknown): string {
  if (Array.isArray(value)) return value.map(words).join(" ");
  if (typeof value === "object" && value !== null) return Object.values(value).map(words).join(" ");
  return value === null || value === undefined ? "" : String(value);
}

const isTelling = (value: JsonValue): boolean => (typeof value === "string" ? plain(value) !== "" : typeof value === "number" ? Math.abs(value) > 10 : false);

const short = (value: unknown): string => (JSON.stringify(value) ?? "null").slice(0, MOST);

/** For people: `` `days` is 2, 14 is due ``. */
export function slipWords({ argument, how, given, accepted }: Slip): string {
  const name = `\`${argument}\``;
  if (how === "missing") return `${name} is missing${accepted === undefined ? "" : `, ${accepted} is due`}`;
  if (how === "invented") return `${name} is ${given ?? "given"}, which nobody asked for`;
  return `${name} is ${given ?? "?"}${accepted === undefined ? "" : `, ${accepted} is due`} (${SLIP_WORDS[how]})`;
}
