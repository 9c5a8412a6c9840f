/**
 * Fills a synthesis plan: drafts from the teacher, calls executed, samples checked, and what fails a check
 * dropped and drafted again until the plan is met, or the teacher may be asked no more: what was made by then is the data. A slot's sample depends on the slots before it only
 * (the later of two equal prompts gives way, and an error slot takes a failure of an earlier one's), so a longer plan keeps every sample of a shorter one. What may not be
 * on both sides, training and evaluation, and which side ranks first, says line.ts.
 */
import { EXIT } from "../platform/exit.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { caseOf, readableCase, type Served, sampleOf, toolName } from "./assemble.ts";
import { augmented } from "./augment.ts";
import { inventsNumbers } from "./checks/grounded-answer.ts";
import { AFTER_EXECUTION, BEFORE_EXECUTION, type CheckFailure, sampleChecker } from "./checks/index.ts";
import { discover, NOTHING_KNOWN } from "./discover.ts";
import { type Call, Executor } from "./execute.ts";
import { KeptFailures } from "./kept-failures.ts";
import { type Line, lineFor, type SplitTeacher } from "./line.ts";
import { NearIndex } from "./similarity.ts";
import { promptKey } from "./split.ts";
import { builtinTeacher } from "./teacher/builtin/index.ts";
import {
  type AnswerRequest,
  callsOf,
  type Draft,
  type DraftCall,
  type Exchange,
  isHeldout,
  NOT_ASKED,
  type Teacher,
  type ThinkRequest,
} from "./teacher/teacher.ts";
import type { CallOutcome, EvaluationCase, GenerateInput, Generation, GenerationStatistics, RefusedConversation, Sample, Slot } from "./types.ts";

/** Attempts at a slot before it counts as short. */
const ATTEMPTS = 24;
/** An attempt that gave nothing at all counts for so many: the teacher has drawn often already. */
const COST_OF_NOTHING = 8;
/** Distinct calls that one tool server is sent. */
const CALLS_PER_SERVER = 2000;
/** Attempts after which a real failure is put up with by simulating the result: the tool may refuse everything the teacher can invent. */
const EXECUTE_ATTEMPTS = 6;
/** Reason of slots that a teacher with a budget was not asked for, or whose answers it was not. */
export const BUDGET_ENDED = "the teacher's budget has ended";

/** Fills every slot of the plan. Failures: `data/interrupted`, a tool server that died, and whatever `answerPlain` reports. */
export async function generate(input: GenerateInput, teacher?: SplitTeacher): Promise<Result<Generation>> {
  const executor = new Executor(input.session, input.toolset, {
    concurrency: input.concurrency ?? 8,
    perServer: input.callsPerServer ?? CALLS_PER_SERVER,
    ...(input.signal ? { signal: input.signal } : {}),
  });
  const factor = input.augment ?? 1;
  const known = teacher === undefined || factor > 1 ? await discover(input.toolset, executor) : NOTHING_KNOWN;
  const writer = teacher ?? builtinTeacher(input.toolset, input.seed, known);
  const varied = augmented(writer, {
    toolset: input.toolset,
    seed: input.seed,
    factor,
    ...(input.reword === true && { reword: true }),
    ...(input.languages !== undefined && { languages: input.languages }),
    slots: input.plan.train,
    known,
    accepted: (id) => run.accepted(id),
  });
  const run: Filling = new Filling(input, varied, executor, lineFor(teacher?.foreign, input.toolset));
  while (run.pending.size > 0) {
    if (input.signal?.aborted) return err(INTERRUPTED);
    const drafted = await run.draftPending();
    if (!drafted.ok) return drafted;
    await run.execute();
    // What was not executed any more has simulated results: nothing of it may be taken for the plan's.
    if (input.signal?.aborted) return err(INTERRUPTED);
    if (executor.failure !== undefined) return err(executor.failure);
    run.settle();
    if (run.pending.size > 0) continue;
    for (const answer of [() => run.answerPlain(), () => run.answerOutcomes(), () => run.thinkAloud()]) {
      const answered = await answer();
      if (!answered.ok) return answered;
    }
    run.dropUnfit();
    const measured = await run.dropTooLong();
    if (!measured.ok) return measured;
    run.dropNearDuplicates();
    if (run.pending.size === 0) run.askAgain();
  }
  return input.signal?.aborted ? err(INTERRUPTED) : ok(run.result());
}

