/**
 * Repairs a sample as far as its meaning is certain (`forge qa --fix`):
 * encoding, white space, arguments that break off after a whole value, values of the wrong JSON type whose right
 * form is certain (`"3"` where an integer is due), enum values in the wrong case, required arguments that the schema has a default for
 * (fill-defaults.ts), at any depth. Nothing is invented: an unknown tool, a text cut off in its middle stay, for the checks to refuse (brought.ts).
 * Every repair is recorded, so that it can be taken back (repairs.ts).
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { defaultsDue, type Words, wordsOfUsers } from "./fill-defaults.ts";
import { closeJson } from "./import.ts";
import { lostNumbers } from "./numbers.ts";
import { type Repair, RepairLog } from "./repairs.ts";
import { type ArgumentCheck, type ArgumentProblem, compileArguments, type Property, readProperties } from "./schema.ts";
import type { Message, Sample, Toolset } from "./types.ts";
import { toWindows1252 } from "./windows-1252.ts";

export interface Mended {
  readonly sample: Sample;
  /** Kinds of repair that it got: `encoding`, `whitespace`, `truncation`, `schema`, `default`. */
  readonly kinds: ReadonlySet<string>;
  /** Every repair, in order. */
  readonly repairs: readonly Repair[];
}

/** Makes the function that repairs samples, each by itself; whether one is good then is for the checks to say. */
export function sampleMender(toolset: Toolset): (sample: Sample) => Mended {
  const tools = new Map(toolset.tools.map((t): [string, Form] => [t.name, { properties: readProperties(t), check: compileArguments(t) }]));
  return (sample) => {
    const log = new RepairLog();
    const messages = sample.messages.map((m, i) => mendMessage(m, `/messages/${i}`, { tools, log, sample }));
    return { sample: { ...sample, messages: messages as Sample["messages"] }, kinds: log.kinds, repairs: log.repairs };
  };
}

/** What a tool's arguments should be. */
interface Form {
  readonly properties: readonly Property[];
  readonly check: ArgumentCheck;
}

interface Mending {
  readonly tools: ReadonlyMap<string, Form>;
  readonly log: RepairLog;
  readonly sample: Sample;
}

function mendMessage(message: Message, path: string, o: Mending): Message {
  const content = message.content === null ? null : mendText(message.content, `${path}/content`, o.log);
  if (message.role !== "assistant" || message.tool_calls === undefined) return { ...message, content } as Message;
  const calls = message.tool_calls.map((call, i) => {
    const at = `${path}/tool_calls/${i}/function`;
    const name = call.function.name.trim();
    if (name !== call.function.name) o.log.add({ check: "whitespace", path: `${at}/name`, before: call.function.name, after: name });
    const form = o.tools.get(name);
    return { ...call, function: { name, arguments: new ArgumentsMender(call.function.arguments, form, `${at}/arguments`, o.sample).mend(o.log) } };
  });
  return { ...message, content, tool_calls: calls as typeof message.tool_calls };
}

/** UTF-8 that was once read as Windows-1252: every such pair is a letter that no language writes so. */
const MOJIBAKE = /[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac[\u2122\u0153\u201c\u201d\u2013\u2014\u00a6\u02dc\u009d]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A text without what an encoding did to it. */
const encodingMended = (text: string): string => (MOJIBAKE.test(text) ? fromMojibake(text) : text).replace(CONTROLS, "");

/** A text without what an encoding did to it and without white space around it. */
function mendText(text: string, path: string, log: RepairLog): string {
  const out = encodingMended(text);
  if (out !== text) log.add({ check: "encoding", path, before: text, after: out });
  const trimmed = out.replace(/\r\n?/g, "\n").trim();
  if (trimmed !== out) log.add({ check: "whitespace", path, before: out, after: trimmed });
  return trimmed;
}

/** The text whose UTF-8 bytes were read as Windows-1252; the same text where they are no UTF-8. */
function fromMojibake(text: string): string {
  const bytes = toWindows1252(text);
  if (bytes === undefined) return text;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return text;
  }
}

/** Values of one call that are tried: a foreign schema may refuse every one of thousands, and each is a validation of all. */
const MOST_TRIED = 200;

/** A place inside arguments: what holds it, under which key, and what the schema says of it. */
interface Place {
  readonly holder: JsonObject | readonly JsonValue[];
  readonly key: string;
  readonly property: Property;
}

