/**
 * Whether a model's own chat template can be used: it is shown conversations of every kind, and each piece of them (tools, calls, words beside
 * a call, results, thoughts) has to be in what it writes, whole, in order and once; what the model is to write has to go on from the prompt that it is
 * asked with; its calls have to be read back as they were; and no foreign text may speak with its control words.
 *
 * Rendered as training and evaluation render: by `rendererOf`, bounded.
 */
import type { JsonValue } from "../../platform/json.ts";
import type { Message } from "../../schemas/generated/sample.ts";
import { TEMPLATES } from "../known.ts";
import { parseOutput } from "../parse.ts";
import { CALL_CLOSE, CALL_OPEN, type CallSpacing, MARKUP, RESULT_CLOSE, RESULT_OPEN, spacedJson } from "../prompt.ts";
import { type ChatFamily, type RenderedTool, type Renderer, rendererOf } from "../rendering.ts";
import { AFTER_THOUGHT } from "../thinking.ts";
import { beside, calls, LONG, PLAIN, RESULTS, result, says, system, THOUGHTFUL, TOOLS, thinks, user, word } from "./probes.ts";
import { type CompiledTemplate, compileOfficial, type OfficialTemplate, TemplateError } from "./template.ts";

/** Which pieces come through as they are; null where the model does not think. */
export interface Kept {
  readonly tools: boolean;
  readonly calls: boolean;
  /** Two calls in one turn. */
  readonly several: boolean;
  /** Words beside a call. */
  readonly words: boolean;
  readonly results: boolean;
  readonly thoughts: boolean | null;
}

export interface RoundTrip {
  /** Whether forge can use it. */
  readonly usable: boolean;
  readonly kept: Kept;
  /** A turn is written otherwise once another follows: each is learned in a row of its own. */
  readonly rewrites: boolean;
  readonly spacing: CallSpacing;
  /** Why not: each completes "its own template ". */
  readonly problems: readonly string[];
  /** What is to be known although it is used; completing the same. */
  readonly remarks: readonly string[];
  /** Whether plain talk is written as the template of ours does: always, where there are words of the system's (every sample has them), or not. */
  readonly plain: "same" | "same with a system message" | "other";
}

/** Control words that are looked for in foreign text; a vocabulary may have thousands. */
const MOST_WORDS = 500;

/**
 * @param family how the model is talked to by a template of ours with the same turn markers; thinking where that one lets it
 */
export function roundTrip(official: OfficialTemplate, family: ChatFamily): RoundTrip {
  const compiled = compileOfficial(official);
  if (!compiled.ok) return { ...NOTHING, problems: [compiled.error] };
  const tried: ChatFamily = { ...family, official: { ...official, rewrites: true, spacing: "python" } };
  const trial = new Trial(rendererOf(tried), compiled.value.render, TEMPLATES[family.template]?.end ?? "");
  const { kept, problems } = piecesOf(trial);
  const { spacing, rewrites } = problems.length > 0 ? NO_FORM : formOf(trial);
  // Each of these leans on those before it: the first that fails says why.
  for (const find of [
    trial.thoughtForm,
    trial.extends,
    () => (spacing === undefined ? [syntaxProblem(trial)] : []),
    trial.resultForm,
    trial.toolsFirst,
    trial.whole,
  ])
    if (problems.length === 0) problems.push(...attempt(() => find.call(trial)));
  if (problems.length === 0) problems.push(...attempt(() => trial.neutral(tried)));
  const remarks = [
    ...(rewrites ? [trial.thinking === undefined ? "writes earlier turns otherwise: one row per turn" : "cuts earlier thoughts: one row per turn"] : []),
    ...(compiled.value.readsClock ? ["asks for the day, which forge answers with the same one always"] : []),
  ];
  return {
    usable: problems.length === 0,
    kept,
    rewrites,
    spacing: spacing ?? "compact",
    problems: [...new Set(problems)],
    remarks,
    plain: comparedOnPlainTalk(trial.renderer, rendererOf({ template: family.template, special_tokens: family.special_tokens })),
  };
}

const NOTHING: Omit<RoundTrip, "problems"> = {
  usable: false,
  kept: { tools: false, calls: false, several: false, words: false, results: false, thoughts: null },
  rewrites: false,
  spacing: "compact",
  remarks: [],
  plain: "other",
};