const INTERRUPTED = { code: "data/interrupted", message: "generation was interrupted", exit: EXIT.interrupted } as const;

/** One slot's way through generation. */
interface Place {
  readonly slot: Slot;
  attempt: number;
  draft: Draft | null;
  served: Served[];
  plain: string | null;
  /** Whether the draft's own fault stands in for execution. */
  useFault: boolean;
  /** The whole sample, once it passed its checks. Made once: an answer may draw from the draft's own stream. */
  sample: Sample | null;
  /** The same of a held-out slot. */
  held: EvaluationCase | null;
  /** The conversation of somebody's own that it was given last, by its id. */
  brought: string | undefined;
  /** Whether the sample was measured, and the model's window holds it. */
  fits: boolean;
}

class Filling {
  readonly pending = new Set<number>();
  private readonly places: Place[];
  private readonly check: ReturnType<typeof sampleChecker>;
  private readonly checkWhole: ReturnType<typeof sampleChecker>;
  private readonly byId: ReadonlyMap<string, number>;
  /** Places that had to give way across the line and wait to be drafted again. */
  private readonly gaveWay: number[] = [];
  /** Places for which the teacher has to be asked and may not be, and how many there were when it was last tried. */
  private readonly unasked = new Set<number>();
  private lastUnasked = Number.POSITIVE_INFINITY;
  private readonly claims = new Map<string, number>();
  private readonly dropped: Record<string, number> = {};
  private readonly short: GenerationStatistics["short"] = [];
  private readonly refused: RefusedConversation[] = [];
  private readonly failures = new KeptFailures();
  private readonly fresh = new Set<number>();
  private generated = 0;
  private firstPassValid = 0;
  private reported = 0;

  constructor(
    private readonly input: GenerateInput,
    private readonly teacher: Teacher,
    private readonly executor: Executor,
    private readonly line: Line,
  ) {
    const { train, evaluation } = input.plan;
    const slots = line.heldoutFirst ? [...evaluation, ...train] : [...train, ...evaluation];
    this.places = slots.map((slot) => ({
      slot,
      attempt: 0,
      draft: null,
      served: [],
      plain: null,
      useFault: true,
      sample: null,
      held: null,
      brought: undefined,
      fits: false,
    }));
    for (const i of slots.keys()) this.pending.add(i);
    this.byId = new Map(slots.map((slot, i) => [slot.id, i]));
    this.check = sampleChecker(input.toolset, { checks: BEFORE_EXECUTION });
    this.checkWhole = sampleChecker(input.toolset, { checks: AFTER_EXECUTION, ...(input.thinking !== undefined && { thinking: input.thinking }) });
  }

  /** Drafts every pending slot, in order, until its draft passes the checks and its prompt is its own. */
  async draftPending(): Promise<Result<null>> {
    let todo = [...this.pending].sort((a, b) => a - b);
    this.pending.clear();
    while (todo.length > 0) {
      let written = this.places.length - todo.length;
      const again = new Set<number>();
      // In the order of the slots, whatever order they come in; each as soon as those before it are there.
      let considered = 0;
      const consider = (draft: Draft | null | "later" | typeof NOT_ASKED): void => {
        const i = todo[considered++] as number;
        const evicted = this.consider(i, draft);
        if (evicted === "again") again.add(i);
        else if (typeof evicted === "number") again.add(evicted);
        for (const late of this.gaveWay.splice(0)) again.add(late);
      };
      const waiting = new Map<number, Draft | null | typeof NOT_ASKED>();
      const drafts = await this.teacher.draft(
        todo.map((i) => ({ slot: this.at(i).slot, attempt: this.at(i).attempt, follows: this.follows(this.at(i).slot) })),
        (k, draft) => {
          this.input.onProgress?.(++written, this.places.length, "drafts");
          if (k === undefined || draft === undefined) return;
          waiting.set(k, draft);
          for (let next = waiting.get(considered); next !== undefined; next = waiting.get(considered)) {
            waiting.delete(considered);
            consider(next);
          }
        },
      );
      if (!drafts.ok) return drafts;
      while (considered < todo.length) consider(drafts.value[considered] ?? null);
      todo = [...again].sort((a, b) => a - b);
    }
    return ok(null);
  }

