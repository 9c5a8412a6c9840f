/**
 * Answers from tool results: short, natural, and made of nothing but the result and the question.
 * No figure is computed; what failed or is empty is said.
 */
import type { JsonObject, JsonValue } from "../../../platform/json.ts";
import type { Rng } from "../../rng.ts";
import { capital, isPlural, listing, participle, plural, singular, tidy } from "./english.ts";
import { type Fact, factOf, factsOf, isEmptyResult, listOf, parseResult } from "./facts.ts";
import { definite, type ToolModel } from "./model.ts";
import { asks } from "./verbs.ts";

export interface Outcome {
  readonly text: string;
  readonly isError: boolean;
  readonly timedOut: boolean;
}

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
  const text = value === null ? sayProse(outcome.text, model, args, rng) : sayStructured(value, said, model, args, rng);
  return tidy(text).slice(0, 1200);
}

/** What the call is about, for `for …`: the first telling argument; empty when there is none. */
function subject(model: ToolModel, args: JsonObject): string {
  const p = model.params.find(
    (q) =>
      q.property.required &&
      [
        "place",
        "airport",
        "path",
        "folder",
        "query",
        "id",
        "title",
        "nickname",
        "person",
        "product",
        "hotel",
        "symbol",
        "enum",
        "project",
        "word",
        "song",
        "movie",
      ].includes(q.role.kind) &&
      args[q.property.name] !== undefined,
  );
  if (!p) return "";
  const v = args[p.property.name];
  const text = typeof v === "string" || typeof v === "number" ? String(v) : "";
  if (text === "" || text.length > 60) return "";
  return p.role.kind === "id" && !/[A-Za-z]/.test(text) ? `${p.role.entity} ${text}`.trim() : text;
}

const preposition = (model: ToolModel) =>
  model.params.some((p) => p.property.required && p.role.kind === "place") && !/weather|forecast|alert/.test(model.objects[0] ?? "") ? "in" : "for";

const noun = (model: ToolModel): string => model.objects.find((o) => o.split(" ").length <= 3) ?? model.objects[0] ?? "result";

// --- failures ---