const NO_FORM = { spacing: undefined, rewrites: false } as const;

/** How calls are written, and whether turns are rewritten; a template that refuses what was not tried before has no form. */
function formOf(trial: Trial): { readonly spacing: CallSpacing | undefined; readonly rewrites: boolean } {
  try {
    return { spacing: trial.spacing(), rewrites: trial.rewrites() };
  } catch (e) {
    if (e instanceof TemplateError) return NO_FORM;
    throw e;
  }
}

/** Runs a part of the trial; a template that refuses gives what it says as the problem. */
function attempt(find: () => readonly string[]): readonly string[] {
  try {
    return find();
  } catch (e) {
    if (e instanceof TemplateError) return [e.reason];
    throw e;
  }
}

/** Whether words are in a text, each once and in this order. */
function once(text: string, words: readonly string[]): boolean {
  let at = 0;
  for (const w of words) {
    const found = text.indexOf(w);
    if (found < at || text.indexOf(w, found + w.length) >= 0) return false;
    at = found + w.length;
  }
  return true;
}

const SHORT: readonly Message[] = [system(), user("u1")];

type Turn = readonly [before: string, written: string | undefined];

/** A template on trial. What renders may throw TemplateError. */
class Trial {
  #turns: readonly Turn[] | undefined;
  readonly renderer: Renderer;
  readonly thinking: Renderer["thinking"];
  readonly end: string;

  /** The template without forge's renderer around it. */
  readonly bare: CompiledTemplate["render"];

  constructor(renderer: Renderer, bare: CompiledTemplate["render"], end: string) {
    this.renderer = renderer;
    this.bare = bare;
    this.thinking = renderer.thinking;
    this.end = end;
  }

  prompt(messages: readonly Message[], tools: readonly RenderedTool[] = TOOLS): string {
    return this.renderer.prompt(messages, tools);
  }

  /** All of a conversation, with nothing to follow. */
  text(messages: readonly Message[], tools: readonly RenderedTool[] = TOOLS): string {
    return this.renderer.prompt(messages, tools, { addGenerationPrompt: false });
  }

  /** What the model writes as the last of these messages; undefined where it does not go on from its prompt. */
  written(messages: readonly Message[]): string | undefined {
    const before = this.prompt(messages.slice(0, -1));
    const after = this.text(messages).trimEnd();
    return after.startsWith(before) && after.length > before.length ? after.slice(before.length) : undefined;
  }

  /** A conversation's own words, or with thoughts. */
  get long(): readonly Message[] {
    return this.thinking === undefined ? LONG : THOUGHTFUL;
  }

  /** How the JSON of calls is spaced, where they are written as ours; undefined where they are not. */
  spacing(): CallSpacing | undefined {
    return (["compact", "python"] as const).find((spacing) =>
      [calls([0, 0]), calls([1, 1]), calls([0, 2]), calls([1, 3]), calls([0, 0], [1, 1]), beside("w1", calls([0, 0], [0, 2]))].every((turn) => {
        const written = this.written([...SHORT, turn]);
        if (written === undefined) return false;
        const parsed = parseOutput(this.withoutThought(written.slice(0, -this.end.length)));
        return (
          written.includes(callsText(turn, spacing)) && sameCalls(parsed.calls, turn) && parsed.problem === undefined && parsed.content === (turn.content ?? "")
        );
      }),
    );
  }

  /** Whether a call is written where the content beside it is none at all, which it never is in forge: many templates fail at it. */
  callsBare(): boolean {
    const call = { type: "function", function: { name: FIRST, arguments: "{}" } };
    const messages = [
      { role: "user", content: word("u1") },
      { role: "assistant", content: null, tool_calls: [call] },
    ];
    return attempt(() => (this.bare({ messages, tools: null, add_generation_prompt: false }).includes(FIRST) ? [] : ["no"])).length === 0;
  }

  withoutThought(text: string): string {
    if (this.thinking === undefined) return text;
    const end = text.indexOf(this.thinking.close);
    return end < 0 ? text : text.slice(end + this.thinking.close.length);
  }

  /** Whether some turn reads otherwise when all is there than when it was written. */
  rewrites(): boolean {
    const all = this.text(this.long);
    return this.turns().some(([before, written]) => written === undefined || !all.startsWith(before + written));
  }