  /** About how many requests the teacher is sent for a draft that it has written: answers to real results, or moves to think about. */
  private follows(slot: Slot): number {
    const { scenario, kind, tool } = slot;
    const heldout = isHeldout(slot);
    const before = kind === "follow_up" || kind === "after_call" ? 1 : 0;
    const calls = before + (scenario === "no_tool" ? 0 : 1);
    // A call and what is said of it; only said where nothing is called.
    if (this.thinks() && !heldout) return 2 * calls + (scenario === "no_tool" ? 1 : 0);
    const real = this.teacher.answer !== undefined && tool !== null && this.input.session?.canExecute(tool) === true;
    return real ? (heldout || kind === "empty" || kind === "timeout" ? before : calls) : 0;
  }

  /** Tries the places again that the teacher could not be asked for: what it kept back for answers is free now. Until nothing more comes of it. */
  askAgain(): void {
    this.teacher.allServed?.();
    if (this.unasked.size === 0 || this.unasked.size >= this.lastUnasked) return;
    this.lastUnasked = this.unasked.size;
    for (const i of this.unasked) this.pending.add(i);
    this.unasked.clear();
  }

  /** The draft that a slot has now. */
  accepted(id: string): Draft | null {
    return this.places[this.byId.get(id) ?? -1]?.draft ?? null;
  }

  /** Takes a draft or refuses it; names the later slot that has to give way, if any. */
  private consider(i: number, draft: Draft | null | "later" | typeof NOT_ASKED): "again" | number | null {
    const place = this.at(i);
    if (draft === "later") return "again";
    if (draft === NOT_ASKED) {
      this.unasked.add(i);
      return null;
    }
    place.brought = draft?.brought;
    if (draft === null) {
      // A reply that is no conversation was written, and mostly paid for: it counts among what is generated.
      if (this.teacher.attempts?.(place.slot) !== undefined) {
        this.generated++;
        this.dropped.parse = (this.dropped.parse ?? 0) + 1;
      }
      return this.refuse(i, "no_draft");
    }
    const served = draft.exchanges.map((e) => placeholder(e));
    const sample = sampleOf(draft, served, toolName);
    this.generated++;
    const failure = this.check(sample);
    if (failure === null || !failure.check.gates) this.firstPassValid++;
    if (failure !== null && !forgiven(failure, draft)) return this.refuse(i, failure.check.name, failure.message);
    const badly = unsaid(draft);
    if (badly !== null) return this.refuse(i, "grounded");
    const candidate = { place: i, draft, served, late: place.attempt * 2 >= this.most(place.slot) };
    const across = this.line.refuses(candidate);
    if (across !== null) return this.refuse(i, across);
    const key = promptOf(draft);
    const holder = this.claims.get(key);
    if (holder !== undefined && holder < i) return this.refuse(i, "duplicate");
    this.claims.set(key, i);
    this.takes(place, draft);
    this.fresh.add(i);
    for (const late of this.line.takes(candidate)) {
      this.release(late);
      if (this.refuse(late, this.line.givesWay) === "again") this.gaveWay.push(late);
    }
    if (holder === undefined || this.at(holder).draft === null) return null;
    this.release(holder);
    return this.refuse(holder, "duplicate") === "again" ? holder : null;
  }

  private takes(place: Place, draft: Draft): void {
    place.draft = draft;
    place.served = [];
    place.plain = null;
    place.useFault = true;
    place.sample = null;
    place.held = null;
    place.fits = false;
  }

  /** Counts a drop and moves the slot to its next attempt; gives the slot up after the last one. @param message what is wrong, in a check's words */
  private refuse(i: number, reason: string, message?: string): "again" | null {
    const place = this.at(i);
    // Somebody's own conversation is drafted once: what is refused of it is said.
    if (place.brought !== undefined) this.refused.push({ id: place.brought, reason, ...(message !== undefined && { message }) });
    place.brought = undefined;
    if (reason !== "no_draft") this.dropped[reason] = (this.dropped[reason] ?? 0) + 1;
    place.attempt += reason === "no_draft" && this.teacher.attempts?.(place.slot) === undefined ? COST_OF_NOTHING : 1;
    if (place.attempt < this.most(place.slot)) return "again";
    this.short.push({ slot: place.slot.id, reason: reason === "no_draft" ? "the teacher found no wording that fits" : failedBy(reason) });
    return null;
  }

  /** Attempts at a slot. */
  private most(slot: Slot): number {
    return this.teacher.attempts?.(slot) ?? ATTEMPTS;
  }