/** The arguments of one call, on their way to what the schema wants. */
class ArgumentsMender {
  readonly #found: Repair[] = [];
  #args: JsonObject = {};
  #words: Words | undefined;

  constructor(
    private readonly text: string,
    private readonly form: Form | undefined,
    private readonly path: string,
    private readonly sample: Sample,
  ) {}

  /** The text of the arguments; the same one, to the byte, where nothing was wrong. */
  mend(log: RepairLog): string {
    const whole = parseObject(this.text);
    const value = whole ?? this.#closed();
    if (value === undefined) return this.text;
    this.#args = value;
    if (this.form !== undefined) {
      this.#mendTexts(value, this.form.properties, "");
      this.#mendValues(this.form);
    }
    // As it was where nothing was wrong, and where a number of many digits would not survive.
    if (this.#found.length === 0 || holdsLongNumber(this.text)) return this.text;
    const first = whole === undefined ? -1 : 0;
    for (const [i, repair] of this.#found.entries()) log.add(i === first ? { ...repair, text: this.text } : repair);
    return JSON.stringify(this.#args);
  }

  /** What breaks off after a whole value, closed. */
  #closed(): JsonObject | undefined {
    const closed = closeJson(this.text.trim());
    const value = closed === undefined ? undefined : parseObject(closed);
    if (value !== undefined) this.#found.push({ check: "truncation", path: this.path, before: this.text, after: closed as string });
    return value;
  }

  #set({ holder, key }: Pick<Place, "holder" | "key">, to: JsonValue): void {
    // An argument may be called `__proto__`.
    Object.defineProperty(holder, key, { value: to, enumerable: true, configurable: true, writable: true });
  }

  /** White space around a value may be part of it (a file's content): only what an encoding did is undone. */
  #mendTexts(value: JsonValue, properties: readonly Property[], path: string): void {
    for (const { place, at } of placesIn(value, properties, path)) {
      const given = valueAt(place);
      if (typeof given !== "string" || place.property.type !== "string") {
        if (place.property.properties !== undefined || place.property.items !== undefined || place.property.values !== undefined)
          this.#mendTexts(given, [place.property], at);
        continue;
      }
      const out = encodingMended(given);
      if (out === given) continue;
      this.#found.push({ check: "encoding", path: this.path + at, before: given, after: out });
      this.#set(place, out);
    }
  }

