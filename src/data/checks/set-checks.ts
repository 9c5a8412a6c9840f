/**
 * Checks of a whole data set: exact and near duplicates, coverage of tools and scenarios, leakage from
 * training into evaluation. On the user's words and the arguments only.
 */
import type { JsonValue } from "../../platform/json.ts";
import { canonicalJson } from "../../platform/json.ts";
import { NearIndex } from "../similarity.ts";
import { promptKey } from "../split.ts";
import type { EvaluationCase, Sample } from "../types.ts";
import { readCalls } from "./check.ts";

type Messages = readonly { readonly role: string; readonly content: string | null }[];

/** Every check of a set asks for the same words: they are made once a conversation. */
const words = new WeakMap<Messages, string>();

/** All the user's words of a conversation, as compared between samples. The messages may not change any more. */
export function userWords(messages: Messages): string {
  let found = words.get(messages);
  if (found === undefined) {
    const said = messages.filter((m) => m.role === "user").map((m) => m.content ?? "");
    found = promptKey(said.join(" / "));
    words.set(messages, found);
  }
  return found;
}

export interface Duplicate {
  readonly id: string;
  readonly of: string;
  readonly exact: boolean;
}

/** Samples whose prompt is an earlier one's, or nearly (Jaccard of word 3-grams at the threshold of REFERENCE, found exactly). */
export function findDuplicates(samples: readonly Sample[]): Duplicate[] {
  const index = new NearIndex();
  const kept: { id: string; words: string }[] = [];
  const out: Duplicate[] = [];
  for (const s of samples) {
    const words = userWords(s.messages);
    const at = index.find(words);
    if (at >= 0) out.push({ id: s.id, of: kept[at]?.id ?? "", exact: kept[at]?.words === words });
    else {
      index.add(words);
      kept.push({ id: s.id, words });
    }
  }
  return out;
}

export interface Coverage {
  readonly by_tool: Record<string, number>;
  readonly by_scenario: Record<string, number>;
  readonly by_kind: Record<string, number>;
}

/** How many samples each tool, scenario and kind has; tools of the set without any count 0. */
export function coverageOf(samples: readonly Sample[], tools: readonly string[]): Coverage {
  // A tool may be called `constructor`.
  const byTool = new Map(tools.map((t) => [t, 0]));
  const byScenario = new Map<string, number>();
  const byKind = new Map<string, number>();
  const count = (table: Map<string, number>, name: string): unknown => table.set(name, (table.get(name) ?? 0) + 1);
  for (const s of samples) {
    if (s.tool_name !== null) count(byTool, s.tool_name);
    count(byScenario, s.scenario);
    count(byKind, `${s.scenario}/${s.kind}`);
  }
  return { by_tool: Object.fromEntries(byTool), by_scenario: Object.fromEntries(byScenario), by_kind: Object.fromEntries(byKind) };
}

export interface Leakage {
  readonly shared_frames: number;
  readonly shared_prompts: number;
  readonly near_prompts: number;
  readonly shared_calls: number;
  readonly shared_values: { readonly value: number | null; readonly numerator: number; readonly denominator: number };
}

/** What of the held-out cases is also in training. */
export function leakageOf(samples: readonly Sample[], heldout: readonly EvaluationCase[]): Leakage {
  const frames = new Set(samples.map((s) => s.frame));
  const prompts = new Set<string>();
  const index = new NearIndex();
  const calls = new Set<string>();
  const values = new Set<string>();
  for (const s of samples) {
    const words = userWords(s.messages);
    prompts.add(words);
    index.add(words);
    for (const c of readCalls(s)) {
      if (typeof c.value !== "object" || c.value === null) continue;
      calls.add(`${c.name} ${canonicalJson(c.value)}`);
      for (const v of texts(c.value as JsonValue)) values.add(v);
    }
  }
  let shared_frames = 0;
  let shared_prompts = 0;
  let near_prompts = 0;
  let shared_calls = 0;
  let total = 0;
  let shared = 0;
  for (const c of heldout) {
    if (c.frame !== undefined && frames.has(c.frame)) shared_frames++;
    const words = userWords(c.messages as { role: string; content: string | null }[]);
    if (prompts.has(words)) shared_prompts++;
    else if (index.find(words) >= 0) near_prompts++;
    for (const call of c.expect ?? []) {
      const args = Object.fromEntries(
        Object.entries(call.arguments)
          .filter(([, v]) => !v.includes(""))
          .map(([k, v]) => [k, v[0]]),
      );
      if (Object.keys(args).length > 0 && calls.has(`${call.name} ${canonicalJson(args)}`)) shared_calls++;
      for (const v of texts(args as JsonValue)) {
        total++;
        if (values.has(v)) shared++;
      }
    }
  }
  return {
    shared_frames,
    shared_prompts,
    near_prompts,
    shared_calls,
    shared_values: { value: total === 0 ? null : shared / total, numerator: shared, denominator: total },
  };
}

/** Free text among arguments: strings of more than three characters that are no number, date or flag. */
function texts(v: JsonValue): string[] {
  if (typeof v === "string") return v.length > 3 && !/^[\d\s:./-]+$|^(true|false)$/i.test(v) ? [v.toLowerCase()] : [];
  if (typeof v === "object" && v !== null) return Object.values(v).flatMap((x) => texts(x as JsonValue));
  return [];
}