  private release(i: number): void {
    const place = this.at(i);
    if (place.draft) {
      this.line.releases(i);
      const key = promptOf(place.draft);
      if (this.claims.get(key) === i) this.claims.delete(key);
    }
    place.draft = null;
    this.fresh.delete(i);
  }

  /** Executes the calls of new drafts. Faults of kind empty and timeout replace execution; error faults wait for a real failure first. */
  async execute(): Promise<void> {
    const lists = [...this.fresh].flatMap((i) => this.executable(this.at(i)));
    const inOrder = (calls: readonly Call[]): boolean => this.executor.inOrder(calls);
    await this.executor.run(lists.filter((calls) => !inOrder(calls)).flat());
    await this.executor.runInOrder(lists.filter(inOrder));
  }

  /** Not on a slot's last attempts: there a simulated result stands in for a tool that refuses everything. */
  private executes(place: Place): boolean {
    return place.attempt < Math.min(EXECUTE_ATTEMPTS, this.most(place.slot) - 1);
  }

  /** The calls of each exchange that is to be executed. */
  private executable(place: Place): Call[][] {
    if (!this.executes(place)) return [];
    return (place.draft?.exchanges ?? []).flatMap((e) =>
      e.kind === "call" && (e.fault === undefined || e.fault.kind === "error") ? [callsOf(e).map(asCall)] : [],
    );
  }

  /** Gives each new draft its outcomes; a real failure where none was wanted sends the slot back. */
  settle(): void {
    for (const i of [...this.fresh].sort((a, b) => a - b)) {
      const place = this.at(i);
      this.fresh.delete(i);
      if (!place.draft) continue;
      const served: Served[] = [];
      let failed = false;
      for (const e of place.draft.exchanges) {
        const s = this.serve(place, e);
        served.push(s);
        const badly = [s.outcome, ...(s.more ?? [])].some((o) => o !== undefined && (o.isError || o.timedOut));
        if (badly && place.slot.scenario !== "error" && place.slot.scenario !== "edge") failed = true;
      }
      if (failed) {
        this.failures.keep(i, place.draft, served);
        this.release(i);
        if (this.refuse(i, "execution_failed") === "again") this.pending.add(i);
        continue;
      }
      place.served = served;
      this.takeFailure(i, place);
    }
    this.progress();
  }

  /** A server's own error in place of one that was made up (kept-failures.ts). What somebody brought stays. */
  private takeFailure(i: number, place: Place): void {
    const { slot, draft } = place;
    const found = draft === null || !place.useFault ? undefined : this.failures.take(i, slot, draft);
    if (found === undefined) return;
    const taken = { ...found.draft, slot, attempt: place.attempt };
    const candidate = { place: i, draft: taken, served: taken.exchanges.map((e) => placeholder(e)), late: false };
    if (this.claims.has(promptOf(taken)) || this.line.refuses(candidate) !== null) return;
    this.release(i);
    this.claims.set(promptOf(taken), i);
    this.takes(place, taken);
    place.served = [{ outcome: found.outcome }];
    place.useFault = false;
    for (const late of this.line.takes(candidate)) {
      this.release(late);
      if (this.refuse(late, this.line.givesWay) === "again") this.pending.add(late);
    }
  }

  private serve(place: Place, e: Exchange): Served {
    if (e.kind !== "call") return {};
    const calls = callsOf(e).map(asCall);
    const known = (call: Call) => this.executor.outcome(call.name, call.args);
    const [real = null, ...others] = !this.executes(place) ? [] : this.executor.inOrder(calls) ? this.executor.outcomesInOrder(calls) : calls.map(known);
    if (e.fault) {
      if (e.fault.kind === "error" && real && (real.isError || real.timedOut)) {
        place.useFault = false;
        return { outcome: real };
      }
      return { outcome: { text: e.fault.text, isError: e.fault.isError, timedOut: e.fault.timedOut }, simulated: true };
    }
    const further = e.more ?? [];
    const simulated = real === null || further.some((_, k) => (others[k] ?? null) === null);
    const more = further.map((m, k) => others[k] ?? m.simulate());
    return { outcome: real ?? e.simulate(), ...(more.length > 0 && { more }), ...(simulated && { simulated }) };
  }

