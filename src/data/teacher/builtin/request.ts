/**
 * Puts a request together: a shape, a mention for each argument, the dressing of a register. The frame
 * is the request's wording with its values blanked and its dressing (greetings, small talk, thanks) taken off.
 */
import type { JsonObject, JsonValue } from "../../../platform/json.ts";
import type { Rng } from "../../../platform/rng.ts";
import { dress, lowerOutside, type Register } from "./dress.ts";
import { capital, gerund, indefinite, isMass, isPlural, literally, participle, plural, singular, splitName, tidy, uncapital } from "./english.ts";
import { expand, expansions } from "./expand.ts";
import { type Mention, mentionsOf } from "./mentions/index.ts";
import { definite, type Param, type ToolModel } from "./model.ts";
import * as P from "./patterns.ts";
import type { Value } from "./values/index.ts";
import { asks, sayVerb } from "./verbs.ts";
import { KNOWN_PEOPLE } from "./words/things.ts";

export interface Binding {
  readonly param: Param;
  readonly value: Value;
}

export interface Request {
  /** What the user writes. */
  readonly text: string;
  /** Wording with blanks, lower case, without punctuation and dressing. */
  readonly frame: string;
}

export type Style = "normal" | "vague" | "open";

export interface RequestOptions {
  readonly style: Style;
  /** Whole requests in pattern notation that replace the tool's own (several tools apply). */
  readonly patterns?: readonly string[];
  /** A register, where the caller wants a certain one. */
  readonly register?: Register;
}

/** Every argument in the order of the schema. */
export function argumentsOf(bindings: readonly Binding[], model: ToolModel): JsonObject {
  const out: Record<string, JsonValue> = {};
  for (const p of model.params) {
    const b = bindings.find((x) => x.param === p);
    if (b) out[p.property.name] = b.value.json;
    else if (p.property.nullWhenUnsaid) out[p.property.name] = null;
  }
  return out;
}

/** Writes a request that mentions exactly these arguments, or null when the drawn shape cannot take them. */
export function writeRequest(model: ToolModel, bindings: readonly Binding[], rng: Rng, o: RequestOptions): Request | null {
  const core = writeCore(model, bindings, rng, o);
  if (core === null) return null;
  const frame = frameOf(core.join(" "));
  const said = new Map(bindings.map((b) => [blankName(b), b.value]));
  const register =
    o.register ??
    rng.weighted<Register>([
      ["plain", 5],
      ["polite", 2],
      ["casual", 3],
      ["terse", 1],
      ["chatty", 2],
    ]);
  const text = dress(core, model, rng, register);
  const lower = /[a-z]/.test(text) && text === lowerOutside(text);
  const filled = fill(text, said, lower && rng.chance(0.8));
  return { text: filled, frame };
}

/** The name of an argument's blank: the parameter's, without what the notation itself uses. */
const blankName = (b: Binding): string => b.param.property.name.replace(/[^\p{L}\p{N}_.$-]/gu, "_");

