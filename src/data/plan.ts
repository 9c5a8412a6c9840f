/**
 * Plans which samples will be made: one slot a sample, by scenario, kind and tool. Slots are dealt
 * one after the other by the Webster / Sainte-Laguë rule, so slot k of N samples is also slot k of
 * M > N: raising `samples` keeps every slot that was already made. Pure; the same input gives the same plan.
 */
import { type Kind, kindsOf } from "./kinds.ts";
import type { Scenario, ScenarioWeights, Slot, SynthesisPlan, Toolset } from "./types.ts";

export interface PlanInput {
  readonly toolset: Toolset;
  /** Training samples wanted. */
  readonly samples: number;
  /** Fewest training samples about a tool in the leading scenario; slots are added beyond `samples` where the quotas give fewer. */
  readonly minPerTool: number;
  readonly scenarios: ScenarioWeights;
  /** Held-out cases wanted, planned apart with the same weights. */
  readonly evaluationSamples: number;
  readonly seed: number;
}

/** Order in which equal claims are served. */
export const SCENARIOS: readonly Scenario[] = ["standard", "no_tool", "error", "ambiguous", "edge", "chain"];

/** Fewest held-out cases of a tool, and of a scenario, when any are wanted. */
const EVALUATION_FLOOR = 2;

/** Exact quotas by scenario and tool. A toolset without tools gets no_tool slots only. */
export function planSynthesis(input: PlanInput): SynthesisPlan {
  const { toolset, samples, minPerTool, scenarios, evaluationSamples, seed } = input;
  const train = deal(toolset, scenarios, samples, "", minPerTool, 1);
  const evaluation = evaluationSamples > 0 ? deal(toolset, scenarios, evaluationSamples, "eval/", EVALUATION_FLOOR, EVALUATION_FLOOR) : [];
  return {
    version: 1,
    seed,
    toolset_hash: toolset.hash,
    samples,
    evaluation_samples: evaluationSamples,
    min_per_tool: minPerTool,
    scenarios: { ...scenarios },
    train,
    evaluation,
    cells: cellsOf(train),
  };
}

/** The next receiver of a seat: the largest weight / (2 x seats + 1), ties to the earlier one (Sainte-Laguë, 1910; Webster, 1832). */
export function nextSeat(weights: readonly number[], seats: readonly number[]): number {
  let best = -1;
  let claim = 0;
  for (let i = 0; i < weights.length; i++) {
    const c = (weights[i] ?? 0) / (2 * (seats[i] ?? 0) + 1);
    if (c > claim + 1e-12) {
      best = i;
      claim = c;
    }
  }
  return best;
}

function deal(toolset: Toolset, weights: ScenarioWeights, samples: number, prefix: string, perTool: number, perScenario: number): Slot[] {
  const dealer = new Dealer(toolset, prefix);
  const names = SCENARIOS.filter((s) => (weights[s] ?? 0) > 0 && dealer.possible(s));
  if (names.length === 0) return [];
  const shares = names.map((s) => weights[s] ?? 0);
  const seats = names.map(() => 0);
  for (let k = 0; k < samples; k++) {
    const i = nextSeat(shares, seats);
    seats[i] = (seats[i] ?? 0) + 1;
    dealer.add(names[i] as Scenario, false);
  }
  if (samples > 0) {
    for (const [i, s] of names.entries()) for (let k = seats[i] ?? 0; k < perScenario; k++) dealer.add(s, true);
    const home = names.find((s) => s !== "no_tool");
    if (home) for (const tool of toolset.tools) while (dealer.count(home, tool.name) < perTool && dealer.addTo(home, tool.name, true));
  }
  return dealer.slots;
}

/**
 * Deals slots to tools and kinds. The k-th slot of a scenario, and the k-th of a tool in it, are always the
 * same, whatever else is dealt: that is what keeps a plan's slots when it grows.
 */
class Dealer {
  readonly slots: Slot[] = [];
  private readonly kinds: readonly Kind[];
  private readonly counts = new Map<string, number>();

  constructor(
    private readonly toolset: Toolset,
    private readonly prefix: string,
  ) {
    this.kinds = kindsOf(toolset);
  }

  possible(scenario: Scenario): boolean {
    return this.kinds.some((k) => k.scenario === scenario);
  }

  /** Slots of a scenario about a tool so far. */
  count(scenario: Scenario, tool: string): number {
    return this.counts.get(`${scenario}/${tool}`) ?? 0;
  }

  /** Adds the scenario's next slot: no_tool by kind, the others to the tools in turn, each scenario beginning with another tool. */
  add(scenario: Scenario, extra: boolean): void {
    const kinds = this.kinds.filter((k) => k.scenario === scenario);
    if (scenario === "no_tool") {
      const kind = kinds[
        nextSeat(
          kinds.map((k) => k.weight),
          kinds.map((k) => this.counts.get(`kind/${k.kind}`) ?? 0),
        )
      ] as Kind;
      const n = this.bump(`kind/${kind.kind}`);
      this.push(scenario, kind.kind, kind.tools === null ? null : (kind.tools[n % kind.tools.length] as string), extra, `no_tool/${kind.kind}`);
      return;
    }
    const able = this.toolset.tools.map((t) => t.name).filter((t) => kinds.some((k) => k.tools?.includes(t)));
    const turn = this.bump(`turn/${scenario}`) + SCENARIOS.indexOf(scenario);
    this.addTo(scenario, able[turn % able.length] as string, extra);
  }

  /** Adds a slot about this tool; false when the scenario cannot be about it. Tools begin with different kinds where the weights are equal. */
  addTo(scenario: Scenario, tool: string, extra: boolean): boolean {
    const kinds = this.kinds.filter((k) => k.scenario === scenario && k.tools?.includes(tool));
    if (kinds.length === 0) return false;
    const at = this.toolset.tools.findIndex((t) => t.name === tool) % kinds.length;
    const turned = [...kinds.slice(at), ...kinds.slice(0, at)];
    const i = nextSeat(
      turned.map((k) => k.weight),
      turned.map((k) => this.counts.get(`${scenario}/${tool}/${k.kind}`) ?? 0),
    );
    const { kind } = turned[i] as Kind;
    this.bump(`${scenario}/${tool}/${kind}`);
    this.push(scenario, kind, tool, extra, scenario);
    return true;
  }

  private push(scenario: Scenario, kind: string, tool: string | null, extra: boolean, column: string): void {
    const ordinal = this.bump(`${column}/${tool ?? ""}`);
    const id = `${this.prefix}${column}/${tool === null ? "" : `${tool}/`}${String(ordinal).padStart(4, "0")}`;
    this.slots.push({ id, scenario, kind, tool, ...(extra ? { extra: true } : {}) });
  }

  /** Counts one more; returns the count before. */
  private bump(key: string): number {
    const n = this.counts.get(key) ?? 0;
    this.counts.set(key, n + 1);
    return n;
  }
}

function cellsOf(slots: readonly Slot[]): SynthesisPlan["cells"] {
  const counts = new Map<string, SynthesisPlan["cells"][number]>();
  for (const s of slots) {
    const key = `${s.scenario}\u0000${s.kind}\u0000${s.tool ?? ""}`;
    const cell = counts.get(key);
    if (cell) cell.count++;
    else
      counts.set(key, {
        scenario: s.scenario,
        kind: s.kind,
        tool: s.tool,
        count: 1,
      });
  }
  return [...counts.values()];
}