  /** Asks the base model for the answers that only it may give. A blank answer sends the slot back. */
  async answerPlain(): Promise<Result<null>> {
    const asked: { i: number; text: string }[] = [];
    // A teacher that thinks answers them itself: its thought and the base model's words would not belong together.
    if (this.thinks()) return ok(null);
    for (const [i, p] of this.places.entries()) {
      if (!p.draft || isHeldout(p.slot) || p.plain !== null) continue;
      const e = p.draft.exchanges.find((x) => x.kind === "plain");
      if (e) asked.push({ i, text: e.user });
    }
    if (asked.length === 0) return ok(null);
    const answers = await this.input.answerPlain(asked.map((a) => a.text));
    if (!answers.ok) return answers;
    for (const [k, a] of asked.entries()) {
      const answer = (answers.value[k] ?? "").trim();
      if (answer !== "") this.at(a.i).plain = answer;
      else {
        this.release(a.i);
        if (this.refuse(a.i, "blank_answer") === "again") this.pending.add(a.i);
      }
    }
    return ok(null);
  }

  /** Asks the teacher for the answers that its drafts left open until the outcome was known. A blank one sends the slot back. */
  async answerOutcomes(): Promise<Result<null>> {
    if (this.teacher.answer === undefined) return ok(null);
    const asked: { i: number; k: number; request: AnswerRequest }[] = [];
    for (const [i, p] of this.places.entries()) {
      for (const [k, e] of (p.draft?.exchanges ?? []).entries()) {
        const s = p.served[k];
        // Of a held-out case only what comes before its question is shown.
        const shown = !isHeldout(p.slot) || k < (p.draft?.focus ?? 0);
        if (e.kind !== "call" || !shown || !s?.outcome || s.answer !== undefined) continue;
        // Asked for once: an answer may draw from the draft's own stream.
        const own = e.answer(s.outcome, s.more ?? []);
        // What is shown is answered with its thought instead (thinkAloud); of a case's history nobody reads one.
        if (own === null && this.thinks() && !isHeldout(p.slot)) continue;
        const more = (e.more ?? []).map((m, n) => ({ call: m.call, outcome: s.more?.[n] as CallOutcome }));
        if (own !== null) p.served[k] = { ...s, answer: own };
        else asked.push({ i, k, request: { slot: p.slot, user: e.user, call: e.call, outcome: s.outcome, more } });
      }
    }
    if (asked.length === 0) return ok(null);
    const answers = await this.teacher.answer(asked.map((a) => a.request));
    if (!answers.ok) return answers;
    for (const [n, a] of asked.entries()) {
      const place = this.at(a.i);
      const said = answers.value[n];
      const answer = (said ?? "").trim();
      if (place.draft === null) continue;
      if (said === undefined) {
        this.release(a.i);
        this.unasked.add(a.i);
      } else if (answer !== "") place.served[a.k] = { ...(place.served[a.k] as Served), answer };
      else {
        this.release(a.i);
        if (this.refuse(a.i, "blank_answer") === "again") this.pending.add(a.i);
      }
    }
    return ok(null);
  }

  /** Whether the teacher is asked what it thinks. */
  private thinks(): boolean {
    return this.input.thinking === true && this.teacher.think !== undefined;
  }

  /**
   * Has the teacher make every move of the training samples itself, with its thought; exchange by exchange, as each follows on the answers before it.
   * A move that is another than the sample's sends the slot back.
   */
  async thinkAloud(): Promise<Result<null>> {
    const { think } = this.teacher;
    if (think === undefined || !this.thinks()) return ok(null);
    for (let k = 0; ; k++) {
      const asked: { i: number; request: ThinkRequest }[] = [];
      let more = false;
      for (const [i, p] of this.places.entries()) {
        if (!p.draft || isHeldout(p.slot) || p.draft.exchanges[k] === undefined) continue;
        more = true;
        if (p.served[k]?.thoughts === undefined) asked.push(...movesOf(p, p.draft, k).map((request) => ({ i, request })));
      }
      if (!more) return ok(null);
      if (asked.length === 0) continue;
      let thought = 0;
      const moves = await think(
        asked.map((a) => a.request),
        () => this.input.onProgress?.(++thought, asked.length, "thoughts"),
      );
      if (!moves.ok) return moves;
      const byPlace = new Map<number, (typeof moves.value)[number][]>();
      for (const [n, { i }] of asked.entries()) byPlace.set(i, [...(byPlace.get(i) ?? []), moves.value[n] ?? null]);
      for (const [i, made] of byPlace) {
        const place = this.at(i);
        if (made.includes(NOT_ASKED)) {
          this.release(i);
          this.unasked.add(i);
          continue;
        }
        if (made.every((m) => m !== null && m !== NOT_ASKED)) {
          const answer = made.at(-1)?.answer;
          place.served[k] = { ...place.served[k], thoughts: made.map((m) => m.thought), ...(answer !== undefined && { answer }) };
          continue;
        }
        this.release(i);
        if (this.refuse(i, "thought") === "again") this.pending.add(i);
      }
    }
  }