  /** Each of the assistant's messages: its prompt, and what is written there. */
  turns(): readonly Turn[] {
    this.#turns ??= this.long.flatMap((m, at) =>
      m.role === "assistant" ? [[this.prompt(this.long.slice(0, at)), this.written(this.long.slice(0, at + 1))] as const] : [],
    );
    return this.#turns;
  }

  /** What the model writes goes on from what it is asked with, and ends with the end of a turn, once. */
  extends(): readonly string[] {
    for (const [, written] of this.turns()) {
      if (written === undefined) return ["writes a turn otherwise than it asks for one"];
      if (!written.endsWith(this.end) || written.split(this.end).length !== 2) return [`does not end a turn with ${this.end}, once`];
    }
    return [];
  }

  /** Thoughts stand where the thoughts of forge's own template for such a model do. */
  thoughtForm(): readonly string[] {
    const { thinking } = this;
    const answer = this.written([...SHORT, says("a1")]) ?? "";
    if (thinking === undefined) return /<\/?think>/.test(this.prompt(SHORT) + answer) ? ["has the model think, which needs --thinking"] : [];
    const open = thinking.opened ? "" : `${thinking.open}\n`;
    const thought = this.written([...SHORT, thinks("t1", says("a1"))]) ?? "";
    const empty = `${open}\n${thinking.close}${AFTER_THOUGHT}`;
    const right = thought.startsWith(`${open}${word("t1")}\n${thinking.close}${AFTER_THOUGHT}${word("a1")}`) && answer.startsWith(empty + word("a1"));
    return right && this.prompt(SHORT).endsWith(`${thinking.open}\n`) === thinking.opened ? [] : ["writes thoughts in another form than forge reads"];
  }

  resultForm(): readonly string[] {
    const text = this.text([...SHORT, calls([0, 0], [1, 1]), ...RESULTS.slice(0, 2).map(result)]);
    return RESULTS.slice(0, 2).every((r) => text.includes(RESULT_OPEN + r + RESULT_CLOSE))
      ? []
      : ["writes results otherwise than between <tool_response> and </tool_response>"];
  }

  /** Every prompt begins with the system turn and its tools, which is computed once and shared. */
  toolsFirst(): readonly string[] {
    const first = this.renderer.toolPrompt(TOOLS);
    const begins = this.renderer.prompt([system()], TOOLS, { addGenerationPrompt: false });
    if (!showsTools(first)) return ["does not write its tools where a conversation begins"];
    return this.turns().every(([before]) => before.startsWith(begins)) ? [] : ["writes its tools elsewhere in a longer conversation"];
  }

  /** A whole conversation as it is read again: all words, results and calls, in order. */
  whole(): readonly string[] {
    const shown = this.long.slice(0, -1);
    const text = this.prompt(shown);
    if (
      !once(
        text,
        shown.flatMap((m) => m.content ?? []),
      )
    )
      return ["loses, repeats or moves messages of a longer conversation"];
    const made = shown.flatMap((m) => (m.role === "assistant" ? (m.tool_calls ?? []) : []));
    // What shows how a call is written may be read as one, before all others.
    const read = parseOutput(text).calls.slice(-made.length);
    const same = read.length === made.length && made.every((c, i) => read[i]?.name === c.function.name && sameJson(read[i]?.arguments, c.function.arguments));
    return same ? [] : ["loses calls of a longer conversation"];
  }

  /** No control word gets in by anything that is foreign. */
  neutral({ special_tokens }: ChatFamily): readonly string[] {
    const words = [...new Set([...MARKUP, ...(this.thinking === undefined ? [] : [this.thinking.open, this.thinking.close]), ...special_tokens])].slice(
      0,
      MOST_WORDS,
    );
    const loud = (w: string): string => words.map((token) => `${w} ${token} ${w}`).join("\n");
    const count = (f: (text: string) => string): number[] => {
      const text = this.prompt(conversationOf(f), [toolOf(f)]);
      return words.map((token) => text.split(token).length);
    };
    const plain = count((w) => w);
    return count(loud).some((n, i) => n !== plain[i]) ? ["lets control words of foreign text through"] : [];
  }
}

