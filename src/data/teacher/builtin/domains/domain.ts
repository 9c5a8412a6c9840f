/** Everyday knowledge that goes with a kind of thing: what people call it, ask of it, and when they need it. */
import type { ToolReading } from "../reading.ts";

export interface Domain {
  readonly id: string;
  /** Whether this knowledge applies to the tool. */
  readonly fits: (tool: ToolReading) => boolean;
  /** More names for the object, bare. */
  readonly objects?: readonly string[];
  /** Whole requests in the notation of expand.ts; a final `?` makes a question. Arguments that a pattern does not mention are appended. */
  readonly patterns?: readonly string[];
  /** Situations and hints without a clear order; an argument is mentioned by its blank. */
  readonly vague?: readonly string[];
  /** Sentences that may stand before a request. */
  readonly contexts?: readonly string[];
  /** Words that show that a question is about what the tool serves. */
  readonly vocabulary: readonly string[];
  /** Questions on the subject that need knowledge, not a call. */
  readonly nearMisses?: readonly string[];
  /** Actions on the subject that such a tool does not offer, with a word that shows when one does: `verb phrase`, `word`. */
  readonly beyond?: readonly (readonly [string, string])[];
  /** What the tool can do, after `I can`. */
  readonly capability?: string;
}

/** Whether any of the words (space-separated) is among the tool's words or in its name. */
export const speaksOf = (tool: ToolReading, words: string): boolean => words.split(" ").some((w) => tool.vocabulary.has(w));
/** Whether a required or optional parameter has one of these roles. */
export const takes = (tool: ToolReading, ...kinds: readonly string[]): boolean => tool.params.some((p) => kinds.includes(p.role.kind));