  /**
   * Sends back what only shows once the answers are there: an answer that its result does not bear out, a secret in what a tool gave back. A held-out
   * case is read as a whole too: it goes into a file, and a model is asked by it.
   */
  dropUnfit(): void {
    for (const [i, p] of this.places.entries()) {
      if (!p.draft || p.sample !== null || p.held !== null) continue;
      const whole = servedWhole(p, p.draft);
      const held = isHeldout(p.slot) ? caseOf(p.draft, whole, toolName, p.useFault) : null;
      const sample = held === null ? sampleOf(p.draft, whole, toolName) : readableCase(held);
      const failure = this.checkWhole(sample);
      const certain = failure !== null && !forgiven(failure, p.draft) ? failure : null;
      const invents = certain === null && held === null && this.teachersOwn(p.draft) && inventsNumbers(sample) !== null;
      if (certain === null && !invents) {
        if (held === null) p.sample = sample;
        else p.held = held;
        continue;
      }
      this.release(i);
      if (this.refuse(i, certain?.check.name ?? "grounded_answer", certain?.message) === "again") this.pending.add(i);
    }
  }

  /** Sends back what the model's window does not hold: no sample is ever cut short. */
  async dropTooLong(): Promise<Result<null>> {
    const { fits } = this.input;
    if (fits === undefined) return ok(null);
    const asked = [...this.places.entries()].flatMap(([i, p]) => (p.draft && p.sample !== null && !p.fits ? [{ i, place: p, sample: p.sample }] : []));
    const held = await fits(asked.map((a) => a.sample.messages));
    if (!held.ok) return held;
    for (const [k, { i, place }] of asked.entries()) {
      place.fits = held.value[k] === true;
      if (place.fits) continue;
      this.release(i);
      if (this.refuse(i, "too_long") === "again") this.pending.add(i);
    }
    return ok(null);
  }

  /** Whether a model wrote the answers: ours are made of the result, and what somebody brought is theirs to say. */
  private teachersOwn(draft: Draft): boolean {
    return this.teacher.answer !== undefined && draft.augmented !== true && draft.brought === undefined;
  }

  /** Sends back what is a near-duplicate of an earlier slot. */
  dropNearDuplicates(): void {
    const index = new NearIndex();
    for (const [i, p] of this.places.entries()) {
      if (!p.draft) continue;
      const key = promptOf(p.draft);
      if (index.find(key) >= 0) {
        this.release(i);
        if (this.refuse(i, "near_duplicate") === "again") this.pending.add(i);
      } else index.add(key);
    }
  }

  private progress(): void {
    const done = this.places.length - this.pending.size;
    if (done > this.reported) this.input.onProgress?.(done, this.places.length, "samples");
    this.reported = Math.max(this.reported, done);
  }

  result(): Generation {
    const train: Sample[] = [];
    const heldout: EvaluationCase[] = [];
    let simulated = 0;
    let injected = 0;
    for (const p of this.places) {
      if (!p.draft) continue;
      if (p.held !== null) heldout.push(p.held);
      else if (p.sample !== null) {
        train.push(p.sample);
        if (p.sample.simulated === true) simulated++;
        if (p.useFault && p.draft.exchanges.some((e) => e.kind === "call" && e.fault)) injected++;
      }
    }
    const { plan } = this.input;
    const short = [...this.short, ...[...this.unasked].sort((a, b) => a - b).map((i) => ({ slot: this.at(i).slot.id, reason: BUDGET_ENDED }))];
    const replies = this.teacher.replies?.();
    const statistics: GenerationStatistics = {
      version: 1,
      teacher: this.teacher.name,
      planned: plan.train.length,
      produced: train.length,
      heldout_planned: plan.evaluation.length,
      heldout_produced: heldout.length,
      generated: this.generated,
      first_pass_valid: this.firstPassValid,
      regenerated: this.places.filter((p) => p.attempt > 0).length,
      dropped: Object.fromEntries(Object.entries(this.dropped).sort(([a], [b]) => (a < b ? -1 : 1))),
      calls: { ...this.executor.counts, simulated, injected },
      short,
      ...(replies !== undefined && { replies }),
      warnings: [
        ...(short.length > 0 ? [`${short.length} of ${this.places.length} slots could not be filled`, ...this.remedies()] : []),
        ...this.executor.usedUp().map(({ server, calls }) => usedUp(server, calls, this.input.callsPerServer ?? CALLS_PER_SERVER)),
        ...valuesOnly(this.places.flatMap((p) => p.draft?.valuesOnly ?? [])),
      ],
    };
    return { train, heldout, statistics, refused: this.refused };
  }