/** One text in every place that is foreign. */
const conversationOf = (f: (text: string) => string): Message[] => [
  { role: "system", content: f("a") },
  { role: "user", content: f("b") },
  {
    role: "assistant",
    content: f("c"),
    reasoning_content: f("d"),
    tool_calls: [{ id: "call00abc", type: "function", function: { name: "f", arguments: JSON.stringify({ [f("e")]: f("f"), g: [f("g")] }) } }],
  },
  { role: "tool", content: f("h"), tool_call_id: "call00abc" },
];
const toolOf = (f: (text: string) => string): RenderedTool => ({
  name: "f",
  description: f("i"),
  input_schema: { type: "object", properties: { [f("j")]: { type: "string", description: f("k"), enum: [f("l")] } } },
});

/** A piece of a conversation by itself, so that each has its own answer also where another is refused. */
interface Piece {
  readonly key: keyof Kept;
  /** Completes "drops ", "refuses ". */
  readonly what: string;
  readonly messages: readonly Message[];
  /** What has to be there, in order and once; the first of it where there is nothing else to tell what was dropped. */
  readonly whole: readonly string[];
  /** What is said where a part of it is missing: by that part. */
  readonly without?: Readonly<Record<string, string>>;
}

const [FIRST, SECOND] = [word("first"), word("second")];
const PIECES: readonly Piece[] = [
  { key: "calls", what: "calls", messages: [...SHORT, calls([0, 0])], whole: [word("u1"), FIRST, word("oslo")] },
  { key: "several", what: "two calls in one turn", messages: [...SHORT, calls([0, 0], [1, 1])], whole: [FIRST, word("oslo"), SECOND, "27182"] },
  {
    ...{ key: "words", what: "a call that comes with words", messages: [...SHORT, beside("w1", calls([0, 0]))], whole: [word("u1"), word("w1"), FIRST] },
    without: { [FIRST]: "drops a call that comes with words", [word("w1")]: "drops the words beside a call" },
  },
  {
    key: "results",
    what: "results",
    messages: [...SHORT, calls([0, 0]), result(RESULTS[0] as string), calls([1, 1]), result(RESULTS[1] as string)],
    whole: RESULTS.slice(0, 2),
  },
  { key: "thoughts", what: "thoughts", messages: [...SHORT, thinks("t1", says("a1"))], whole: [word("u1"), word("t1"), word("a1")] },
];

/** Which pieces come through, and what becomes of the others. */
function piecesOf(trial: Trial): { readonly kept: Kept; readonly problems: string[] } {
  const problems: string[] = [];
  const tools = toolsProblem(trial);
  if (tools !== undefined) problems.push(tools);
  const lost = new Set<string>(tools === undefined ? [] : ["tools"]);
  for (const piece of PIECES) {
    if (piece.key === "thoughts" && trial.thinking === undefined) continue;
    const problem = pieceProblem(trial, piece);
    if (problem === undefined) continue;
    // Whoever drops calls drops two, and those with words.
    if (!(OF_CALLS.includes(piece.key) && lost.has("calls"))) problems.push(problem);
    lost.add(piece.key);
  }
  const kept = (key: string): boolean => !lost.has(key);
  return {
    kept: {
      ...{ tools: kept("tools"), calls: kept("calls"), several: kept("several"), words: kept("words"), results: kept("results") },
      thoughts: trial.thinking === undefined ? null : kept("thoughts"),
    },
    problems,
  };
}

const OF_CALLS: readonly (keyof Kept)[] = ["several", "words"];

function toolsProblem(trial: Trial): string | undefined {
  return attempt(() => {
    const text = trial.prompt(SHORT);
    return showsTools(text) ? [] : [text.includes(FIRST) ? "shows tools in part only" : "shows no tools"];
  })[0];
}

function pieceProblem(trial: Trial, { key, what, messages, whole, without = {} }: Piece): string | undefined {
  let text: string;
  try {
    text = trial.text(messages, []);
  } catch (e) {
    if (!(e instanceof TemplateError)) throw e;
    return e.refusal === undefined ? e.reason : `refuses ${what} (“${e.refusal}”)`;
  }
  if (once(text, whole)) return undefined;
  const missing = whole.filter((part) => !text.includes(part));
  const said = missing.map((part) => without[part]).find((w) => w !== undefined);
  const words = whole.flatMap((part) => part.match(/zq[a-z0-9]+qz/g) ?? []);
  if (said !== undefined) return said;
  if (!words.some((w) => !text.includes(w))) return `changes or repeats ${what}`;
  return `drops ${what}${key === "calls" && trial.callsBare() ? " that come with content (be it empty)" : ""}`;
}

