/** The quality report as it was first made: all samples in memory, everything in Maps of texts, near-duplicates by NearIndex. What the measuring of parts must agree with. */

import { readCalls } from "../../../src/data/checks/check.ts";
import { sampleChecker } from "../../../src/data/checks/index.ts";
import { wordingLeakage } from "../../../src/data/leakage.ts";
import type { QaInput } from "../../../src/data/qa.ts";
import { digestOf } from "../../../src/data/scale/alike.ts";
import { jaccard, NearIndex } from "../../../src/data/similarity.ts";
import { promptKey } from "../../../src/data/split.ts";
import type { EvaluationCase, Sample } from "../../../src/data/types.ts";
import { wordingOfSample } from "../../../src/data/wording.ts";
import { canonicalJson } from "../../../src/platform/json.ts";
import type { QaReport } from "../../../src/schemas/generated/qa-report.ts";

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
}

/** What of the held-out cases is also in training. */
export function leakageOf(samples: readonly Sample[], heldout: readonly EvaluationCase[]): Leakage {
  const frames = new Set(samples.map((s) => s.frame));
  const prompts = new Set<string>();
  const index = new NearIndex();
  const calls = new Set<string>();
  for (const s of samples) {
    const words = userWords(s.messages);
    prompts.add(words);
    index.add(words);
    for (const c of readCalls(s)) {
      if (typeof c.value !== "object" || c.value === null) continue;
      calls.add(`${c.name} ${canonicalJson(c.value)}`);
    }
  }
  let shared_frames = 0;
  let shared_prompts = 0;
  let near_prompts = 0;
  let shared_calls = 0;
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
    }
  }
  return {
    shared_frames,
    shared_prompts,
    near_prompts,
    shared_calls,
  };
}

export interface Diversity {
  readonly distinct_1: number;
  readonly distinct_2: number;
  readonly distinct_3: number;
  readonly self_similarity: number;
  readonly self_similarity_by_tool: Record<string, number>;
  readonly frames_by_tool: Record<string, number>;
}

/** distinct-n: different word n-grams over all word n-grams (Li et al. 2016, arXiv:1510.03055). It falls with the size of a set: compare equal sizes only. */
export function diversityOf(samples: readonly Sample[], tools: readonly string[]): Diversity {
  const words = samples.map((s) => userWords(s.messages).split(/[\s/]+/));
  const distinct = (n: number): number => {
    const seen = new Set<string>();
    let total = 0;
    for (const w of words) {
      for (let i = 0; i + n <= w.length; i++) {
        seen.add(w.slice(i, i + n).join(" "));
        total++;
      }
    }
    return total === 0 ? 0 : round4(seen.size / total);
  };
  // A tool may be called `constructor`.
  const frames = new Map<string, Set<string>>();
  for (const s of samples) {
    if (s.tool_name === null) continue;
    const known = frames.get(s.tool_name);
    if (known === undefined) frames.set(s.tool_name, new Set([s.frame]));
    else known.add(s.frame);
  }
  return {
    distinct_1: distinct(1),
    distinct_2: distinct(2),
    distinct_3: distinct(3),
    ...selfSimilarity(samples, tools),
    frames_by_tool: Object.fromEntries([...frames].map(([k, v]) => [k, v.size])),
  };
}