  /** Only what the schema refuses has a wrong form: each value once, until nothing more is refused. */
  #mendValues(form: Form): void {
    const tried = new Set<string>();
    for (let round = 0; round < MOST_TRIED; round++) {
      const problems = form.check(this.#args);
      if (problems.length === 0) return;
      if (this.#fill(problems, form)) continue;
      const place = this.#refused(problems, form, tried);
      if (place === undefined) return;
      const before = valueAt(place.place);
      const after = mendValue(before, place.place.property);
      if (after === before) continue;
      this.#found.push({ check: "schema", path: this.path + place.at, before, after });
      this.#set(place.place, after);
    }
  }

  /** Adds a required argument that is missing, where the schema has a default and the user's words leave it to that. */
  #fill(problems: readonly ArgumentProblem[], form: Form): boolean {
    const [problem] = problems;
    // Of several ways that a schema offers nobody says which was meant.
    if (problem === undefined || problems.some((p) => p.keyword !== "required")) return false;
    for (const missing of missingIn(this.#args, form.properties, "")) {
      if (`${missing.parent}/${missing.property.name}` !== problem.path) continue;
      this.#words ??= wordsOfUsers(this.sample);
      if (!defaultsDue(missing.property, this.#words, this.#args)) return false;
      const after = structuredClone(missing.property.schema.default as JsonValue);
      this.#found.push({ check: "default", path: `${this.path}${missing.parent}/${escaped(missing.property.name)}`, after });
      this.#set({ holder: missing.holder, key: missing.property.name }, after);
      return true;
    }
    return false;
  }

  /** The value that a schema refuses first and that was not tried yet; where nothing is known of it, what holds it. */
  #refused(problems: readonly ArgumentProblem[], form: Form, tried: Set<string>): { readonly place: Place; readonly at: string } | undefined {
    for (const { keyword, path } of problems) {
      if (keyword === "required") continue;
      for (let at = path; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
        if (tried.has(at)) continue;
        tried.add(at);
        const place = placeOf(this.#args, form.properties, at);
        if (place !== undefined) return { place, at };
      }
    }
    return undefined;
  }
}

const isObject = (v: JsonValue | undefined): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
const valueAt = ({ holder, key }: Pick<Place, "holder" | "key">): JsonValue => (holder as JsonObject)[key] as JsonValue;
const escaped = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");
const unescaped = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");

/** What a schema says of a member of a value, where it says anything. */
function propertyOf(holder: JsonValue, key: string, properties: readonly Property[]): Property | undefined {
  if (!Array.isArray(holder)) return properties.find((p) => p.name === key);
  const [list] = properties;
  return list?.places?.[Number(key)] ?? list?.items;
}

/** The properties below one; of a list and of an object with names of the caller's own the property itself, which says what is in it. */
const below = (property: Property, value: JsonValue): readonly Property[] =>
  Array.isArray(value)
    ? [property]
    : [...(property.properties ?? []), ...(property.values === undefined || !isObject(value) ? [] : otherNames(property, value))];

/** What stands under names that the schema leaves to the caller. */
const otherNames = ({ properties = [], values }: Property, value: JsonObject): Property[] =>
  Object.keys(value)
    .filter((name) => !properties.some((p) => p.name === name))
    .map((name) => ({ ...(values as Property), name }));

/** The places of a value, one level down, of which the schema says something. */
function* placesIn(value: JsonValue, properties: readonly Property[], path: string): Generator<{ readonly place: Place; readonly at: string }> {
  if (typeof value !== "object" || value === null) return;
  const known = path === "" ? properties : below(properties[0] as Property, value);
  for (const key of Object.keys(value)) {
    const property = propertyOf(value, key, known);
    if (property !== undefined) yield { place: { holder: value, key, property }, at: `${path}/${escaped(key)}` };
  }
}

/** The place that a pointer leads to, with what the schema says of it. */
function placeOf(args: JsonObject, properties: readonly Property[], pointer: string): Place | undefined {
  let holder: JsonValue = args;
  let known = properties;
  const parts = pointer.slice(1).split("/").map(unescaped);
  for (const [i, key] of parts.entries()) {
    if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) return undefined;
    const property = propertyOf(holder, key, known);
    if (property === undefined) return undefined;
    const place: Place = { holder, key, property };
    if (i === parts.length - 1) return place;
    holder = valueAt(place);
    known = below(property, holder);
  }
  return undefined;
}

interface Missing {
  readonly holder: JsonObject;
  /** Pointer to what holds it. */
  readonly parent: string;
  readonly property: Property;
}

/** Members that objects have to have, and that are not there, at any depth of what the schema says. */
function* missingIn(value: JsonValue, properties: readonly Property[], path: string): Generator<Missing> {
  if (isObject(value))
    for (const property of path === "" ? properties : below(properties[0] as Property, value))
      if ((property.required || property.nullWhenUnsaid) && !Object.hasOwn(value, property.name)) yield { holder: value, parent: path, property };
  for (const { place, at } of placesIn(value, properties, path)) yield* missingIn(valueAt(place), [place.property], at);
}

/** Digits that JavaScript's numbers hold for sure. */
const SAFE_DIGITS = 15;
const holdsLongNumber = (json: string): boolean =>
  lostNumbers(json).size > 0 ||
  (json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').match(/\d[\d.]*/g) ?? []).some((n) => n.replace(".", "").replace(/^0+/, "").length > SAFE_DIGITS);

/** The value in its right form where that is certain; else the same one. */
function mendValue(value: JsonValue, property: Property): JsonValue {
  const named = property.enum;
  if (named !== undefined && !named.some((v) => v === value)) {
    const word = String(value).trim().normalize("NFC").toLowerCase();
    const meant = named.filter((v) => String(v).normalize("NFC").toLowerCase() === word);
    if (meant.length === 1) return meant[0] as JsonValue;
  }
  if (typeof value !== "string") return property.type === "string" && (typeof value === "number" || typeof value === "boolean") ? String(value) : value;
  const text = value.trim();
  if ((property.type === "integer" && /^-?\d{1,15}$/.test(text)) || (property.type === "number" && /^-?\d{1,15}(\.\d{1,15})?$/.test(text))) return Number(text);
  return property.type === "boolean" && /^(true|false)$/i.test(text) ? text.toLowerCase() === "true" : value;
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
