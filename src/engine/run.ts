/**
 * The work of one run, node by node: looks, runs, judges, tells, and keeps the books (state, lockfile, views) so that
 * a kill between two nodes loses neither. The order is schedule.ts's; the frame (lock, stream) is apply.ts's.
 */
import { join, relative } from "node:path";
import { EXIT, type ExitCode } from "../platform/exit.ts";
import { fsFailure } from "../platform/fs.ts";
import type { Digest } from "../platform/hash.ts";
import { canonicalJson, type JsonObject } from "../platform/json.ts";
import type { Failure } from "../platform/result.ts";
import { type Decision, decide, type Known } from "./decide.ts";
import type { EventFailure, EventStream } from "./events.ts";
import { judge } from "./gate.ts";
import type { Graph } from "./graph.ts";
import type { Keys } from "./key.ts";
import type { LockfileWriter } from "./lockfile.ts";
import type { GateOutcome, NodeOutcome, NodeStatus, RunOutcome } from "./outcome.ts";
import { lastTime, type RecordInput, type StageRecord } from "./record.ts";
import { runStage } from "./run-stage.ts";
import type { Claims, Look, Work } from "./schedule.ts";
import type { GateDefinition, NodeDefinition, StageDefinition, StageEvent } from "./stage.ts";
import type { Views } from "./views.ts";

export interface RunParts {
  readonly id: string;
  readonly graph: Graph;
  readonly keys: ReadonlyMap<string, Keys>;
  readonly forced: ReadonlyMap<string, readonly string[]>;
  /** When given, the only nodes that may run: another that would have to fails the run. */
  readonly only: ReadonlySet<string> | undefined;
  readonly known: Known;
  readonly events: EventStream;
  readonly signal: AbortSignal;
  /** undefined in a locked run. */
  readonly lockfile: LockfileWriter | undefined;
  readonly views: Views;
  readonly projectRoot: string;
  /** Whether what does not depend on a failed stage still runs. */
  readonly keepGoing: boolean;
  /** Whether nothing is to be written: views that are not as they should be fail. */
  readonly look: boolean;
}

const NOTHING: Claims = { resources: {}, exclusive: [] };

export class Run implements Work {
  readonly #p: RunParts;
  readonly #outcomes = new Map<string, NodeOutcome>();
  readonly #gates: GateOutcome[] = [];
  readonly #records = new Map<string, StageRecord>();
  readonly #decisions = new Map<string, Decision>();
  #firstFailure: Failure | undefined;

  constructor(parts: RunParts) {
    this.#p = parts;
  }

  begin(name: string, variant: string | undefined): void {
    const nodes = this.#p.graph.nodes.map((n) => ({ id: n.id, kind: n.kind, title: n.title, ...lastTime(n, this.#lastRecord(n)) }));
    this.#p.events.emit({ type: "run-started", run: this.#p.id, name, ...(variant !== undefined && { variant }), nodes });
  }

