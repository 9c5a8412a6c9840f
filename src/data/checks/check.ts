/**
 * What a check of one sample is. One file a check, listed in index.ts; `repair` is the door for repairs
 * that keep a sample's meaning (`forge qa --fix`).
 */
import type { ArgumentCheck } from "../schema.ts";
import type { Sample, Toolset } from "../types.ts";

/** A parsed call of a sample. */
export interface ReadCall {
  readonly name: string;
  /** The arguments text, and what it parses to (undefined: it does not parse). */
  readonly text: string;
  readonly value: unknown;
}

export interface CheckContext {
  readonly toolset: Toolset;
  /** Validators of the arguments, by tool name. */
  readonly argumentChecks: ReadonlyMap<string, ArgumentCheck>;
  /** Whether the model that is to learn from the samples thinks aloud; undefined where it is not known. */
  readonly thinking?: boolean;
  /** The sample's calls, read once for all checks. */
  readonly calls: readonly ReadCall[];
}

export interface SampleCheck {
  /** Stable name, used in reports and as the reason of a drop. */
  readonly name: string;
  readonly title: string;
  /** Whether the check counts for `schema_pass_rate` (REFERENCE: parse, tool exists, schema, required). */
  readonly gates: boolean;
  /** A rule of thumb: in somebody's own data it is measured, and no reason to drop. */
  readonly ruleOfThumb?: true;
  /** What is wrong, in one clause; null when nothing is. */
  run(sample: Sample, context: CheckContext): string | null;
  /** A repaired copy, when there is a repair that keeps the meaning. */
  repair?(sample: Sample, context: CheckContext): Sample | null;
}

/** The calls of a sample's assistant turns. */
export function readCalls(sample: Sample): ReadCall[] {
  const out: ReadCall[] = [];
  for (const m of sample.messages) {
    if (m.role !== "assistant" || !m.tool_calls) continue;
    for (const c of m.tool_calls) {
      let value: unknown;
      try {
        value = JSON.parse(c.function.arguments);
      } catch {
        value = undefined;
      }
      out.push({ name: c.function.name, text: c.function.arguments, value });
    }
  }
  return out;
}