/** The tool's own words for what went wrong, as the end of a sentence. */
function reasonOf(text: string): string {
  const v = parseResult(text);
  let t = text;
  if (v && !Array.isArray(v)) {
    const o = v as JsonObject;
    const inner = o.error ?? o.message ?? o.detail ?? o.reason;
    if (typeof inner === "string") t = inner;
    else if (typeof inner === "object" && inner !== null && typeof (inner as JsonObject).message === "string") t = (inner as JsonObject).message as string;
  }
  t = (t.trim().split(/\n/)[0] ?? "").replace(/^(error|failed|exception|mcp error(?: -?\d+)?)[:\s-]+/i, "").replace(/\s+/g, " ");
  const sentence = t.split(/(?<=[a-z"')])\.\s/)[0] ?? t;
  return sentence.slice(0, 140).replace(/[.!:\s]+$/, "");
}

function sayError(model: ToolModel, args: JsonObject, text: string, rng: Rng): string {
  const about = subject(model, args);
  const np = definite(noun(model));
  const reason = reasonOf(text);
  const what = asks(model.cls) ? `get ${np}${about ? ` ${preposition(model)} ${about}` : ""}` : `do that${about ? ` ${preposition(model)} ${about}` : ""}`;
  const low = /^[A-Z][a-z]/.test(reason) ? reason.charAt(0).toLowerCase() + reason.slice(1) : reason;
  if (reason === "") return rng.pick([`I couldn't ${what}: the tool reported an error.`, `Sorry, the tool failed, so I couldn't ${what}.`]);
  return tidy(
    rng.pick([
      `I couldn't ${what}: ${low}.`,
      `Sorry, I wasn't able to ${what}. The tool reported an error: ${low}.`,
      `That didn't work, I'm afraid. The error was: ${low}.`,
      `I tried to ${what}, but the call failed: ${low}.`,
      `Unfortunately I couldn't ${what}. The tool says: ${low}.`,
      `The request failed with an error: ${low}. ${rng.pick(["Could you check it and try again?", "Please check the details.", "Would you like to try something else?"])}`,
    ]),
  );
}

function sayTimeout(model: ToolModel, args: JsonObject, rng: Rng): string {
  const about = subject(model, args);
  const np = definite(noun(model));
  const of = about ? ` for ${about}` : "";
  return tidy(
    rng.pick([
      `The request${of} timed out, so I don't have ${np}. Shall I try again?`,
      `I couldn't ${asks(model.cls) ? `get ${np}${of}` : `finish that${of}`}: the tool took too long to respond. Please try again later.`,
      `Sorry, the tool did not answer in time${of ? `${of}` : ""}. You could try again in a moment.`,
      `The call timed out before anything came back${of}. Would you like me to try once more?`,
      `No answer came back in time, so I can't say anything about ${about || np}. Please try again later.`,
    ]),
  );
}

function sayEmpty(model: ToolModel, args: JsonObject, rng: Rng): string {
  const about = subject(model, args);
  const of = about ? ` ${preposition(model)} ${about}` : "";
  const np = noun(model);
  if (/alert|warning/.test(np))
    return tidy(
      rng.pick([
        `There are no ${np}${of} right now.`,
        `No ${np} are in force${of}.`,
        `Nothing is reported${of}: there are no active ${np.replace(/^active /, "")}.`,
        `Good news: no ${np}${of} at the moment.`,
      ]),
    );
  if (model.cls === "search" || model.cls === "list")
    return tidy(
      rng.pick([
        `I found no ${plural(np)}${of}.`,
        `There are no ${plural(np)}${of}.`,
        `The search returned nothing${of}.`,
        `Nothing came up${of}. Would you like to try something else?`,
        `No ${plural(np)} were found${of}.`,
      ]),
    );
  if (!asks(model.cls))
    return tidy(rng.pick([`The call went through, but nothing came back${of}.`, `The tool returned no result${of}, so I can't confirm it.`]));
  return tidy(
    rng.pick([
      `The tool returned no data${of}, so I can't tell you ${definite(np)}.`,
      `There is no data${of} available.`,
      `Nothing came back${of}: the result is empty.`,
      `I got an empty answer${of}, so I don't have ${definite(np)}.`,
      `No ${np.replace(/^(the|current) /, "")} ${isPlural(np) ? "are" : "is"} available${of}.`,
    ]),
  );
}

// --- results ---

function sayProse(text: string, model: ToolModel, args: JsonObject, rng: Rng): string {
  const t = text.trim();
  const about = subject(model, args);
  const lines = t
    .split("\n")
    .map((l) => l.trimEnd())
    .filter((l) => l.trim() !== "");
  if (!asks(model.cls)) {
    const first = lines[0] ?? "";
    return rng.pick(["Done. ", "All set. ", "Okay, that's done. ", ""]) + capital(first.slice(0, 200).replace(/([^.!?])$/, "$1."));
  }
  if (lines.length === 1 && t.length <= 200)
    return rng.pick([
      `${about ? `${capital(about)}: ` : ""}${t}`,
      `Here is what I got${about ? ` for ${about}` : ""}: ${t}`,
      `The result${about ? ` for ${about}` : ""} is: ${t}`,
    ]);
  const shown = lines.slice(0, 8).map((l) => l.slice(0, 120));
  const lead = rng.pick([
    `Here ${about || !isPlural(noun(model)) ? "is" : "are"} ${about || definite(noun(model))}:`,
    `This is what ${about ? `I found for ${about}` : "came back"}:`,
    `${capital(about || definite(noun(model)))}:`,
  ]);
  return `${lead}\n${shown.join("\n")}${lines.length > 8 ? "\n…" : ""}`;
}

function sayStructured(value: JsonObject | readonly JsonValue[], said: ReadonlySet<string>, model: ToolModel, args: JsonObject, rng: Rng): string {
  const list = listOf(value);
  const facts = Array.isArray(value) ? [] : factsOf(value as JsonObject, said).filter((f) => args[f.key] === undefined);
  const about = subject(model, args);
  if (list && list.items.length > 0 && list.items.some((i) => typeof i === "object")) return sayItems(list, said, model, about, rng);
  if (list && list.items.length > 0 && facts.length <= 1) return sayNames(list.items, model, about, rng);
  const weather = sayWeather(facts, about, rng);
  if (weather) return weather;
  if (!asks(model.cls)) return sayDone(facts, model, rng);
  const chosen = facts.filter((f) => !/^(id|uuid|timestamp|created at|updated at|url)$/i.test(f.label)).slice(0, 5);
  const shown = chosen.length > 0 ? chosen : facts.slice(0, 4);
  if (shown.length === 0) return sayNames([JSON.stringify(value).slice(0, 120)], model, about, rng);
  return sayFacts(shown, about, model, rng);
}

function sayFacts(facts: readonly Fact[], about: string, model: ToolModel, rng: Rng): string {
  const place = about ? ` ${preposition(model)} ${about}` : "";
  const clauses = facts.map((f) => `${f.label} ${isPlural(f.label) ? "are" : "is"} ${f.text}`);
  return rng.pick([
    () => `${about ? `${capital(about)}: ` : ""}${facts.map((f) => `${f.label} ${f.text}`).join(", ")}.`,
    () => `${capital(place.trim() || "Here it is")}${place ? "," : ":"} the ${listing(clauses)}.`,
    () => `The ${clauses[0]}${place}${clauses.length > 1 ? `, and the ${listing(clauses.slice(1))}` : ""}.`,
    () => `Here is what I found${place}: ${listing(facts.map((f) => `${f.label} ${f.text}`))}.`,
  ])();
}

/** Verbs whose participle says that something was done to the object. */
const DONE_CLASSES: ReadonlySet<string> = new Set(["create", "update", "delete", "send", "write", "move", "book", "register"]);

function sayDone(facts: readonly Fact[], model: ToolModel, rng: Rng): string {
  const telling = facts.filter((f) => !/^(success|ok)$/i.test(f.key) && !/^(success|ok|completed|confirmed|done|created|updated)$/i.test(f.text)).slice(0, 4);
  const np = singular(noun(model));
  const lead = DONE_CLASSES.has(model.cls)
    ? rng.pick([`Done. The ${np} has been ${participle(model.verb)}`, `The ${np} has been ${participle(model.verb)}`, "Done", "All set"])
    : rng.pick(["Done", "All set", "That's done", "Okay, done"]);
  if (telling.length === 0) return `${lead}.`;
  const said = listing(telling.map((f) => (f.label === "message" ? f.text.replace(/[.!]$/, "") : `${f.label} ${f.text}`)));
  return /has been/.test(lead) ? `${lead} (${said}).` : `${lead}: ${said}.`;
}

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
  const link = /(cloudy|sunny|overcast|windy|clear|dusty|foggy|rainy|dry|humid|wet|stormy|snowy)$/.test(condition) ? "and" : "with";
  return `${rng.pick([`It's ${t.text} in ${about} ${link} ${condition}`, `In ${about} it's currently ${t.text}, ${condition}`, `${about}: ${t.text}, ${condition}`, `The weather in ${about}: ${condition}, ${t.text}`, `Right now it's ${t.text} in ${about}, ${condition}`])}${tail}.`;
}

const NAME_KEYS = /^(name|title|event|headline|label|city|place|hotel|restaurant|movie|song|file|path|subject|summary|text|type|id|symbol|product)$/i;
const ORDER_KEYS = /^(day|date|time|hour|period|month|step|rank|index)$/i;

/** One item of a list in a few words. */
function sayItem(item: JsonValue, said: ReadonlySet<string>): string {
  if (typeof item !== "object" || item === null) return String(item);
  if (Array.isArray(item)) return item.slice(0, 4).map(String).join(", ");
  const facts = factsOf(item as JsonObject, said);
  const when = facts.find((f) => ORDER_KEYS.test(f.key));
  const name = facts.find((f) => NAME_KEYS.test(f.key) && f !== when);
  const others = facts.filter((f) => f !== when && f !== name).slice(0, 4);
  const detail = others.map((f) =>
    /^(condition|conditions|description|status|category|severity|type|weather)$/.test(f.label) ? f.text : `${f.label} ${f.text}`,
  );
  const head = when ? (when.numeric ? `${when.label} ${when.text}` : when.text) : (name?.text ?? "");
  const inner = when && name ? [name.text, ...detail] : detail;
  if (head === "") return inner.join(", ");
  if (inner.length === 0) return head;
  return when ? `${head}: ${inner.join(", ")}` : `${head} (${inner.join(", ")})`;
}

function sayItems(list: { key: string; items: readonly JsonValue[] }, said: ReadonlySet<string>, model: ToolModel, about: string, rng: Rng): string {
  const most = list.items.length > 7 ? 5 : 7;
  const shown = list.items
    .slice(0, most)
    .map((i) => sayItem(i, said))
    .filter((s) => s !== "");
  const cut = list.items.length > shown.length;
  const place = about ? ` ${preposition(model)} ${about}` : "";
  const np = noun(model);
  const dated = shown.every((s) => /^[^(]*: /.test(s));
  if (dated)
    return tidy(
      `${rng.pick([`${capital(definite(np))}${place}: `, `Here is ${definite(np)}${place}. `, `${capital(np)}${place}: `, place ? `${capital(place.trim())}: ` : ""])}${shown.map((s, i) => (i === 0 ? capital(s) : s)).join("; ")}${cut ? "; and so on" : ""}.`,
    );
  const many = list.items.length > 1;
  if (model.cls === "read" && !isPlural(np))
    return tidy(
      `${rng.pick([`${capital(definite(np))}${place}: `, `Here is ${definite(np)}${place}: `, place ? `${capital(place.trim())}: ` : ""])}${shown.join("; ")}${cut ? "; and more" : ""}.`,
    );
  const name = many ? plural(np) : singular(np);
  const leads = many
    ? [`Here are the ${name}${place}: `, `I found these ${name}${place}: `, `There are several ${name}${place}: `, `${capital(name)}${place}: `]
    : [`There is one ${name}${place}: `, `I found one ${name}${place}: `, `${capital(name)}${place}: `];
  return tidy(`${rng.pick(leads)}${shown.join("; ")}${cut ? "; and more" : ""}.`);
}

function sayNames(items: readonly JsonValue[], model: ToolModel, about: string, rng: Rng): string {
  const place = about ? ` ${preposition(model)} ${about}` : "";
  const shown = items.slice(0, 12).map((i) => factOf("", typeof i === "object" ? JSON.stringify(i) : (i as string | number)).text);
  const text = items.length > shown.length ? `${shown.join(", ")} and more` : listing(shown);
  return tidy(
    rng.pick([`Here are the ${plural(noun(model))}${place}: ${text}.`, `I found${place}: ${text}.`, `${capital(plural(noun(model)))}${place}: ${text}.`]),
  );
}