  /** Settles the books and says how it went. */
  end(seconds: number): RunOutcome {
    const { state, files } = this.#p.known;
    try {
      state.save();
      files.save();
      this.#p.views.save();
    } catch (e) {
      // Whoever listens is told how the run ended, all the same.
      this.#firstFailure ??= this.#cannotWrite(e, "write down what was done");
      this.#p.events.emit({
        type: "notice",
        level: "warning",
        message: `${this.#firstFailure.message}${this.#firstFailure.hint === undefined ? "" : ` (${this.#firstFailure.hint})`}`,
      });
    }
    const nodes = this.#p.graph.nodes.map((n) => this.#outcomes.get(n.id)).filter((n) => n !== undefined);
    const counts: Record<string, number> = {};
    for (const { status } of nodes) counts[status] = (counts[status] ?? 0) + 1;
    const exit = this.#exit(nodes);
    this.#p.events.emit({ type: "run-finished", run: this.#p.id, exit, seconds, counts });
    return { run: this.#p.id, nodes, gates: this.#gates, seconds, exit };
  }

  claimsOf(id: string): Claims {
    const node = this.#node(id);
    return node.kind === "stage" ? { resources: node.resources ?? {}, exclusive: node.exclusive ?? [] } : NOTHING;
  }

  async look(id: string): Promise<Look> {
    const node = this.#node(id);
    if (node.kind === "gate") return this.#judge(node);
    const inputs = Object.fromEntries(Object.entries(this.#inputs(node)).map(([name, i]) => [name, i.digest]));
    const decision = await decide(node, this.#p.keys.get(id) as Keys, inputs, this.#p.forced.get(id) ?? [], this.#p.known);
    if (!decision.ok) return this.#fail(node, decision.error, 0);
    this.#decisions.set(id, decision.value);
    const { record } = decision.value;
    if (record === undefined && this.#p.only?.has(id) === false) return this.#fail(node, notCurrent(id, decision.value.reasons), 0);
    if (record === undefined) return "run";
    const failed = await this.#settle(node, record);
    if (failed !== undefined) return this.#fail(node, failed, 0);
    this.#note(node, "cached", { summary: record.summary, figures: record.figures, outputs: this.#paths(record) });
    this.#p.events.emit({ type: "stage-cached", node: id, title: node.title, summary: record.summary, figures: { ...record.figures } });
    return "good";
  }

  async run(id: string): Promise<"good" | "bad"> {
    const stage = this.#node(id) as StageDefinition;
    // A file of the user's may have become another while the stage waited for its slot.
    const look = Object.keys(stage.files ?? {}).length > 0 ? await this.look(id) : "run";
    if (look !== "run") return look;
    const decision = this.#decisions.get(id) as Decision;
    const { events, known, keys, projectRoot, signal } = this.#p;
    const logFile = join(projectRoot, ".mcp-forge", "runs", this.#p.id, `${id.replace(/[^\w.-]/g, "-")}.log`);
    events.emit({ type: "stage-started", node: id, title: stage.title, reasons: [...decision.reasons], ...lastTime(stage, this.#lastRecord(stage)) });
    const started = performance.now();
    const previous = this.#lastOutputs(stage);
    const parts = { stage, keys: keys.get(id) as Keys, decision, inputs: this.#inputs(stage), known, projectRoot, run: this.#p.id, logFile, signal };
    const record = await runStage({ ...parts, emit: (event) => this.#forward(id, event) });
    const seconds = (performance.now() - started) / 1000;
    if (!record.ok) return this.#fail(stage, record.error, seconds, logFile);
    const failed = await this.#settle(stage, record.value);
    if (failed !== undefined) return this.#fail(stage, failed, seconds, logFile);
    const { summary, figures } = record.value;
    this.#note(stage, "done", { seconds, summary, figures, outputs: this.#paths(record.value) });
    const unchanged = previous !== undefined && previous === outputDigests(record.value);
    events.emit({ type: "stage-finished", node: id, title: stage.title, seconds, summary, figures: { ...figures }, ...(unchanged && { unchanged }) });
    return "good";
  }

  stopped(): boolean {
    return this.#p.signal.aborted || (this.#firstFailure !== undefined && !this.#p.keepGoing);
  }

  cancel(id: string): void {
    this.#skip(id, this.#p.signal.aborted ? "the run was interrupted" : "another stage failed");
  }

  skip(id: string, because: string): void {
    const words: Partial<Record<NodeStatus, string>> = { refused: "refused", failed: "failed", interrupted: "was interrupted" };
    const status = this.#outcomes.get(because)?.status ?? "skipped";
    this.#skip(id, `${because} ${words[status] ?? "was not reached"}`);
  }

  #skip(id: string, reason: string): void {
    const node = this.#node(id);
    this.#note(node, "skipped", { summary: reason });
    this.#p.events.emit({ type: "node-skipped", node: id, title: node.title, reason });
  }

  /** Enters a stage's standing record in the books and refreshes its views. */
  async #settle(stage: StageDefinition, record: StageRecord): Promise<Failure | undefined> {
    const { known, lockfile, views, events, keys } = this.#p;
    this.#records.set(stage.id, record);
    try {
      const isNew = known.state.stage(stage.id) !== record.fingerprint;
      known.state.setStage(stage.id, record.fingerprint);
      if (isNew) known.state.save();
      const locked = Object.entries(record.outputs).filter(([name]) => !Object.hasOwn(stage.reports ?? {}, name));
      const outputs = Object.fromEntries(locked.map(([name, o]) => [name, o.digest]));
      lockfile?.set(stage.id, { key: (keys.get(stage.id) as Keys).recipe, version: stage.version, outputs, figures: { ...record.figures } });
      const saved = lockfile?.save();
      if (saved?.ok === false) return { ...saved.error, message: `${stage.id} is finished and kept, but ${saved.error.message}` };
      if (this.#p.look && views.changed(stage, record).length > 0) return notCurrent(stage.id, ["a view of it is another"]);
      const written = await views.update(stage, record, known.store);
      if (!written.ok) return written.error;
      if (written.value.length > 0) views.save();
      for (const view of written.value) events.emit({ type: "view-written", node: stage.id, ...view });
      return undefined;
    } catch (e) {
      return this.#cannotWrite(e, `write what ${stage.id} made`);
    }
  }

  #judge(gate: GateDefinition): Look {
    const { known, lockfile, keys, events } = this.#p;
    const figures = this.#records.get(gate.stage)?.figures ?? {};
    const judgement = judge(gate, figures);
    const recipeKey = (keys.get(gate.id) as Keys).recipe;
    const verdicts = judgement.verdicts.map((v) => ({ ...v }));
    known.state.setGate(gate.id, {
      recipeKey,
      version: gate.version,
      recipe: JSON.parse(canonicalJson(gate.recipe)) as JsonObject,
      stage: gate.stage,
      passed: judgement.passed,
      verdicts,
    });
    const table = Object.fromEntries(verdicts.map(({ figure, value, threshold, passed }) => [figure, { value, threshold, passed }]));
    lockfile?.set(gate.id, { key: recipeKey, version: gate.version, passed: judgement.passed, verdicts: table });
    try {
      known.state.save();
      const saved = lockfile?.save();
      if (saved?.ok === false) return this.#fail(gate, saved.error, 0);
    } catch (e) {
      return this.#fail(gate, this.#cannotWrite(e, `write down what ${gate.id} judged`), 0);
    }
    this.#gates.push({ id: gate.id, stage: gate.stage, passed: judgement.passed, verdicts, advice: judgement.advice });
    this.#note(gate, judgement.passed ? "passed" : "refused", { summary: judgement.summary });
    events.emit({
      type: "gate-judged",
      node: gate.id,
      title: gate.title,
      stage: gate.stage,
      passed: judgement.passed,
      verdicts,
      advice: [...judgement.advice],
    });
    return judgement.passed ? "good" : "bad";
  }

  #cannotWrite(e: unknown, what: string): Failure {
    const failure = fsFailure(e, what);
    if (failure === undefined) throw e;
    return failure;
  }

  #fail(stage: NodeDefinition, failure: Failure, seconds: number, logFile = ""): "bad" {
    const interrupted = failure.exit === EXIT.interrupted;
    if (!interrupted) this.#firstFailure ??= failure;
    this.#note(stage, interrupted ? "interrupted" : "failed", { seconds, summary: failure.message, failure });
    const log = logFile === "" ? "" : relative(this.#p.projectRoot, logFile);
    this.#p.events.emit({ type: "stage-failed", node: stage.id, title: stage.title, seconds, interrupted, failure: eventFailure(failure), logFile: log });
    return "bad";
  }

  #forward(node: string, event: StageEvent): void {
    const { events } = this.#p;
    if (event.type === "progress") events.emit({ ...event, type: "stage-progress", node });
    else if (event.type === "metric") events.emit({ ...event, type: "stage-metric", node });
    else events.emit({ ...event, type: "stage-log", node });
  }

  #exit(nodes: readonly NodeOutcome[]): ExitCode {
    if (this.#p.signal.aborted && nodes.some((n) => n.status === "interrupted" || n.status === "skipped")) return EXIT.interrupted;
    if (this.#firstFailure !== undefined) return this.#firstFailure.exit;
    return this.#gates.every((g) => g.passed) ? EXIT.ok : EXIT.gate;
  }

  #inputs(node: NodeDefinition): Record<string, RecordInput> {
    const out: Record<string, RecordInput> = {};
    for (const [name, { stage, output }] of Object.entries(node.inputs)) {
      const digest = this.#records.get(stage)?.outputs[output]?.digest;
      if (digest === undefined) throw new Error(`${node.id} was reached before ${stage}/${output} was there`);
      out[name] = { stage, output, digest };
    }
    return out;
  }

  #note(node: NodeDefinition, status: NodeStatus, rest: Partial<NodeOutcome>): void {
    this.#outcomes.set(node.id, { id: node.id, kind: node.kind, title: node.title, status, seconds: 0, summary: "", figures: {}, outputs: {}, ...rest });
  }

  #paths(record: StageRecord): Record<string, string> {
    return Object.fromEntries(Object.entries(record.outputs).map(([name, o]) => [name, this.#p.known.store.contentPath(o.digest)]));
  }

  #lastOutputs(node: NodeDefinition): string | undefined {
    const record = this.#lastRecord(node);
    return record && outputDigests(record);
  }

  #lastRecord(node: NodeDefinition): StageRecord | undefined {
    const print: Digest | undefined = this.#p.known.state.stage(node.id);
    return print && this.#p.known.store.readRecord(print);
  }

  #node(id: string): NodeDefinition {
    const node = this.#p.graph.byId.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }
}

const notCurrent = (id: string, reasons: readonly string[]): Failure => ({
  code: "engine/not-current",
  message: `${id} would have to run first: ${reasons.join("; ")}`,
  hint: "without --only, `forge apply` runs it too",
  exit: EXIT.usage,
});

const outputDigests = (record: StageRecord): string => canonicalJson(Object.fromEntries(Object.entries(record.outputs).map(([name, o]) => [name, o.digest])));

function eventFailure({ code, message, hint, details, exit }: Failure): EventFailure {
  return { code, message, ...(hint !== undefined && { hint }), ...(details !== undefined && { details }), exit };
}
