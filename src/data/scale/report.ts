/**
 * Puts parts together, in their order, and makes the report of the whole: the same one however the samples were divided into parts, and whoever measured them.
 */
import type { Lengths, QaReport } from "../../schemas/generated/qa-report.ts";
import { WordingWatch } from "../leakage.ts";
import { planOutcome } from "../plan-outcome.ts";
import type { EvaluationCase, GenerationStatistics, SynthesisPlan, Toolset } from "../types.ts";
import { Alike, type Texts } from "./alike.ts";
import { Digests } from "./digests.ts";
import { type Counted, DistinctCounter } from "./distinct.ts";
import { eachDuplicate } from "./duplicates.ts";
import { ShingleSets } from "./shingle-sets.ts";
import { type Counts, framesOf, GRAMS, type Issue, LISTED, type Part, type Rest } from "./tally.ts";
import { HeldoutWatch } from "./watch.ts";

/** What the samples are judged beside. */
export interface Beside {
  readonly heldout: readonly EvaluationCase[];
  readonly toolset: Toolset;
  readonly plan?: SynthesisPlan;
  readonly statistics?: GenerationStatistics;
  /** The samples are all that there was of the data that somebody brought: how many are valid is counted here, and not in the statistics. */
  readonly brought?: boolean;
  /** Whether the model that is to learn from them thinks aloud; undefined where it is not known. */
  readonly thinking?: boolean;
  /** How long the samples are for a family, where one is named. */
  readonly lengths?: Lengths;
}

/** Samples beside another about the same tool below which no gate judges how alike they are: a few are soon alike, or unlike. */
const ENOUGH_OTHERS = 50;

/** A sample that doubles an earlier one, both by their places among all samples. */
export interface Double {
  readonly at: number;
  readonly of: number;
  readonly exact: boolean;
}

export class Gathered {
  #samples = 0;
  #invalid = 0;
  #gated = 0;
  #simulated = 0;
  readonly #failures: Issue[] = [];
  readonly #byTool = new Map<string, number>();
  readonly #byScenario = new Map<string, number>();
  readonly #byKind = new Map<string, number>();
  readonly #byCell = new Map<string, number>();
  readonly #digests = new Digests();
  readonly #sets: ShingleSets;
  readonly #grams = [0, 0, 0];
  readonly #alike: Alike;
  readonly #distinct: DistinctCounter;
  readonly #watch: HeldoutWatch;
  readonly #wordings: WordingWatch;
  readonly #beside: Beside;
  #doubled = 0;
  readonly #doubles: Double[] = [];

  /** @param folder where files may be put that memory has no room for */
  constructor(beside: Beside, folder: () => string, mostInMemory?: number) {
    this.#beside = beside;
    this.#sets = new ShingleSets(folder, mostInMemory);
    this.#distinct = new DistinctCounter(folder, mostInMemory);
    this.#alike = new Alike(beside.toolset);
    this.#watch = new HeldoutWatch(beside.heldout);
    this.#wordings = new WordingWatch(beside.heldout, beside.toolset);
  }

  get samples(): number {
    return this.#samples;
  }