/** Every name, text and number of the tools' definitions is there. */
function showsTools(text: string): boolean {
  const leaves: string[] = [];
  JSON.stringify(TOOLS, (key, value: unknown) => {
    if (/^zq/.test(key)) leaves.push(key);
    if (typeof value === "string") leaves.push(...(value.match(/zq[a-z0-9]+qz/g) ?? []));
    if (typeof value === "number" && value > 1000) leaves.push(String(value));
    return value;
  });
  return leaves.every((leaf) => text.includes(leaf));
}

/** How a call is written that is none of ours. */
function syntaxProblem(trial: Trial): string {
  const shown = attempt(() => {
    const written = trial.written([...SHORT, calls([0, 0])]);
    return [written ?? trial.text([...SHORT, calls([0, 0])]).slice(-160)];
  })[0] as string;
  const args = /\{[^{}]*zqoslo[^{}]*\}/;
  const example = trial.withoutThought(shown).replace(args, "{…}").replaceAll(word("first"), "NAME").replace(/\s+/g, " ").trim();
  return `writes a call as ${example.slice(0, 120)}, which forge does not read yet`;
}

/** Plain talk, by both. */
function comparedOnPlainTalk(official: Renderer, ours: Renderer): RoundTrip["plain"] {
  const same = (conversations: readonly (readonly Message[])[]): boolean =>
    conversations.every((messages) => attempt(() => (official.prompt(messages, []) === ours.prompt(messages, []) ? [] : ["no"])).length === 0);
  if (!same(PLAIN.system)) return "other";
  return same(PLAIN.none) ? "same" : "same with a system message";
}

const sameJson = (value: unknown, text: string): boolean => JSON.stringify(value) === JSON.stringify(JSON.parse(text));

function sameCalls(read: ReturnType<typeof parseOutput>["calls"], turn: Message): boolean {
  const made = turn.role === "assistant" ? (turn.tool_calls ?? []) : [];
  return read.length === made.length && made.every((c, i) => read[i]?.name === c.function.name && sameJson(read[i]?.arguments, c.function.arguments));
}

/** The calls of a turn as the grammar of constrained decoding writes them. */
const callsText = (turn: Message, spacing: CallSpacing): string =>
  (turn.role === "assistant" ? (turn.tool_calls ?? []) : [])
    .map((c) => CALL_OPEN + spacedJson({ name: c.function.name, arguments: JSON.parse(c.function.arguments) as JsonValue }, spacing) + CALL_CLOSE)
    .join("\n");

/** How plain talk compares, in words. */
const PLAIN_WORDS: Readonly<Record<RoundTrip["plain"], string>> = {
  same: "plain talk is written alike by both",
  "same with a system message": "plain talk with a system message is written alike by both",
  other: "plain talk is written otherwise by forge's",
};

/** Characters that a family file may have of it (schemas/family.schema.json). */
const MOST_WORDS_OF_REASON = 1000;

/** All that a family file says of the model's own template. */
export const reasonOf = (tried: RoundTrip): string => `its own template ${verdictOf(tried)}; ${PLAIN_WORDS[tried.plain]}`.slice(0, MOST_WORDS_OF_REASON);

/** What a round trip says, in a sentence without its end: of a template that can be used what it keeps, of another why not. */
export function verdictOf({ usable, kept, problems, remarks }: RoundTrip): string {
  // A template that refuses says why but once.
  if (!usable) return problems.map((p, i) => (problems.slice(0, i).some((q) => refusalIn(q) === refusalIn(p)) ? p.replace(REFUSAL, "") : p)).join(", ");
  return [`keeps tools, calls, results${kept.thoughts === null ? "" : " and thoughts"}`, ...remarks].join("; ");
}

const REFUSAL = / \(“.*”\)$/;
const refusalIn = (problem: string): string => REFUSAL.exec(problem)?.[0] ?? "";
