/**
 * Answers from tool results: short, natural, and made of nothing but the result and the question.
 * No figure is computed; what failed or is empty is said.
 */
import type { JsonObject, JsonValue } from "../../../platform/json.ts";
import type { Rng } from "../../../platform/rng.ts";
import { capital, isPlural, listing, participle, plural, singular, tidy } from "./english.ts";
import { type Fact, factOf, factsOf, isEmptyResult, listOf, parseResult } from "./facts.ts";
import { sayEmpty, sayError, sayTimeout } from "./failures.ts";
import { definite, type ToolModel } from "./model.ts";
import { nounOf, type Outcome, type Subject, subjectOf } from "./subject.ts";
import { asks } from "./verbs.ts";

/** Longest answer, in characters: a small model has to write it token by token. */
const LONGEST = 1200;

/** A name at the start of a sentence: words get a capital, codes and paths stay as they are. */
const opening = (name: string): string => (/^[\p{L}' ]+$/u.test(name) ? capital(name) : name);

/** The answer to a request, after its call gave this outcome. */
export function answerFrom(model: ToolModel, args: JsonObject, outcome: Outcome, rng: Rng): string {
  const said = new Set(
    Object.values(args)
      .filter((v): v is string => typeof v === "string")
      .map((v) => v.toLowerCase()),
  );
  if (outcome.timedOut || (outcome.isError && /timed? ?-?out|no response|did not answer/i.test(outcome.text))) return sayTimeout(model, args, rng);
  if (outcome.isError) return sayError(model, args, outcome.text, rng);
  if (isEmptyResult(outcome.text, said)) return sayEmpty(model, args, rng);
  const value = parseResult(outcome.text);
  const text = value === null ? sayProse(outcome.text, model, args, rng) : tidy(sayStructured(value, said, model, args, rng));
  return text.slice(0, LONGEST);
}

/** The answer to a request that took several calls: what each gave, one after the other. */
export function answerFromAll(
  calls: readonly { readonly model: ToolModel; readonly call: { readonly arguments: JsonObject } }[],
  outcomes: readonly Outcome[],
  rng: Rng,
): string {
  const parts = calls.map(({ model, call }, i) => answerFrom(model, call.arguments, outcomes[i] as Outcome, rng));
  return parts
    .map((p, i) => (i < parts.length - 1 && !/[.!?…]$/.test(p) && !p.includes("\n") ? `${p}.` : p))
    .join(parts.some((p) => p.includes("\n")) ? "\n" : " ")
    .slice(0, LONGEST);
}

function sayProse(text: string, model: ToolModel, args: JsonObject, rng: Rng): string {
  const t = text.trim();
  const about = subjectOf(model, args).text;
  const lines = t
    .split("\n")
    .map((l) => l.trimEnd().replace(/(\S) {2,}/g, "$1 "))
    .filter((l) => l.trim() !== "");
  if (!asks(model.cls)) {
    const first = lines[0] ?? "";
    return rng.pick(["Done. ", "All set. ", "Okay, that's done. ", ""]) + capital(first.slice(0, 200).replace(/([^.!?])$/, "$1."));
  }
  if (lines.length === 1 && t.length <= 200)
    return rng.pick([
      `${about ? `${opening(about)}: ` : ""}${lines[0]}`,
      `Here is what I got${about ? ` for ${about}` : ""}: ${lines[0]}`,
      `The result${about ? ` for ${about}` : ""} is: ${lines[0]}`,
    ]);
  const shown = lines.slice(0, 8).map((l) => l.slice(0, 120));
  const np = definite(nounOf(model));
  const lead = rng.pick([
    `Here ${about || !isPlural(nounOf(model)) ? "is" : "are"} ${about || np}:`,
    `This is what ${about ? `I found for ${about}` : "came back"}:`,
    `${opening(about || np)}:`,
  ]);
  return `${lead}\n${shown.join("\n")}${lines.length > 8 ? "\n…" : ""}`;
}

function sayStructured(value: JsonObject | readonly JsonValue[], said: ReadonlySet<string>, model: ToolModel, args: JsonObject, rng: Rng): string {
  const list = listOf(value);
  const facts = Array.isArray(value) ? [] : factsOf(value as JsonObject, said).filter((f) => args[f.key] === undefined);
  const about = subjectOf(model, args);
  if (list && list.items.length > 0 && list.items.some((i) => typeof i === "object")) return sayItems(list, said, model, about, rng);
  if (list && list.items.length > 0 && facts.length <= 1) return sayNames(list.items, model, about, rng);
  const weather = sayWeather(facts, about.text, rng);
  if (weather) return weather;
  if (!asks(model.cls)) return sayDone(facts, model, rng);
  const chosen = facts.filter((f) => !/^(id|uuid|timestamp|created at|updated at|url)$/i.test(f.label)).slice(0, 5);
  const shown = chosen.length > 0 ? chosen : facts.slice(0, 4);
  if (shown.length === 0) return sayNames([JSON.stringify(value).slice(0, 120)], model, about, rng);
  return sayFacts(shown, about, rng);
}

/** A fact that is a text of its own rather than a value. */
const isText = (f: Fact) => !f.numeric && /[.!?]$|\s.*\s.*\s.*\s/.test(f.text);

function sayFacts(all: readonly Fact[], about: Subject, rng: Rng): string {
  const facts = all.filter((f) => !isText(f));
  const texts = all.filter(isText).map((f) => capital(f.text.replace(/([^.!?])$/, "$1.")));
  const after = texts.length > 0 ? ` ${texts.join(" ")}` : "";
  if (facts.length === 0) return `${about.text ? `${opening(about.text)}: ` : ""}${texts.join(" ")}`;
  const clauses = facts.map((f) => `the ${f.label} ${isPlural(f.label) ? "are" : "is"} ${f.text}`);
  const [first] = facts as [Fact];
  return (
    rng.pick([
      () => `${about.text ? `${opening(about.text)}: ` : ""}${facts.map((f) => `${f.label} ${f.text}`).join(", ")}.`,
      () => `${about.of ? `${capital(about.of.trim())}, ` : ""}${listing(clauses)}.`,
      () => `The ${first.label}${about.of} ${isPlural(first.label) ? "are" : "is"} ${first.text}${clauses.length > 1 ? `; ${listing(clauses.slice(1))}` : ""}.`,
      () => `Here is what I found${about.of}: ${listing(facts.map((f) => `${f.label} ${f.text}`))}.`,
    ])() + after
  ).replace(/^the /, "The ");
}

/** Classes whose verb says that something was done to the object. */
const DONE_CLASSES: ReadonlySet<string> = new Set(["create", "update", "delete", "send", "write", "move", "book", "register"]);

function sayDone(facts: readonly Fact[], model: ToolModel, rng: Rng): string {
  const telling = facts.filter((f) => !/^(success|ok)$/i.test(f.key) && !/^(success|ok|completed|confirmed|done|created|updated)$/i.test(f.text)).slice(0, 4);
  const np = nounOf(model);
  const done = `The ${np} ${isPlural(np) ? "have" : "has"} been ${participle(model.verb)}`;
  const lead = DONE_CLASSES.has(model.cls) ? rng.pick([`Done. ${done}`, done, "Done", "All set"]) : rng.pick(["Done", "All set", "That's done", "Okay, done"]);
  if (telling.length === 0) return `${lead}.`;
  const said = listing(telling.map((f) => (f.label === "message" ? f.text.replace(/[.!]$/, "") : `${f.label} ${f.text}`)));
  return lead.endsWith(done) ? `${lead} (${said}).` : `${lead}: ${said}.`;
}

/** Skies that a temperature is joined to with `and`, being adjectives. */
const ADJECTIVE_SKY = /(cloudy|sunny|overcast|windy|clear|dusty|foggy|rainy|dry|humid|wet|stormy|snowy)$/;

/** Temperature and sky in one sentence, the rest behind it. */
function sayWeather(facts: readonly Fact[], about: string, rng: Rng): string | null {
  const t = facts.find((f) => f.numeric && /^temp(erature)?$/.test(f.label));
  const sky = facts.find((f) => /^(condition|conditions|weather|sky|description|summary)$/.test(f.label) && !f.numeric);
  if (!t || !sky || about === "") return null;
  const rest = facts.filter((f) => f !== t && f !== sky).slice(0, 3);
  const condition = /^[A-Z][a-z]/.test(sky.text) ? sky.text.charAt(0).toLowerCase() + sky.text.slice(1) : sky.text;
  const more = rest.map((f) => `${f.label} ${f.text}`);
  const tail =
    more.length > 0 ? rng.pick([`, ${listing(more)}`, `. ${capital(listing(rest.map((f) => `${f.label} is ${f.text}`)))}`, `, with ${listing(more)}`]) : "";
  const lead = rng.pick([
    `It's ${t.text} in ${about} ${ADJECTIVE_SKY.test(condition) ? "and" : "with"} ${condition}`,
    `In ${about} it's currently ${t.text}, ${condition}`,
    `${about}: ${t.text}, ${condition}`,
    `The weather in ${about}: ${condition}, ${t.text}`,
    `Right now it's ${t.text} in ${about}, ${condition}`,
  ]);
  return `${lead}${tail}.`;
}

const NAME_KEYS = /^(name|title|event|headline|label|city|place|hotel|restaurant|movie|song|file|path|subject|summary|text|symbol|product)$/i;
const ORDER_KEYS = /^(day|date|time|hour|period|month|step|rank|index)$/i;
const PLAIN_KEYS = /^(condition|conditions|description|status|category|severity|type|weather)$/;

/** One item of a list in a few words. */
function sayItem(item: JsonValue, said: ReadonlySet<string>): string {
  if (typeof item !== "object" || item === null) return String(item);
  if (Array.isArray(item)) return item.slice(0, 4).map(String).join(", ");
  const facts = factsOf(item as JsonObject, said);
  const when = facts.find((f) => ORDER_KEYS.test(f.key));
  const name = facts.find((f) => NAME_KEYS.test(f.key) && f !== when) ?? (when ? undefined : facts.find((f) => !f.numeric));
  const others = facts.filter((f) => f !== when && f !== name).slice(0, 4);
  const detail = others.map((f) => (PLAIN_KEYS.test(f.label) ? f.text : `${f.label} ${f.text}`));
  const head = when ? (when.numeric ? `${when.label} ${when.text}` : when.text) : (name?.text ?? "");
  const inner = when && name ? [name.text, ...detail] : detail;
  if (head === "") return inner.join(", ");
  if (inner.length === 0) return head;
  return when ? `${head}: ${inner.join(", ")}` : `${head} (${inner.join(", ")})`;
}

/**
 * Items that are shown of a list, always as many: a small model that is shown longer lists goes on counting where the
 * result has long ended (docs/measurements.md).
 */
const SHOWN = 3;

function sayItems(list: { key: string; items: readonly JsonValue[] }, said: ReadonlySet<string>, model: ToolModel, about: Subject, rng: Rng): string {
  const items = list.items.slice(0, SHOWN);
  const shown = items.map((i) => sayItem(i, said)).filter((s) => s !== "");
  const cut = list.items.length > items.length;
  const np = nounOf(model);
  const one = `${capital(definite(np))}${about.of}: `;
  const here = `Here ${isPlural(np) ? "are" : "is"} ${definite(np)}${about.of}`;
  const bare = about.of ? `${capital(about.of.trim())}: ` : "";
  if (shown.every((s) => /^[^(]*: /.test(s)))
    return `${rng.pick([one, `${here}. `, `${capital(np)}${about.of}: `, bare])}${shown.map((s, i) => (i === 0 ? capital(s) : s)).join("; ")}${cut ? "; and so on" : ""}.`;
  const said_ = `${shown.join("; ")}${cut ? "; and more" : ""}.`;
  if (model.cls === "read" && !isPlural(np)) return `${rng.pick([one, `${here}: `, bare])}${said_}`;
  const many = list.items.length > 1;
  const name = many ? plural(np) : singular(np);
  const leads = many
    ? [`Here are the ${name}${about.of}: `, `I found these ${name}${about.of}: `, `There are several ${name}${about.of}: `, `${capital(name)}${about.of}: `]
    : [`There is one ${name}${about.of}: `, `I found one ${name}${about.of}: `, `${capital(name)}${about.of}: `];
  return `${rng.pick(leads)}${said_}`;
}

function sayNames(items: readonly JsonValue[], model: ToolModel, about: Subject, rng: Rng): string {
  const shown = items.slice(0, 12).map((i) => factOf("", typeof i === "object" ? JSON.stringify(i) : (i as string | number)).text);
  const text = items.length > shown.length ? `${shown.join(", ")} and more` : listing(shown);
  const name = plural(nounOf(model));
  return rng.pick([`Here are the ${name}${about.of}: ${text}.`, `I found${about.of}: ${text}.`, `${capital(name)}${about.of}: ${text}.`]);
}
