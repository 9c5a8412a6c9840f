/** A project in a temporary folder, and stages that put out a pure function of what they read and note each of their runs. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApplyOptions, applyRun, type RunOutcome } from "../../../src/engine/apply.ts";
import type { RunEvent } from "../../../src/engine/events.ts";
import { type Plan, planRun } from "../../../src/engine/plan.ts";
import type { GateDefinition, NodeDefinition, StageContext, StageDefinition, StageOutcome } from "../../../src/engine/stage.ts";
import { ok, type Result } from "../../../src/platform/result.ts";

export interface FakeStage extends Partial<Omit<StageDefinition, "inputs" | "run">> {
  readonly id: string;
  /** Ids of upstream stages, whose output `out` is read. */
  readonly from?: readonly string[];
  readonly run?: (context: StageContext) => Promise<Result<StageOutcome>>;
}

export class Rig {
  readonly root: string;
  readonly lockfile: string;
  readonly events: RunEvent[] = [];

  constructor(root = mkdtempSync(join(tmpdir(), "forge-engine-"))) {
    this.root = root;
    this.lockfile = join(root, "forge.lock");
  }

  /** Ids of the stages whose code ran, in order, since the last call. */
  ran(): string[] {
    const file = join(this.root, "ran.txt");
    const ids = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
    writeFileSync(file, "");
    return ids;
  }

  /** A stage with one output, `out`: a file holding its id, version, recipe and what it read. */
  stage(fake: FakeStage): StageDefinition {
    const { id, from = [], run, ...rest } = fake;
    const inputs = Object.fromEntries(from.map((f) => [f, { stage: f, output: "out" }]));
    const note = (line: string) => appendFileSync(join(this.root, "ran.txt"), `${line}\n`);
    const definition: StageDefinition = {
      kind: "stage",
      title: id,
      version: 1,
      recipe: {},
      outputs: { out: "file" },
      ...rest,
      id,
      inputs,
      run: async (context) => {
        note(id);
        if (run !== undefined) return run(context);
        writeFileSync(
          context.outputs.out as string,
          contentOf(definition, (name) => readFileSync(context.inputs[name] as string, "utf8")),
        );
        return ok({ figures: { score: definition.version }, summary: `${id} done` });
      },
    };
    return definition;
  }

  async apply(nodes: readonly NodeDefinition[], o: Partial<ApplyOptions> = {}): Promise<Result<RunOutcome>> {
    this.events.length = 0;
    return applyRun({ nodes, projectRoot: this.root, name: "test", lockfile: this.lockfile, onEvent: (e) => this.events.push(e), ...o });
  }

  /** Applies and gives each node's status. */
  async statuses(nodes: readonly NodeDefinition[], o: Partial<ApplyOptions> = {}): Promise<Record<string, string>> {
    const outcome = await this.outcome(nodes, o);
    return Object.fromEntries(outcome.nodes.map((n) => [n.id, n.status]));
  }

  async outcome(nodes: readonly NodeDefinition[], o: Partial<ApplyOptions> = {}): Promise<RunOutcome> {
    const result = await this.apply(nodes, o);
    if (!result.ok) throw new Error(result.error.message);
    return result.value;
  }

  async plan(nodes: readonly NodeDefinition[], o: { until?: string; force?: string[]; variant?: string } = {}): Promise<Plan> {
    const plan = await planRun({ nodes, projectRoot: this.root, lockfile: this.lockfile, ...o });
    if (!plan.ok) throw new Error(plan.error.message);
    return plan.value;
  }

  /** Status and reasons by node. */
  async planned(nodes: readonly NodeDefinition[], o: { until?: string; force?: string[]; variant?: string } = {}): Promise<Record<string, string>> {
    const plan = await this.plan(nodes, o);
    return Object.fromEntries(plan.nodes.map((n) => [n.id, [n.status, ...n.reasons].join(" | ")]));
  }
}

/** What a fake stage puts out: the naive oracle computes the same. */
export function contentOf(stage: StageDefinition, read: (input: string) => string): string {
  const inputs = [...Object.keys(stage.inputs), ...Object.keys(stage.files ?? {})].sort();
  return JSON.stringify({ id: stage.id, version: stage.version, recipe: stage.recipe, read: inputs.map(read) });
}

export function gate(id: string, stage: string, threshold: number, rest: Partial<GateDefinition> = {}): GateDefinition {
  return {
    kind: "gate",
    id,
    title: id,
    version: 1,
    recipe: { [`gates.${stage}.score`]: threshold },
    inputs: {},
    stage,
    judge: (figures) => {
      const value = typeof figures.score === "number" ? figures.score : null;
      return { verdicts: [{ figure: "score", value, threshold, passed: value !== null && value >= threshold }], advice: ["raise the score"] };
    },
    ...rest,
  };
}

/** What a stage of a test ends with: writes `out` and succeeds. */
export function done(context: StageContext, text: string): Result<StageOutcome> {
  writeFileSync(context.outputs.out as string, text);
  return ok({ figures: {}, summary: "" });
}
