/**
 * Models that think aloud before they act: which chat templates let them, how a thought stands in an output, and how long it may be.
 *
 * A thought is a field of its own (`reasoning_content`, as the interfaces of DeepSeek, vLLM and llama.cpp call it), and never a part of the content:
 * what does not know of it leaves it out. Only the renderer of a family that thinks writes it.
 */

/** The texts around a thought: one token each of the model's vocabulary. */
export interface ThinkingWords {
  readonly open: string;
  readonly close: string;
}

/** How a chat template lets a model think. */
export interface ThinkingTemplate extends ThinkingWords {
  /** The prompt ends with the opening, so that the model begins inside its thought (DeepSeek-R1); else it writes the opening itself (Qwen3). */
  readonly opened: boolean;
  /** The template that talks to the same models after an empty thought. */
  readonly instead: string;
}

/** The words of a family that thinks. */
export interface FamilyThinking extends ThinkingWords {
  /** They were added to the vocabulary: in place of these reserved tokens, or (of none) with ids of their own. */
  readonly add?: string[];
}

const WORDS: ThinkingWords = { open: "<think>", close: "</think>" };

/** By file name under templates/chat; every other template lets nobody think. */
export const THINKING_TEMPLATES: Readonly<Record<string, ThinkingTemplate>> = {
  "deepseek-r1-thinking.jinja": { ...WORDS, opened: true, instead: "deepseek-r1.jinja" },
  "qwen3-thinking.jinja": { ...WORDS, opened: false, instead: "qwen3.jinja" },
};

/** How a template lets a model think; undefined where it does not. */
export const thinkingOf = (template: string): ThinkingTemplate | undefined =>
  Object.hasOwn(THINKING_TEMPLATES, template) ? THINKING_TEMPLATES[template] : undefined;

/** Templates with the turn markers of one that lets a model think, whose models have not learned to: they learn it from the data. */
const SAME_TURNS: Readonly<Record<string, string>> = {
  "chatml.jinja": "qwen3-thinking.jinja",
  "qwen2.5.jinja": "qwen3-thinking.jinja",
  "smollm2.jinja": "qwen3-thinking.jinja",
};

/** The template in whose place another one lets the same models think. */
export const thinkingInstead = (template: string): string | undefined =>
  Object.keys(THINKING_TEMPLATES).find((name) => THINKING_TEMPLATES[name]?.instead === template);

/** The template by which the models of another one can think, whether they have learned to or are to. */
export const thinkingFor = (template: string): string | undefined =>
  thinkingInstead(template) ?? (Object.hasOwn(SAME_TURNS, template) ? SAME_TURNS[template] : undefined);

/**
 * Tokens that a thought may have when the model is evaluated or tried. One that is not closed by then counts as no answer: other runtimes set no such
 * bound, so closing it for the model would measure what nobody gets.
 */
export const MOST_THOUGHT_TOKENS = 2048;
/** Characters of a thought that is learned: so many fit into the bound, at three a token (English has about four). */
export const MOST_THOUGHT_CHARS = 3 * MOST_THOUGHT_TOKENS;

/** What ends a thought in a rendering, and what stands between it and what follows. */
export const AFTER_THOUGHT = "\n\n";

/** What a prompt of a template goes on with where the model is not to think: the rest of an empty thought. */
export const emptyThought = ({ open, close, opened }: ThinkingTemplate): string => `${opened ? "" : `${open}\n`}\n${close}${AFTER_THOUGHT}`;

/** A text that begins with a thought, in its two parts, both trimmed. */
export interface Thought {
  readonly thought: string;
  readonly content: string;
}

/**
 * Takes the thought off the head of what a model wrote; undefined where none stands there, opened and closed.
 * @param opened the opening was written before the text began
 */
export function splitThought(text: string, { open, close }: ThinkingWords = WORDS, opened = false): Thought | undefined {
  const trimmed = text.trimStart();
  const begins = trimmed.startsWith(open);
  if (!begins && !opened) return undefined;
  const inside = begins ? trimmed.slice(open.length) : trimmed;
  const end = inside.indexOf(close);
  return end < 0 ? undefined : { thought: inside.slice(0, end).trim(), content: inside.slice(end + close.length).trim() };
}