/** How like a text about a tool is to the nearest of 16, on the 64 texts with the smallest digests: all texts of the set, counted and sorted. */
function selfSimilarity(samples: readonly Sample[], tools: readonly string[]): Pick<Diversity, "self_similarity" | "self_similarity_by_tool"> {
  const about = ["", ...tools].map((tool) => [tool, samples.filter((s) => (s.tool_name ?? "") === tool)] as const).filter(([, all]) => all.length > 1);
  const values = about.map(([tool, all]) => {
    const counts = new Map<string, { count: number; readonly words: Uint32Array }>();
    for (const s of all) {
      const { low, high } = digestOf(s);
      const key = [low, high].map((n) => String(n).padStart(10, "0")).join(" ");
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { count: 1, words: wordingOfSample(s).blanked.slice(0, 1024) });
      else known.count++;
    }
    const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
    const kept = sorted.slice(0, 64);
    const groups = kept.length < 32 ? 1 : Math.floor(kept.length / 16);
    const near = kept.map(({ count, words }, i) => {
      const best = kept.reduce((most, other, j) => (j !== i && (j - i) % groups === 0 ? Math.max(most, jaccard(words, other.words)) : most), 0);
      const again = 1 - (1 - (count - 1) / (all.length - 1)) ** 15;
      return [kept.length < 64 ? count : 1, again + (1 - again) * best] as const;
    });
    const weights = near.reduce((sum, [weight]) => sum + weight, 0);
    return { tool, n: all.length, value: near.reduce((sum, [weight, value]) => sum + weight * value, 0) / weights };
  });
  const n = values.reduce((sum, v) => sum + v.n, 0);
  return {
    self_similarity: n === 0 ? 0 : round4(values.reduce((sum, v) => sum + v.value * v.n, 0) / n),
    self_similarity_by_tool: Object.fromEntries(values.filter(({ tool }) => tool !== "").map(({ tool, value }) => [tool, round4(value)])),
  };
}

const round4 = (x: number): number => Math.round(x * 10_000) / 10_000;

/** Most issues that are listed; the totals count all. */
const LISTED = 200;

/**
 * Measures what came out of generation, or any data set in our form. `schema_pass_rate` is REFERENCE's: samples valid as first generated over
 * samples generated; without statistics of a generation it is the share of valid samples in the file.
 */
export function measureQuality(input: QaInput): QaReport {
  const { samples, heldout, toolset, plan, statistics } = input;
  const check = sampleChecker(toolset);
  const issues: QaReport["issues"] = [];
  let invalid = 0;
  let gated = 0;
  for (const s of samples) {
    const failure = check(s);
    if (!failure) continue;
    invalid++;
    if (failure.check.gates) gated++;
    issues.push({ check: failure.check.name, sample: s.id, message: failure.message });
  }
  const duplicates = findDuplicates(samples);
  for (const d of duplicates) issues.push({ check: d.exact ? "duplicate" : "near_duplicate", sample: d.id, message: `says what ${d.of} says` });
  const coverage = coverageOf(
    samples,
    toolset.tools.map((t) => t.name),
  );
  const leakage = { ...leakageOf(samples, heldout), ...wordingLeakage(samples, heldout, toolset) };
  if (leakage.shared_frames > 0) issues.push({ check: "leakage", sample: null, message: `${leakage.shared_frames} held-out cases have a frame of training` });
  if (leakage.shared_prompts > 0) issues.push({ check: "leakage", sample: null, message: `${leakage.shared_prompts} held-out prompts are in training` });
  for (const s of statistics?.short ?? []) issues.push({ check: "plan", sample: s.slot, message: s.reason });
  const minimum = plan?.min_per_tool ?? 0;
  for (const [tool, n] of Object.entries(coverage.by_tool))
    if (n < minimum) issues.push({ check: "coverage", sample: null, message: `${tool} has ${n} samples, ${minimum} are wanted` });
  const wanted = Object.entries(plan?.scenarios ?? {})
    .filter(([s, w]) => w > 0 && (plan?.train ?? []).some((slot) => slot.scenario === s))
    .map(([s]) => s);
  const covered = wanted.filter((s) => (coverage.by_scenario[s] ?? 0) > 0);
  for (const s of wanted) if (!covered.includes(s)) issues.push({ check: "coverage", sample: null, message: `there is no sample of scenario ${s}` });

  const schema_pass_rate = statistics ? rate(statistics.first_pass_valid, statistics.generated) : rate(samples.length - gated, samples.length);
  const dedup_rate = rate(duplicates.length, samples.length);
  const names = toolset.tools.map((t) => t.name);
  const diversity = diversityOf(samples, names);
  // Names that the toolset does not have are an issue of their own, no tool with few samples.
  const perTool = toolset.tools.map((t) => coverage.by_tool[t.name] ?? 0);
  return {
    version: 1,
    totals: {
      samples: samples.length,
      valid: samples.length - invalid,
      invalid,
      heldout: heldout.length,
      planned: plan ? plan.train.length : null,
      simulated: samples.filter((s) => s.simulated === true).length,
    },
    schema_pass_rate,
    dedup_rate,
    dropped: statistics ? { ...statistics.dropped } : {},
    ...(statistics?.repaired === undefined ? {} : { repaired: { ...statistics.repaired } }),
    ...(statistics?.taken_out === undefined ? {} : { taken_out: [...statistics.taken_out] }),
    ...(plan === undefined ? {} : { plan: outcomeOf(input) }),
    coverage,
    diversity,
    leakage,
    issues: issues.slice(0, LISTED),
    figures: {
      schema_pass_rate: schema_pass_rate.value ?? 0,
      valid_rate: rate(samples.length - invalid, samples.length).value ?? 0,
      min_samples_per_tool: perTool.length === 0 ? 0 : Math.min(...perTool),
      scenarios_covered: wanted.length === 0 ? 1 : covered.length / wanted.length,
      plan_met: plan && plan.train.length > 0 ? samples.length / plan.train.length : 1,
      duplicates: duplicates.length,
      dedup_rate: dedup_rate.value ?? 0,
      distinct_1: diversity.distinct_1,
      distinct_2: diversity.distinct_2,
      distinct_3: diversity.distinct_3,
      ...(others(samples, names) < 50 ? {} : { self_similarity: diversity.self_similarity }),
      shared_frames: leakage.shared_frames,
      shared_prompts: leakage.shared_prompts,
      near_prompts: leakage.near_prompts,
      near_wordings: leakage.near_wordings.value ?? 0,
      shared_values: leakage.shared_values.value ?? 0,
      samples: samples.length,
      heldout: heldout.length,
    },
  };
}