  /** Takes in the part that follows. */
  add(part: Part): void {
    this.#samples += part.samples;
    this.#invalid += part.invalid;
    this.#gated += part.gated;
    this.#simulated += part.simulated;
    for (const f of part.failures) if (this.#failures.length < LISTED) this.#failures.push(f);
    sumUp(this.#byTool, part.byTool);
    sumUp(this.#byScenario, part.byScenario);
    sumUp(this.#byKind, part.byKind);
    sumUp(this.#byCell, part.byCell ?? []);
    this.#digests.append(part.digests);
    this.#sets.append(part.shingles);
    for (const [i, n] of part.grams.entries()) this.#grams[i] = (this.#grams[i] as number) + n;
  }

  /** Takes in the rest of somebody who measured parts. */
  addRest(rest: Rest): void {
    this.addDistinct(rest.distinct);
    for (const texts of rest.texts) this.addTexts(texts);
    this.addSeen(rest);
  }

  /** Takes in what of a rest is about distinct things, or a piece of it. */
  addDistinct(distinct: Counted): void {
    this.#distinct.merge(distinct);
  }

  /** Takes in what of a rest is about one tool's texts. */
  addTexts(texts: Texts): void {
    this.#alike.merge(texts);
  }

  /** Takes in what of a rest is about held-out cases. */
  addSeen({ seen, wordings }: Pick<Rest, "seen" | "wordings">): void {
    this.#watch.merge(seen);
    this.#wordings.merge(wordings);
  }

  /** Finds the duplicates, when all parts are in. Gives those that the report names. */
  findDoubles(): readonly Double[] {
    const room = LISTED - this.#failures.length;
    eachDuplicate(this.#digests, this.#sets, (at, of, exact) => {
      if (this.#doubled++ < room) this.#doubles.push({ at, of, exact });
    });
    return this.#doubles;
  }

  /** Every duplicate, when all parts are in. */
  eachDouble(found: (double: Double) => void): void {
    eachDuplicate(this.#digests, this.#sets, (at, of, exact) => found({ at, of, exact }));
  }

  /** @param idAt the id of a sample that a duplicate named */
  report(idAt: (place: number) => string): QaReport {
    const { heldout, toolset, plan, statistics, brought, lengths } = this.#beside;
    const samples = this.#samples;
    const valid = samples - this.#invalid;
    const coverage = this.#coverage();
    const distinct = this.#distinct.counts();
    const diversity = this.#diversity(distinct);
    const leakage = { ...this.#watch.leakage(), ...this.#wordings.leakage() };
    const issues = [...this.#failures];
    for (const d of this.#doubles)
      issues.push({ check: d.exact ? "duplicate" : "near_duplicate", sample: idAt(d.at), message: `says what ${idAt(d.of)} says` });
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
    if (lengths !== undefined && lengths.too_long > 0)
      issues.push({
        check: "too_long",
        sample: null,
        message: `${lengths.too_long} samples are longer than the ${lengths.window} tokens that \`${lengths.family}\` reads`,
      });
    for (const s of wanted) if (!covered.includes(s)) issues.push({ check: "coverage", sample: null, message: `there is no sample of scenario ${s}` });

    // REFERENCE's: samples valid as first generated over samples generated; without statistics of a generation the share of valid samples.
    const schema_pass_rate = statistics
      ? rate(brought === true ? samples - this.#gated : statistics.first_pass_valid, statistics.generated)
      : rate(samples - this.#gated, samples);
    const dedup_rate = rate(this.#doubled, samples);
    // Names that the toolset does not have are an issue of their own, no tool with few samples.
    const perTool = toolset.tools.map((t) => coverage.by_tool[t.name] ?? 0);
    return {
      version: 1,
      totals: {
        samples,
        valid,
        invalid: this.#invalid,
        heldout: heldout.length,
        planned: plan ? plan.train.length : null,
        simulated: this.#simulated,
      },
      schema_pass_rate,
      dedup_rate,
      dropped: statistics ? { ...statistics.dropped } : {},
      ...(statistics?.repaired === undefined ? {} : { repaired: { ...statistics.repaired } }),
      ...(statistics?.taken_out === undefined ? {} : { taken_out: [...statistics.taken_out] }),
      ...(plan === undefined ? {} : { plan: planOutcome(plan, statistics, this.#byCell, heldout.length) }),
      ...(lengths === undefined ? {} : { lengths }),
      coverage,
      diversity,
      leakage,
      issues: issues.slice(0, LISTED),
      figures: {
        schema_pass_rate: schema_pass_rate.value ?? 0,
        valid_rate: rate(valid, samples).value ?? 0,
        min_samples_per_tool: perTool.length === 0 ? 0 : Math.min(...perTool),
        scenarios_covered: wanted.length === 0 ? 1 : covered.length / wanted.length,
        plan_met: plan && plan.train.length > 0 ? samples / plan.train.length : 1,
        duplicates: this.#doubled,
        dedup_rate: dedup_rate.value ?? 0,
        distinct_1: diversity.distinct_1,
        distinct_2: diversity.distinct_2,
        distinct_3: diversity.distinct_3,
        ...(this.#alike.others < ENOUGH_OTHERS ? {} : { self_similarity: diversity.self_similarity }),
        shared_frames: leakage.shared_frames,
        shared_prompts: leakage.shared_prompts,
        near_prompts: leakage.near_prompts,
        near_wordings: leakage.near_wordings.value ?? 0,
        shared_values: leakage.shared_values.value ?? 0,
        samples,
        heldout: heldout.length,
        ...(lengths === undefined ? {} : { too_long: lengths.too_long, ...(lengths.over_profile === null ? {} : { over_profile: lengths.over_profile }) }),
      },
    };
  }

  #coverage(): QaReport["coverage"] {
    // A tool may be called `constructor`. Tools of the set without any sample count 0.
    const byTool = new Map(this.#beside.toolset.tools.map((t) => [t.name, 0]));
    sumUp(byTool, [...this.#byTool]);
    return { by_tool: Object.fromEntries(byTool), by_scenario: Object.fromEntries(this.#byScenario), by_kind: Object.fromEntries(this.#byKind) };
  }

  /** distinct-n: different word n-grams over all word n-grams (Li et al. 2016, arXiv:1510.03055). It falls with the size of a set: compare equal sizes only. */
  #diversity(distinct: ReadonlyMap<string, number>): QaReport["diversity"] {
    const share = (n: 0 | 1 | 2): number => (this.#grams[n] === 0 ? 0 : round((distinct.get(GRAMS[n]) ?? 0) / (this.#grams[n] as number)));
    return {
      distinct_1: share(0),
      distinct_2: share(1),
      distinct_3: share(2),
      self_similarity: round(this.#alike.similarity()),
      self_similarity_by_tool: Object.fromEntries([...this.#alike.byTool()].map(([tool, value]) => [tool, round(value)])),
      frames_by_tool: Object.fromEntries([...this.#byTool.keys()].map((tool) => [tool, distinct.get(framesOf(tool)) ?? 0])),
    };
  }

  /** Takes away what was put into files. */
  close(): void {
    this.#sets.close();
  }
}

function sumUp(into: Map<string, number>, counts: Counts): void {
  for (const [name, n] of counts) into.set(name, (into.get(name) ?? 0) + n);
}

const round = (x: number): number => Math.round(x * 10_000) / 10_000;

const rate = (numerator: number, denominator: number): QaReport["schema_pass_rate"] => ({
  value: denominator === 0 ? null : numerator / denominator,
  numerator,
  denominator,
});