  private remedies(): string[] {
    return Object.entries(this.line.remedies).flatMap(([reason, remedy]) => {
      const n = this.short.filter((s) => s.reason === failedBy(reason)).length;
      return n > 0 ? [`${n} of them: ${remedy}`] : [];
    });
  }

  private at(i: number): Place {
    return this.places[i] as Place;
  }
}

/** Whether a check's verdict is no reason to drop somebody's own conversation. */
const forgiven = ({ check }: CheckFailure, draft: Draft): boolean => check.ruleOfThumb === true && draft.brought !== undefined;

const usedUp = (server: string, calls: number, most: number): string =>
  `${server} was sent ${most.toLocaleString("en-US")} calls, the most that \`data.calls_per_server\` allows; ${calls.toLocaleString("en-US")} more were not made, and samples with them have made-up results (marked \`simulated\`): raise it to have them made`;

/** What is said of variations in languages that there is no pack for: how many, and in which. */
function valuesOnly(languages: readonly string[]): string[] {
  if (languages.length === 0) return [];
  const counts = new Map<string, number>();
  for (const name of languages) counts.set(name, (counts.get(name) ?? 0) + 1);
  const named = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([name, n]) => `${name} (${n.toLocaleString("en-US")})`);
  return [
    `variations of conversations in ${named.join(", ")} have other values and no other wording: there is no language pack to vary it with. Where all are in one language that has a pack, name it in \`data.augment.languages\``,
  ];
}

const failedBy = (reason: string): string => `every attempt failed: ${reason}`;

/** What each exchange came to, the base model's answers among it. */
const servedWhole = (p: Place, draft: Draft): Served[] => p.served.map((s, k) => (draft.exchanges[k]?.kind === "plain" ? { ...s, plain: p.plain ?? "" } : s));

/** The assistant's moves of a place's exchange, each with what comes before it. */
function movesOf(p: Place, draft: Draft, k: number): ThinkRequest[] {
  const { messages } = sampleOf({ ...draft, exchanges: draft.exchanges.slice(0, k + 1) }, servedWhole(p, draft), toolName);
  const from = messages.findLastIndex((m) => m.role === "user");
  const due = [...callsOf(draft.exchanges[k] as Exchange)];
  const moves = messages.flatMap((m, at) => (m.role === "assistant" ? [{ at, calls: m.tool_calls?.length ?? 0 }] : []));
  return moves.flatMap(({ at, calls }, move) =>
    at < from ? [] : [{ slot: p.slot, attempt: p.attempt, move, before: messages.slice(0, at), calls: due.splice(0, calls) }],
  );
}

/** The words of the user, as compared between samples. */
const promptOf = (draft: Draft): string => promptKey(draft.exchanges.map((e) => e.user).join(" / "));

const asCall = (c: DraftCall): Call => ({ name: c.name, args: c.arguments });

const NOTHING_YET: CallOutcome = { text: "{}", isError: false, timedOut: false };

/** Stands for an outcome while a draft is checked before anything was executed. */
const placeholder = (e: Exchange): Served =>
  e.kind === "call" ? { outcome: NOTHING_YET, more: (e.more ?? []).map(() => NOTHING_YET), answer: "-" } : e.kind === "plain" ? { plain: "-" } : {};

/** The first argument whose words are in no message of the user, or null. Teachers that cannot say which words stand for an argument are not judged. */
function unsaid(draft: Draft): string | null {
  let text = "";
  for (const e of draft.exchanges) {
    text += ` ${plainly(e.user)}`;
    for (const call of callsOf(e)) for (const [name, said] of Object.entries(call.said)) if (said !== "" && !text.includes(plainly(said))) return name;
  }
  return null;
}

/** Words as they are looked for: whatever their case, their white space, and how their accents are put together. */
const plainly = (text: string): string => text.normalize("NFC").toLowerCase().replace(/\s+/g, " ");