/** How many samples come after one about the same tool, of the tools that there are. */
function others(samples: readonly Sample[], tools: readonly string[]): number {
  const about = samples.map((s) => s.tool_name ?? "").filter((tool) => tool === "" || tools.includes(tool));
  return about.length - new Set(about).size;
}

/** The plan against the outcome, by the definition of each number. */
function outcomeOf({ samples, heldout, plan, statistics }: QaInput): QaReport["plan"] {
  const slots = plan?.train ?? [];
  const short = statistics?.short ?? [];
  const cells = [...new Set(slots.map((s) => JSON.stringify([s.scenario, s.scenario === "no_tool" ? null : s.tool])))].map((key) => {
    const [scenario, tool] = JSON.parse(key) as [string, string | null];
    const mine = slots.filter((s) => s.scenario === scenario && (scenario === "no_tool" || s.tool === tool));
    const made = samples.filter((s) => s.scenario === scenario && (scenario === "no_tool" || s.tool_name === tool)).length;
    const missing = Math.max(0, mine.length - made);
    const why: Record<string, number> = {};
    for (const { slot, reason } of short) if (mine.some((s) => s.id === slot)) why[reason] = (why[reason] ?? 0) + 1;
    const unsaid = missing - Object.values(why).reduce((a, b) => a + b, 0);
    if (unsaid > 0) why["taken out: it says what a case of `evaluation.cases` says"] = unsaid;
    return { scenario, tool, planned: mine.length, made, short: missing, why };
  });
  const scenarios = cells.map((c) => c.scenario);
  cells.sort((a, b) => scenarios.indexOf(a.scenario) - scenarios.indexOf(b.scenario));
  return {
    planned: slots.length,
    made: cells.reduce((n, c) => n + c.made, 0),
    heldout_planned: plan?.evaluation.length ?? 0,
    heldout_made: heldout.length,
    cells,
    short_total: short.length,
    short: short.slice(0, LISTED),
  };
}

const rate = (numerator: number, denominator: number): QaReport["schema_pass_rate"] => ({
  value: denominator === 0 ? null : numerator / denominator,
  numerator,
  denominator,
});