/** Lower case, no punctuation, values as `{name}`. */
export const frameOf = (core: string): string =>
  core
    .replace(/[“”"]/g, "")
    .replaceAll(MANY, "s")
    .replace(/[.,;:?!]+(?=\s|$)/g, " ")
    .toLowerCase()
    .replace(/\s+/g, " ")
    .trim();

/** Behind a blank: its value in the plural. */
const MANY = "\ue002";
/** A value in the plural without an article, before which an adjective may stand: `free museums`. */
const BARE_MANY = new RegExp(`^\\{[^{}]+\\}${MANY}$`);
const BLANK = /\{([^{}@=|]+)\}(\ue002)?/g;

function fill(text: string, said: ReadonlyMap<string, Value>, lower: boolean): string {
  const out = text.replace(BLANK, (_, name: string, many: string | undefined) => {
    const v = said.get(name);
    if (!v) throw new Error(`a request mentions {${name}}, which has no value`);
    const words = many === undefined ? v.said : plural(v.said.toLowerCase());
    return `\ue000${lower && v.caseless ? words.toLowerCase() : words}\ue001`;
  });
  // An article before a blank follows the value; a value in front of the sentence is written as it is.
  return out
    .replace(/\b(a|an) \ue000(\S)/gi, (_, a: string, c: string) => `${a[0]}${/[aeiou]|8|11|18/i.test(c) ? "n" : ""} ${c}`)
    .replace(/[\ue000\ue001]/g, "");
}

interface Spot {
  readonly binding: Binding;
  readonly name: string;
}

/** The sentences of a request: the first carries it, the others add arguments. Null when the shape does not fit. */
function writeCore(model: ToolModel, bindings: readonly Binding[], rng: Rng, o: RequestOptions): string[] | null {
  const open = bindings.map((binding) => ({ binding, name: blankName(binding) }));
  const topic = singular(model.objects[0] ?? "");
  const own = o.patterns ?? model.domains.flatMap((d) => (o.style === "vague" ? (d.vague ?? []) : (d.patterns ?? [])));
  const generic = o.style === "vague" ? (asks(model.cls) ? P.VAGUE : P.VAGUE_ACTING) : genericPatterns(model);
  // The tool's own shapes name its object, in whose place a kind would stand.
  const kinded = open.some((s) => mentionsOf(s.binding.param, s.binding.value, topic).some((m) => m.at === "object" && /\bXs\b/.test(m.text)));
  const useOwn = o.patterns !== undefined || (own.length > 0 && rng.chance(o.style === "vague" ? 0.75 : kinded ? 0.1 : 0.6));
  let pattern = useOwn ? pickWeighted(own, rng) : rng.pick(generic);
  let filled = fillSlots(expand(pattern, rng), open, topic, rng);
  for (let i = 0; filled === null && i < 4; i++) {
    pattern = o.patterns ? rng.pick(o.patterns) : i < 2 && own.length > 0 ? rng.pick(own) : rng.pick(generic);
    filled = fillSlots(expand(pattern, rng), open, topic, rng);
  }
  if (filled === null) return null;
  const several = bindings.some((b) => b.param.role.kind === "count" && typeof b.value.json === "number" && b.value.json > 1);
  return place(filled.text, filled.rest, model, topic, several, o.style === "normal" ? leftOpen(model, bindings, rng) : null, rng);
}

/** Chance that a choice of several things that is not made is said to be left open. */
const OPEN_SHARE = 0.15;

/** What is not chosen may be said to be so, and is no argument: `for each network`, `across all sensors`. */
function leftOpen(model: ToolModel, bindings: readonly Binding[], rng: Rng): string | null {
  if (!asks(model.cls) || !rng.chance(OPEN_SHARE)) return null;
  const nouns = model.params
    .filter((p) => !p.property.required && p.role.kind === "list" && !bindings.some((b) => b.param === p))
    .map((p) =>
      singular(
        splitName(p.property.name)
          .join(" ")
          .replace(/ ids?$/, ""),
      ),
    )
    .filter((noun) => /^[a-z]{3,}( [a-z]{3,})?$/.test(noun));
  if (nouns.length === 0) return null;
  const noun = rng.pick(nouns);
  return rng.pick([
    `for each ${noun}`,
    `for every ${noun}`,
    `from each ${noun}`,
    `for all ${plural(noun)}`,
    `across all ${plural(noun)}`,
    `from all ${plural(noun)}`,
  ]);
}

/** Patterns with more wordings are drawn more often, though not in proportion: the short ones are what people say most. */
function pickWeighted(patterns: readonly string[], rng: Rng): string {
  return rng.weighted(patterns.map((p) => [p, weightOf(p)] as const));
}

const weights = new Map<string, number>();
function weightOf(pattern: string): number {
  let w = weights.get(pattern);
  if (w === undefined) {
    w = expansions(pattern) ** 0.4;
    if (weights.size < 10_000) weights.set(pattern, w);
  }
  return w;
}

function genericPatterns(model: ToolModel): readonly string[] {
  if (!asks(model.cls)) return P.ACTING;
  return P.ASKING;
}

/** Fills `{@role}` and `{=role}`; null when a bare blank has no argument. */
function fillSlots(text: string, spots: readonly Spot[], topic: string, rng: Rng): { text: string; rest: Spot[] } | null {
  const rest = [...spots];
  let failed = false;
  const take = (key: string): Spot | null => {
    const i = rest.findIndex((s) => answers(s, key));
    return i < 0 ? null : (rest.splice(i, 1)[0] ?? null);
  };
  const out = text
    .replace(/\{=([a-z]+)\}/g, (_, key: string) => {
      const s = take(key);
      if (!s) failed = true;
      return s ? `{${s.name}}` : "";
    })
    .replace(/\{@([a-z]+)(?:\|([^}]*))?\}/g, (_, key: string, otherwise: string | undefined, at: number) => {
      const s = take(key);
      if (!s) return otherwise ? rng.pick(otherwise.split(";")) : "";
      const afterNoun = NAMED_FOR.test(text.slice(0, at));
      const forms = mentionsOf(s.binding.param, s.binding.value, topic).filter(
        (m) => m.at === "after" && (key !== "place" || afterNoun || /^(in|from|to) /.test(m.text)),
      );
      return forms.length > 0 ? insert(drawMention(forms, rng), s) : `{${s.name}}`;
    })
    .replace(/\{ID\}/g, () => {
      const s = take("id");
      if (!s) failed = true;
      return s
        ? insert(
            {
              text: rng.pick([`${s.binding.param.role.entity} X`, `${s.binding.param.role.entity} number X`, `my ${s.binding.param.role.entity} X`]),
              at: "object",
              weight: 1,
            },
            s,
          )
        : "";
    })
    .replace(/\{NOUNS\}/g, () => plural(lastWord(topic)))
    .replace(/\{NOUN\}/g, () => singular(lastWord(topic)))
    .replace(/\b(?:what|who)( is| was|'s|) \{([^{}@=|]+)\}/gi, (_, is: string, name: string) => {
      const value = spots.find((s) => s.name === name)?.binding.value.json;
      return `${typeof value === "string" && PEOPLE.has(value) ? "who" : "what"}${is} {${name}}`;
    });
  return failed ? null : { text: out, rest };
}

/** Who they are is asked, not what. */
const PEOPLE: ReadonlySet<string> = new Set(KNOWN_PEOPLE);

/** Words after which a place may follow with `for`. */
const NAMED_FOR =
  /(weather|forecast|outlook|alerts?|warnings?|temperatures?|conditions|report|update|attractions|sights|hotels?|houses?|restaurants?)( today| now| right now)?\s*$/;

const lastWord = (s: string) => s.split(" ").at(-1) ?? s;

function answers(s: Spot, key: string): boolean {
  const { kind, side } = s.binding.param.role;
  if (key === "start" || key === "end") return side === key && (kind === "place" || kind === "airport" || kind === "path" || kind === "folder");
  if (key === "path" || key === "folder") return kind === "path" || kind === "folder" || (kind === "list" && /path|file/i.test(s.name));
  if (key === "recipient") return kind === "person" || kind === "email";
  if (key === "text") return kind === "text";
  if (key === "place") return kind === "place" || kind === "airport" || (kind === "enum" && /location|city|place/.test(s.name));
  return kind === key;
}

const drawMention = (forms: readonly Mention[], rng: Rng): Mention => rng.weighted(forms.map((f) => [f, f.weight] as const));
const insert = (m: Mention, s: Spot): string => m.text.replaceAll(/\bXs\b/g, () => `{${s.name}}${MANY}`).replaceAll(/\bX\b/g, () => `{${s.name}}`);

/** Places the remaining arguments and the object, and splits off what stands alone. */
function place(text: string, rest: readonly Spot[], model: ToolModel, topic: string, several: boolean, aside: string | null, rng: Rng): string[] | null {
  const generic = /\{(O|THE|BARE)\}/.test(text);
  const trail: string[] = [];
  const alone: string[] = [];
  const adjectives: string[] = [];
  let front = "";
  let object: string | null = null;
  const order = orderSpots(rest, rng);
  for (const s of order) {
    const crowded = trail.length >= 3;
    const forms = mentionsOf(s.binding.param, s.binding.value, topic)
      .filter((m) => m.at !== "object" || (generic && object === null && (adjectives.length === 0 || m.text === "Xs")))
      .filter((m) => m.at !== "before" || (generic && adjectives.length < 2 && (object === null || BARE_MANY.test(object))))
      .filter((m) => m.at !== "first" || (front === "" && !/^(now|then|next|just|quickly|kindly|please|go ahead|hi|so)\b/i.test(text)))
      .map((m) => (m.at === "alone" && (trail.length > 1 || crowded) ? { ...m, weight: m.weight * 4 } : m));
    const last = forms.filter((m) => !crowded || m.at === "alone" || m.at === "before");
    if (forms.length === 0) return null;
    const m = drawMention(last.length > 0 ? last : forms, rng);
    const said = insert(m, s);
    if (m.at === "after") trail.push(said);
    else if (m.at === "before") adjectives.push(said);
    else if (m.at === "object") object = said;
    else if (m.at === "first") front = said;
    else alone.push(said);
  }
  if (object !== null && adjectives.length > 0) object = `${adjectives.join(" ")} ${object}`;
  let body = generic ? fillObject(text, model, object, adjectives, several, rng) : text;
  if (body === null) return null;
  if (aside !== null && trail.length < 3) trail.push(aside);
  if (model.qualifier !== "" && rng.chance(0.6)) trail.push(model.qualifier);
  const tail = [...trail.filter((t) => !t.startsWith(",")), ...trail.filter((t) => t.startsWith(","))].join(" ");
  const question = body.endsWith("?");
  if (body.includes("{ARGS}")) body = body.replace("{ARGS}", literally(tail));
  else body = `${question ? body.slice(0, -1) : body} ${tail}${question ? "?" : ""}`;
  if (front !== "") body = `${capital(front)}${rng.chance(0.8) ? "," : ""} ${uncapital(body)}`;
  body = tidy(body.replace(/ +/g, " ").replace(/ \?/g, "?"));
  return [body, ...alone.map((a) => tidy(a))];
}

/** Ends of a span follow each other, start first; the rest in any order, what names the object first. */
function orderSpots(spots: readonly Spot[], rng: Rng): Spot[] {
  const shuffled = rng.chance(0.5) ? [...spots] : rng.shuffle(spots);
  const start = shuffled.find((s) => s.binding.param.role.side === "start");
  const out: Spot[] = [];
  for (const s of shuffled) {
    if (s.binding.param.role.side === "end" && start && !out.includes(start)) out.push(start);
    if (!out.includes(s)) out.push(s);
  }
  const rank = (s: Spot) =>
    ["path", "folder", "id", "title", "nickname", "query", "text"].includes(s.binding.param.role.kind) && s.binding.param.property.required
      ? 0
      : s.binding.param.property.required
        ? 1
        : 2;
  return rng.chance(0.7)
    ? out
        .map((s, i) => ({ s, i }))
        .sort((a, b) => rank(a.s) - rank(b.s) || a.i - b.i)
        .map((x) => x.s)
    : out;
}

/** How often what is listed or searched is asked for in the plural: of what is chosen by its properties, one is often wanted. */
const pluralShare = (model: ToolModel): number => (model.cls === "search" ? 0.75 : hasFilters(model) ? 0.65 : 0.95);

/** Whether the tool gives several of a thing: also one that "gets" them by their properties. */
const listsThings = (model: ToolModel, object: string): boolean =>
  model.cls === "list" || model.cls === "search" || (model.cls === "read" && isPlural(object) && !UNCOUNTED.test(object) && hasFilters(model));

const hasFilters = ({ params }: ToolModel): boolean => params.filter((p) => !p.property.required).length >= FILTERS;
/** Optional parameters that make a list a choice. */
const FILTERS = 3;

/** Fills verb and object of a generic shape (in the plural where the request counts `several`); may swap the shape for one that fits the object's number. */
function fillObject(text: string, model: ToolModel, object: string | null, adjectives: readonly string[], several: boolean, rng: Rng): string | null {
  const nouns = [...model.objects, ...model.domains.flatMap((d) => d.objects ?? [])];
  let np = rng.pick(nouns);
  if (listsThings(model, np)) np = rng.chance(pluralShare(model)) || (several && hasFilters(model)) ? plural(np) : singular(np);
  const many = isPlural(np);
  let shape = text;
  if (asks(model.cls) && object === null && rng.chance(0.4) && /\{V\}|\{O\}/.test(text))
    shape = expand(rng.pick(UNCOUNTED.test(np) ? P.ASKING_WHOLE : many ? P.ASKING_MANY : P.ASKING_ONE), rng);
  const adjective = adjectives.join(" ");
  const bare = `${adjective} ${np}`.trim();
  const det = object ?? determine(bare, np, model, rng);
  const forMe = /(^|you( \w+)?|you to|please|just|quickly|now|kindly|then|go ahead and) \{V\}/.test(shape) || shape.startsWith("{V}");
  const verbs = sayVerb(model.verb, model.cls)
    .filter((v) => forMe || !/ me\b|^let me/.test(v))
    .filter((v) => v !== "let me see" || shape.startsWith("{V}"))
    .filter((v) => v !== "tell me" || object === null);
  const selfish = !forMe && /(^|\s)(I|we|I'd|I'm|let me|me|my|ready)\b/.test(shape) && !/\byou\b/.test(shape);
  const verb = selfish && (model.cls === "read" || model.cls === "list") ? rng.pick(SEEING) : verbs.length > 0 ? rng.pick(verbs) : model.verb;
  const the = object ?? (/^(all|any|the|my) /.test(bare) ? bare : definite(bare));
  return shape
    .replace("{VING}", literally(gerund(verb)))
    .replace("{PAST}", literally(participle(/ (a|to|with|of|me|for)\b/.test(verb) ? model.verb : verb)))
    .replace("{V}", literally(verb))
    .replace("{O}", literally(det))
    .replace("{THE}", literally(the))
    .replace("{BARE}", literally(object ?? bare));
}

/** Plurals that are not counted: nobody asks for a few of them. */
const UNCOUNTED = /\b(conditions|details|contents|settings|statistics|properties|metadata|experiences and education|readings)$/;

/** What one does oneself with something that is shown. */
const SEEING = ["see", "look at", "check", "get", "look up"];

function determine(bare: string, np: string, model: ToolModel, rng: Rng): string {
  const many = isPlural(np);
  const mass = isMass(np);
  switch (!many && hasFilters(model) && model.cls === "read" && model.objects.includes(plural(np)) ? "list" : model.cls) {
    case "list":
    case "search":
      return many
        ? rng.weighted([
            [bare, 3],
            [`some ${bare}`, 1],
            [`all ${bare}`, model.cls === "list" ? 2 : 0.3],
            [`the ${bare}`, 1],
          ])
        : mass
          ? bare
          : indefinite(bare);
    case "create":
    case "book":
    case "send":
    case "register":
    case "write":
      return many || mass ? bare : rng.chance(0.75) ? indefinite(bare) : `the ${bare}`;
    default:
      return many
        ? rng.weighted([
            [`the ${bare}`, 3],
            [bare, 1],
          ])
        : definite(bare);
  }
}
