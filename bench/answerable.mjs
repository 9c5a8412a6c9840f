/**
 * Whether a request holds what its accepted answer needs. Some of Berkeley's do not: the answer has an argument that the tool
 * does not have, or a value that its schema refuses, or leaves out one that it requires, or has a number that neither the request nor the
 * schema says ("Bangkok" is 1). No model can be taught these from the definitions alone, so they are counted apart. By rule, without regard to any
 * model's answers; generous: whatever number a request may be said to hold counts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { jsonLines, requestsOf } from "./lib.mjs";

const NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split(" ");
/** Words that may mean a number, and what. */
const MEANING = { a: 1, an: 1, single: 1, first: 1, couple: 2, pair: 2, noon: 12, half: 0.5, perfect: 5, myself: 1, me: 1, hour: 1, day: 1, week: 1 };
"thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(" ").forEach((word, i) => {
  MEANING[word] = 13 + i;
});
"twenty thirty forty fifty sixty seventy eighty ninety hundred".split(" ").forEach((word, i) => {
  MEANING[word] = 20 + 10 * i;
});
const SCALES = { "%": 0.01, percent: 0.01, k: 1e3, thousand: 1e3, million: 1e6, m: 1e6, billion: 1e9 };
/** Seconds, minutes and so on of each other. */
const UNITS = [1, 60, 3600, 86_400, 604_800];

/** The requests of these toolsets that no model can answer as accepted: `NAME/ID` to why. */
export function beyondAnswer(folder, names) {
  const found = new Map();
  for (const name of names) {
    const tools = new Map(JSON.parse(readFileSync(join(folder, name, "functions.json"), "utf8")).map(({ function: f }) => [f.name, f]));
    for (const c of jsonLines(requestsOf(folder, name))) {
      const reason = c.expect === null && c.any_of === undefined ? null : unanswerable(c, tools);
      if (reason !== null) found.set(`${name}/${c.id}`, { name, id: c.id, reason });
    }
  }
  return found;
}

/** @param tools by name, as OpenAI functions. Why no model can give the accepted answer; null where one can. */
export function unanswerable(found, tools) {
  const accepted = found.any_of ?? [found.expect];
  const reasons = accepted.map((calls) => (calls === null ? null : firstReason(calls, found, tools)));
  return reasons.every((r) => r !== null) ? reasons[0] : null;
}

function firstReason(calls, found, tools) {
  const text = found.messages
    .map((m) => m.content ?? "")
    .join(" ")
    .toLowerCase();
  for (const call of calls) {
    const parameters = tools.get(call.name)?.parameters;
    if (parameters === undefined) return `there is no tool ${call.name}`;
    for (const name of parameters.required ?? []) if (call.arguments[name] === undefined) return `${call.name} requires ${name}, the answer has none`;
    for (const [name, values] of Object.entries(call.arguments)) {
      if (values.includes("")) continue;
      const schema = parameters.properties?.[name];
      if (schema === undefined) return `${call.name} has no ${name}`;
      const fitting = values.filter((v) => fits(v, schema));
      if (fitting.length === 0) return `${name} refuses ${JSON.stringify(values[0])}`;
      const plainNumber = (schema.type === "integer" || schema.type === "number") && schema.enum === undefined;
      if (plainNumber && !fitting.some((v) => v === schema.default || numbersIn(text, /(^|_)id$/.test(name)).has(v)))
        return `nothing says that ${name} is ${values[0]}`;
    }
  }
  return null;
}

function fits(value, schema) {
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false;
  return schema.type === undefined || [schema.type].flat().some((type) => isOf(type, value, schema));
}

function isOf(type, value, schema) {
  if (type === "integer") return Number.isInteger(value);
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value) && (schema.items?.enum === undefined || value.every((v) => schema.items.enum.includes(v)));
  return typeof value === type;
}

/** The numbers that a text may be said to hold; of an identifier only what stands there in digits, dates and times taken out. */
function numbersIn(text, identifier) {
  const plain = identifier
    ? text
        .replace(/\d{1,4}[-/:.]\d{1,2}([-/:.]\d{1,4})?/g, " ")
        .replace(/\b(january|february|march|april|may|june|july|august|september|october|november|december)\b[^a-z]*/g, " ")
    : text;
  const found = (plain.match(/\d+(?:,\d{3})*(?:\.\d+)?/g) ?? []).map((n) => Number(n.replaceAll(",", "")));
  if (identifier) return new Set(found);
  const written = text.matchAll(/(\d+(?:,\d{3})*(?:\.\d+)?)\s*(%|percent|k|thousand|million|m|billion)(?![a-z])/g);
  for (const [, digits, scale] of written) found.push(Number(digits.replaceAll(",", "")) * SCALES[scale]);
  for (const word of text.match(/[a-z]+/g) ?? []) {
    if (NUMBER_WORDS.includes(word)) found.push(NUMBER_WORDS.indexOf(word));
    if (Object.hasOwn(MEANING, word)) found.push(MEANING[word]);
    const one = word.replace(/s$/, "");
    if (Object.hasOwn(MEANING, one)) found.push(MEANING[one]);
  }
  const sums = found.flatMap((a) => found.map((b) => a + b));
  return new Set([...found, ...sums].flatMap((n) => UNITS.flatMap((u) => [n * u, -n * u])));
}
