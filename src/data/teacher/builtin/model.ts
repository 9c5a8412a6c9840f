/**
 * What a tool is, in words: its verb and class, the noun phrases for what it works on, its
 * parameters with their roles, the everyday knowledge that fits it. Read from the definition alone.
 */
import { readProperties } from "../../schema.ts";
import type { ToolDefinition, Toolset } from "../../types.ts";
import { DOMAINS, type Domain } from "./domains/index.ts";
import { baseForm, singular, splitName } from "./english.ts";
import type { Param, ToolReading } from "./reading.ts";
import { roleOf } from "./roles.ts";
import { mayBeNoun, type VerbClass, verbClass } from "./verbs.ts";

export type { Param } from "./reading.ts";

export interface ToolModel extends ToolReading {
  readonly domains: readonly Domain[];
}

const STOP =
  /\s+(?:for|with|by|from|within|in|at|on|based|using|including|that|which|who|whose|where|when|while|according|via|through|into|under|if|as|to|between|across|over|per|and then|given|matching|optionally|named|called|associated|belonging|such|or|provided|against|ensuring|regarding|about|related|sorted|filtered|is|are|was|were|can|will|may|has|have|summarized|without|so|along|inside|during|after|before)\b|[,.;:(\n]| - /i;
const WEAK =
  /^(the|a|an|all|any|some|its|their|your|one|multiple|several|various|specified|specific|selected|given|particular|certain|desired|new|existing|provided|requested|single|available|currently|active|detailed|complete|entire|full|current working|relevant|simple|more|up-to-date|paginated|own|other|this|these|user's|or|more)\s+/i;
const GENERIC_NOUNS = new Set(
  "data information info details detail result results value values list function tool operation something object item resource content contents query request command service services api".split(
    " ",
  ),
);
const BAD_NOUN = /[^A-Za-z -]|^(it|them|you|we|whether|how|what|if)\b/;

/** Reads every tool of a toolset. */
export function readToolset(toolset: Toolset): ToolModel[] {
  const shared = sharedPrefix(toolset.tools.map((t) => splitName(t.name)));
  return toolset.tools.map((t) => readTool(t, shared));
}

/** Name words that most tools of a set begin with: a product's name, not a meaning. */
function sharedPrefix(names: readonly (readonly string[])[]): string | null {
  if (names.length < 3) return null;
  const first = names[0]?.[0];
  return first && verbClass(first) === null && names.every((n) => n[0] === first && n.length > 1) ? first : null;
}

function readTool(tool: ToolDefinition, shared: string | null): ToolModel {
  const fromText = readDescription(tool.description, splitName(tool.name));
  const fromName = readName(tool.name, shared, fromText.verb);
  const verb = fromName.verb ?? fromText.verb ?? "use";
  const guess = fromName.verb ? verbClass(fromName.verb) : fromText.verb ? verbClass(fromText.verb) : null;
  const cls: VerbClass = guess ?? "run";
  const strong = [fromName.object, ...fromText.objects].filter(
    (o): o is string => o !== null && o !== "" && !BAD_NOUN.test(o) && o.split(" ").length <= 5 && o.length > 1,
  );
  const telling = strong.filter((o) => !o.split(" ").every((w) => GENERIC_NOUNS.has(w)));
  const simple = telling.filter((o) => !/ of (a|an|all|multiple|one) |simultaneously|^(person|people|user) $/.test(`${o} `));
  const chosen = [...new Set(simple.length > 0 ? simple : telling.length > 0 ? telling : strong)];
  // `oneway flight` of a name gives way to the description's `one-way flights`.
  const objects = chosen.filter((o) => !chosen.some((q) => q !== o && q.includes("-") && singular(q.replaceAll("-", "")) === singular(o)));
  if (objects.length === 0)
    objects.push(
      splitName(tool.name)
        .filter((w) => !/^\d+$/.test(w))
        .join(" ") || "result",
    );
  for (const o of includedIn(tool.description)) if (objects.length < MOST_OBJECTS && !objects.includes(o)) objects.push(o);
  const topic = singular(objects[0] ?? "");
  const params = relate(readProperties(tool).map((property) => ({ property, role: roleOf(property, lastNoun(topic)) })));
  const vocabulary = new Set(
    `${splitName(tool.name).join(" ")} ${objects.join(" ")}`
      .toLowerCase()
      .split(/\s+/)
      .flatMap((w) => [w, singular(w)]),
  );
  const qualifier = qualifierOf(tool.name, params);
  const draft: ToolReading = { tool, verb, cls, objects, qualifier, vocabulary, params };
  return { ...draft, domains: DOMAINS.filter((d) => d.fits(draft)) };
}

/** Corrects roles by the parameters beside them: what is searched with a pattern is a folder. */
function relate(params: readonly Param[]): Param[] {
  const searches = params.some((p) => p.role.kind === "glob");
  const repository = params.some((p) => /^(repo|repository)(_?name)?$/i.test(p.property.name));
  return params.map((p) => {
    if (searches && p.role.kind === "path") return { ...p, role: { ...p.role, kind: "folder" } };
    // Whose repository it is, one says by the name of an account.
    if (repository && p.role.kind === "person" && /^owner/i.test(p.property.name)) return { ...p, role: { ...p.role, kind: "username", noun: "owner" } };
    return p;
  });
}

const lastNoun = (phrase: string) => (phrase.split(/ (?:of|for|in) /)[0] ?? phrase).split(" ").at(-1) ?? phrase;

/** Verb and object in a name: `get_sensor_alerts`, `Hotels_2_BookHouse`, `order_status_check`. `said` is the description's verb. */
function readName(name: string, shared: string | null, said: string | null): { verb: string | null; object: string | null } {
  const segments = name.split(/[^A-Za-z0-9]+/).filter((s) => s !== "" && !/^[A-Z]{2,3}$/.test(s));
  let words = splitName((segments.length > 0 ? segments : [name]).join("_")).filter((w) => !/^(v?\d+|api|tool|function|fn|mcp)$/.test(w));
  if (shared && words[0] === shared) words = words.slice(1);
  if (words.length === 0) words = splitName(name);
  if (words.includes("help")) return { verb: "help", object: "help" };
  if (said !== null && words.length === 1 && words[0] === said) return { verb: said, object: null };
  if (said !== null && words.includes(said) && words.length > 1) return aroundVerb(words, words.indexOf(said), said);
  const camel = segments
    .slice(1)
    .map((s) => splitName(s))
    .find((w) => w.length > 1 && verbClass(w[0] ?? "") !== null);
  if (camel) return aroundVerb(camel, 0, camel[0] as string);
  const isVerb = (w: string, i: number) => verbClass(w) !== null && (i === 0 || !mayBeNoun(w) || i === words.length - 1);
  const strong = segments.slice(1).find((s) => STRONG.test(s));
  if (strong && !STRONG.test(segments[0] ?? "")) {
    const i = words.indexOf(strong.toLowerCase());
    if (i > 0 && i < words.length - 1) return aroundVerb(words, i, words[i] as string);
  }
  let at = words.findIndex((w, i) => isVerb(w, i) && !(i === 0 && words.length > 1 && mayBeNoun(w) && verbClass(words[1] ?? "") !== null));
  if (at < 0) at = words.findIndex((w) => /^(management|lookup|retrieval|creation|search|display)$/.test(w));
  if (at < 0) return { verb: null, object: words.join(" ") || null };
  return aroundVerb(words, at, words[at] === "management" || words[at] === "lookup" || words[at] === "retrieval" ? "check" : (words[at] as string));
}

/** `with sizes` of `list_directory_with_sizes`; not what a parameter already says (`by id`). */
function qualifierOf(name: string, params: readonly Param[]): string {
  const m = /(?:^|[_.-])(with|by|without)[_.-]([a-z_]+)$/i.exec(name);
  if (!m?.[1] || !m[2]) return "";
  const words = splitName(m[2]);
  const taken = params.some((p) => words.some((w) => splitName(p.property.name).map(singular).includes(singular(w))));
  return taken ? "" : `${m[1].toLowerCase()} ${words.join(" ")}`;
}

/** Verbs that are hardly ever nouns, wherever they stand in a name. */
const STRONG = /^(get|list|search|find|fetch|create|update|delete|add|send|set|read|write|show|retrieve|make|remove|lookup|calculate|convert)$/i;

/** The object after the verb, or before it when nothing follows. */
function aroundVerb(words: readonly string[], at: number, verb: string): { verb: string; object: string | null } {
  let tail = words.slice(at + 1);
  while (tail.length > 1 && /^(execute|run|call|tool|info)$/.test(tail.at(-1) ?? "")) tail = tail.slice(0, -1);
  const cut = tail.findIndex((w) => /^(by|for|from|to|in|with|at|on|of|using|via|into|and)$/.test(w));
  const object = (cut >= 0 ? tail.slice(0, cut) : tail).join(" ");
  const head = words.slice(0, at).join(" ");
  // With the verb at the end (`product_search`), or nothing after it, the words before it are the object.
  return { verb, object: object !== "" ? object : head || null };
}

/** Verb and objects in a description's first sentence. A word of the name (`named`) is a verb whatever it means, where the sentence begins with it: `Crawls a website` of `crawl`. */
function readDescription(text: string, named: readonly string[]): { verb: string | null; objects: string[] } {
  const first = (text.trim().split(/(?<=[.!?])\s|\n/)[0] ?? "")
    .replace(/\([^)]*\)/g, " ")
    .replace(/[`*"]/g, "")
    .replace(/\s+/g, " ")
    .slice(0, 300);
  let rest = first
    .replace(
      /^(?:this|the) (?:function|tool|api|endpoint|method|action|command)(?: (?:is (?:designed|used|intended|responsible)(?: for| to)?|allows (?:you|users?) to|helps (?:you )?(?:to )?|lets you|will|can|provides? (?:a|the) (?:way|ability) to))? /i,
      "",
    )
    .replace(/^(?:used to|use this (?:tool )?to|allows (?:you )?to|helps (?:you )?(?:to )?|for) /i, "");
  let verb: string | null = null;
  for (let i = 0; i < 3; i++) {
    const m = /^([A-Za-z-]+)(?:,? (?:and|or)(?: then)? |, )?/.exec(rest);
    if (!m?.[1]) break;
    const word = m[1].toLowerCase();
    const base = [word, baseForm(word), word.replace(/ing$/, ""), word.replace(/ing$/, "e"), word.replace(/(.)\1ing$/, "$1")].find(
      (w) => verbClass(w) !== null || (i === 0 && w.length > 2 && named.includes(w)),
    );
    if (!base || (i > 0 && !/(and|or|,)/.test(previousJoin(first, rest)))) break;
    verb ??= base;
    rest = rest.slice(m[0].length).trimStart();
    if (!/(and|or|,)\s*(then )?$/.test(m[0].trimEnd())) break;
  }
  if (verb === null) return { verb, objects: [] };
  rest = rest.replace(/^(for|up|through|about|on|to|at|into|in on) /i, "");
  return { verb, objects: nounPhrases(rest) };
}

/** Names of the object that are enough for one tool. */
const MOST_OBJECTS = 6;

/** What a description says that it includes: `including product availability, stock updates` gives both. */
function includedIn(text: string): string[] {
  const list = /\bincluding (?:their |its |the )?([^.;(:]{3,160})/i.exec(text.slice(0, 600))?.[1];
  if (list === undefined) return [];
  return list
    .split(/,(?: and| or)? | and | or /)
    .map((item) => strip(item.trim().replace(/^(checking|retrieving|viewing|getting|showing|its|their|the)\s+/i, "")))
    .filter((item) => /^[a-z][a-z-]+( [a-z-]+){0,2}$/.test(item) && !/ing$|\b(whether|details?|information|other|more|such|that|if|all|any)\b/.test(item));
}

const previousJoin = (whole: string, rest: string) => whole.slice(Math.max(0, whole.length - rest.length - 6), whole.length - rest.length);

/** Noun phrases at the start of a text, without determiners and fillers; `a list of X` also gives `X`. */
function nounPhrases(text: string): string[] {
  const raw = text.split(STOP)[0]?.trim() ?? "";
  const out: string[] = [];
  const linked = /^(?:a |the )?connection to (?:the |a )?(?:specified |given )?([a-z]+)/i.exec(text)?.[1];
  if (linked) return [linked];
  let np = strip(raw.split(/ and | or |\//)[0] ?? raw).replace(/-related (queries|tasks|operations|requests|actions)$/, "");
  const inner =
    /^(?:(?:[a-z-]+ )?(?:list|set|collection|array|series|number|summary|contents?|details?|information|details and [a-z]+|profile information|history|status|name|names|type) of) (.+)$/i.exec(
      np,
    );
  if (inner?.[1]) {
    const x = strip(inner[1]);
    if (/^(list|set|collection|array|series)/i.test(np)) np = "";
    if (x !== "") out.push(x);
  }
  const outer = np.split(" of ")[0] ?? np;
  if (outer !== np && !/^(list|set|collection|array|series|number)$/i.test(outer)) out.push(outer);
  if (np !== "") out.unshift(np);
  const trimmed = np.replace(/ (information|info|details|data)$/i, "");
  if (trimmed !== np && trimmed !== "") out.push(trimmed);
  return out.map((o) => (/^[A-Z][a-z]/.test(o) ? o.charAt(0).toLowerCase() + o.slice(1) : o));
}

function strip(phrase: string): string {
  let p = phrase.trim();
  for (let i = 0; i < 6; i++) {
    const next = p.replace(WEAK, "");
    if (next === p) break;
    p = next;
  }
  return p
    .replace(/\b(specified|specific|given|selected|the|a|an) /gi, (m) => (/^(the|a|an) $/i.test(m) ? m.toLowerCase() : ""))
    .replace(/ (specified|given|provided|available|requested)$/i, "")
    .trim();
}

/** `the weather`, `alerts`, `the contents of a file`: the object as something that exists. */
export const definite = (np: string): string => (/^(the|my|a|an|all) /.test(np) ? np : `the ${np}`);
