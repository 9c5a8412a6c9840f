/**
 * Measures a data set: validity, duplicates, coverage, diversity, leakage; figures for the gate. It
 * changes nothing: dropping and regenerating belong to generate.ts, repairs to the checks that offer them.
 */
import type { QaReport } from "../schemas/generated/qa-report.ts";
import { sampleChecker } from "./checks/index.ts";
import { coverageOf, findDuplicates, leakageOf } from "./checks/set-checks.ts";
import { diversityOf } from "./diversity.ts";
import type { EvaluationCase, GenerationStatistics, Sample, SynthesisPlan, Toolset } from "./types.ts";

export { qaMarkdown } from "./qa-markdown.ts";

export interface QaInput {
  readonly samples: readonly Sample[];
  readonly heldout: readonly EvaluationCase[];
  readonly toolset: Toolset;
  readonly plan?: SynthesisPlan;
  readonly statistics?: GenerationStatistics;
}

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
  const leakage = leakageOf(samples, heldout);
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
  const diversity = diversityOf(samples);
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
      distinct_2: diversity.distinct_2,
      shared_frames: leakage.shared_frames,
      shared_prompts: leakage.shared_prompts,
      samples: samples.length,
      heldout: heldout.length,
    },
  };
}

const rate = (numerator: number, denominator: number): QaReport["schema_pass_rate"] => ({
  value: denominator === 0 ? null : numerator / denominator,
  numerator,
  denominator,
});
