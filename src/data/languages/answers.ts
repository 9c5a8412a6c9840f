/**
 * What the assistant says in a varied conversation of a language with a pack. The words of the conversation that it varies, with the new values in them, where
 * its result is the same but for those; else a line of the pack with the result's own values behind it. No figure is computed, and nothing is said in
 * another language than the request's; names of values that the pack does not know are the tool's.
 */
import type { JsonObject, JsonValue } from "../../platform/json.ts";
import type { Rng } from "../../platform/rng.ts";
import { factsOf, isEmptyResult, listOf, parseResult } from "../teacher/builtin/facts.ts";
import type { ToolModel } from "../teacher/builtin/model.ts";
import { asks } from "../teacher/builtin/verbs.ts";
import type { CallOutcome } from "../types.ts";
import type { LanguagePack } from "./pack.ts";

/** Longest answer, in characters, as of the builtin teacher's. */
const LONGEST = 1200;
/** Values of one thing that are told, and things of a list. */
const FACTS = 4;
const ITEMS = 3;
/** Longest text of a tool's that is repeated, in characters. */
const LONGEST_TEXT = 400;

/** The answer to a request that took these calls, from what each gave. */
export function answerIn(
  pack: LanguagePack,
  calls: readonly { readonly model: ToolModel; readonly call: { readonly arguments: JsonObject } }[],
  outcomes: readonly CallOutcome[],
  rng: Rng,
): string {
  return calls
    .map(({ model, call }, i) => answerTo(pack, model, call.arguments, outcomes[i] as CallOutcome, rng))
    .join(" ")
    .slice(0, LONGEST);
}

function answerTo(pack: LanguagePack, model: ToolModel, args: JsonObject, outcome: CallOutcome, rng: Rng): string {
  const { results } = pack;
  const texts = Object.values(args).filter((v): v is string => typeof v === "string");
  const said = new Set(texts.map((v) => v.toLowerCase()));
  const fill = (lines: readonly string[], values: Readonly<Record<string, string>>): string =>
    ended(rng.pick(lines).replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole));
  if (outcome.timedOut || (outcome.isError && /timed? ?-?out|no response|did not answer/i.test(outcome.text))) return fill(results.timeout, {});
  if (outcome.isError) return fill(results.failed, { text: oneLine(outcome.text) });
  if (isEmptyResult(outcome.text, said)) return fill(results.empty, {});
  const facts = factsIn(outcome.text, said, pack) || oneLine(outcome.text);
  if (!asks(model.cls) && model.cls !== "compute" && model.cls !== "convert") return fill(results.done, { facts });
  const subject = texts.find((t) => t.length <= 40 && !/[{}]/.test(t));
  return subject !== undefined && rng.chance(0.7) ? fill(results.about, { subject, facts }) : fill(results.found, { facts });
}

/** One full stop, however the tool's own text ends. */
const ended = (text: string): string => text.replace(/([.!?…])\.$/u, "$1").replace(/([^.!?…])$/u, "$1.");
const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim().slice(0, LONGEST_TEXT);

function factsIn(text: string, said: ReadonlySet<string>, pack: LanguagePack): string {
  const value = parseResult(text);
  if (value === null) return "";
  const list = listOf(value);
  const own = Array.isArray(value) ? [] : thing(value as JsonObject, said, pack);
  const many =
    list === null || own.length > 1
      ? []
      : list.items
          .slice(0, ITEMS)
          .map((item) => itemOf(item, said, pack))
          .filter((t) => t !== "");
  return many.length > 0 ? many.join("; ") : own.join(", ");
}

const itemOf = (item: JsonValue, said: ReadonlySet<string>, pack: LanguagePack): string =>
  typeof item === "object" && item !== null && !Array.isArray(item)
    ? thing(item as JsonObject, said, pack).join(", ")
    : Array.isArray(item)
      ? item.map(String).join(", ")
      : String(item);

/** Names and values of one thing: `Temperatur 21 °C`. */
function thing(value: JsonObject, said: ReadonlySet<string>, pack: LanguagePack): string[] {
  const { labels, yes, no } = pack.results;
  const facts = factsOf(value, said);
  const telling = facts.filter((f) => !/^(uuid|timestamp|created at|updated at|url)$/i.test(f.label));
  return (telling.length > 0 ? telling : facts).slice(0, FACTS).map((f) => {
    const isFlag = f.text === "yes" || f.text === "no";
    const text = isFlag
      ? f.text === "yes"
        ? yes
        : no
      : f.text.replace(/(?<=\d )(hours?|minutes?|seconds?|miles?)$/, (unit) => labels[unit.endsWith("s") ? unit : `${unit}s`] ?? unit);
    const label = labels[f.label] ?? f.label;
    return label === "" ? text : `${label} ${text}`;
  });
}
