/**
 * Requests by OpenAI's Batch API: a file of them is handed over, answered within a day for half the price, and fetched. A batch is entered before it
 * begins (batches.ts), so that a run that was stopped or killed goes on waiting for it; what arrived is kept before anything else happens.
 * What a batch leaves unanswered goes into another, three times at most. What is under way counts at its worst until it is here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type OpenAI from "openai";
import { EXIT } from "../../platform/exit.ts";
import { safeText } from "../../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { Batch, Batches } from "./batches.ts";
import type { Budget } from "./budget.ts";
import { INTERRUPTED, overBudget } from "./failures.ts";
import type { Reply } from "./replies.ts";
import { NoAnswer, RETRIES, type Request, replyOf, type Wire, waitFor } from "./wire.ts";

/** Requests of one batch: far below OpenAI's 50,000, so that a first part arrives early; and bytes of its file, of 200 MB. */
const MOST_REQUESTS = 2000;
const MOST_BYTES = 100 << 20;
/** Milliseconds before a batch is first looked at, and between two looks in the end. */
const POLL_MS = 5_000;
const LONGEST_POLL_MS = 60_000;
/** Milliseconds after which a batch is given up that was promised within a day. */
const MOST_MS = 27 * 3_600_000;
/** Share of what is left to ask for below which no further batch is begun with what is left of a budget. */
const WORTHWHILE = 0.1;
/** Batches of the account that are searched for one whose id was lost. */
const SEARCHED = 1000;

export interface BatchOptions {
  readonly wire: Wire;
  readonly batches: Batches;
  readonly budget: Budget;
  /** Whether requests that are missing may begin a new batch. */
  readonly begin: boolean;
  /** US dollars that a request may cost in a batch, and those with which its answer is of use. */
  worst(request: Request): number;
  room(name: string, request: Request): number;
  /** US dollars that have to be left. */
  readonly promised: number;
  /** What a reply cost that a batch brought and that is kept already; undefined where none is. */
  paid(name: string): number | undefined;
  /** Enters what a reply cost and gives it; keeps the reply, unless there is one. */
  keep(name: string, reply: Reply): Promise<number>;
  /** Marks of batches that are counted in the budget already, by this process. */
  readonly counted: Set<string>;
  readonly signal?: AbortSignal | undefined;
  readonly say?: ((message: string) => void) | undefined;
  readonly pollMs?: number | undefined;
}

/**
 * Fetches what earlier batches bring and, where new ones may begin, has every request answered and kept. What was kept is taken out of `missing`.
 * Throws what the SDK and the file system throw.
 */
export async function fetchByBatch(missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  for (const batch of o.batches.open()) {
    const done = await resume(batch, missing, o);
    if (!done.ok) return done;
  }
  for (let round = 0; o.begin && missing.size > 0; round++) {
    if (round > RETRIES) return err(leftOver(missing.size));
    for (const part of partsOf([...missing], o.wire)) {
      for (let rest = part, first = true; rest.length > 0; first = false) {
        const now = fitting(rest, o);
        // What is left over of a budget is not worth another day's wait.
        if (now.length === 0 || (!first && now.length < rest.length * WORTHWHILE)) return err(overBudget(o.budget, o.worst((rest[0] as Named)[1])));
        const done = await fetched(now, missing, o);
        if (!done.ok) return done;
        rest = rest.slice(now.length);
      }
    }
  }
  return ok(undefined);
}

type Named = readonly [name: string, request: Request];

/** The first requests that the budget has room for, with what follows on them. */
function fitting(requests: readonly Named[], o: BatchOptions): readonly Named[] {
  let left = o.budget.left - o.promised;
  const at = requests.findIndex(([name, request]) => {
    left -= o.room(name, request);
    return left < 0;
  });
  return at < 0 ? requests : requests.slice(0, at);
}

/** Goes on with a batch of an earlier run. One that this run wants nothing of, or that may begin none, is not waited for. */
async function resume(batch: Batch, missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  if (batch.where !== o.wire.address) return ok(undefined);
  const paid = batch.asked.reduce((sum, name) => sum + (o.paid(name) ?? 0), 0);
  const open = { ...batch, worst: Math.max(0, batch.worst - paid) };
  if (!o.counted.has(batch.mark)) o.budget.assume(open.worst);
  o.counted.add(batch.mark);
  let { id } = batch;
  if (id === undefined) {
    id = await searched(batch.mark, o);
    if (id === undefined) return gone(open, o);
    await o.batches.began(batch, id);
  }
  const wanted = batch.asked.some((name) => missing.has(name));
  let now: State;
  try {
    now = await looked(id, o);
  } catch (e) {
    if ((e as { status?: unknown }).status !== 404) throw e;
    o.say?.(`batch ${safeText(id, 80)} of an earlier run is not there any more`);
    return gone(open, o);
  }
  if (!ENDED.has(now.status) && !(wanted && o.begin)) {
    if (wanted)
      o.say?.(`batch ${safeText(id, 80)} of an earlier run goes on at the teacher's and will cost beside what is asked now; \`batch: true\` waits for it`);
    return ok(undefined);
  }
  o.say?.(`batch ${safeText(id, 80)} is of an earlier run`);
  const done = await collect(open, id, missing, o);
  return done.ok || wanted ? done : ok(undefined);
}

/** Takes a batch out of the books that never began, or is not there any more. */
async function gone(batch: Batch, o: BatchOptions): Promise<Result<void>> {
  await o.batches.ended(batch);
  o.budget.correct(batch.worst, 0);
  return ok(undefined);
}

/** The id of the batch that carries this mark. */
async function searched(mark: string, o: BatchOptions): Promise<string | undefined> {
  const client = await o.wire.client();
  let seen = 0;
  for await (const found of await patiently(o, () => client.batches.list({ limit: 100 }))) {
    if (found?.metadata?.forge === mark && typeof found.id === "string") return found.id;
    if (++seen === SEARCHED) break;
  }
  return undefined;
}

/** Hands a part over and waits for it. */
async function fetched(part: readonly Named[], missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  const worst = part.reduce((sum, [, request]) => sum + o.worst(request), 0);
  if (!(await o.budget.reserve(worst))) return err(overBudget(o.budget, worst));
  // From here on it counts as spent, until it is known what it did cost.
  o.budget.settle(worst, worst, false);
  const never = (): void => o.budget.correct(worst, 0);
  const client = await o.wire.client();
  let batch: Batch | undefined;
  let id: string;
  try {
    const text = part.map((p) => line(p, o.wire)).join("");
    if (o.signal?.aborted) throw new Interrupted();
    const file = await patiently(o, () => client.files.create({ file: new File([text], "requests.jsonl"), purpose: "batch" }));
    if (o.signal?.aborted) throw new Interrupted();
    batch = await o.batches.enter(
      part.map(([name]) => name),
      worst,
      o.wire.address,
    );
    o.counted.add(batch.mark);
    const begun = await client.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
      metadata: { forge: batch.mark },
    });
    if (typeof begun?.id !== "string") throw new NoAnswer();
    id = begun.id;
  } catch (e) {
    // Refused: it never began. Otherwise nobody knows, and the next run looks for it.
    const { status } = e as { status?: unknown };
    const refusedIt = typeof status === "number" && status >= 400 && status < 500 && status !== 408 && status !== 409;
    if (batch === undefined) never();
    else if (refusedIt) await gone(batch, o);
    if (e instanceof Interrupted) return err(INTERRUPTED);
    throw e;
  }
  await o.batches.began(batch, id);
  o.say?.(`batch ${safeText(id, 80)}: ${part.length} requests, answered within 24 hours; when interrupted, run the same again to fetch them`);
  return collect(batch, id, missing, o);
}

class Interrupted extends Error {}

/** States after which nothing more comes, and those before. */
const ENDED: ReadonlySet<string> = new Set(["completed", "expired", "cancelled", "failed"]);
const UNDERWAY: ReadonlySet<string> = new Set(["validating", "in_progress", "finalizing", "cancelling"]);

type State = OpenAI.Batches.Batch;

/** How a batch stands. What is no state of a batch is no answer. */
async function looked(id: string, o: BatchOptions): Promise<State> {
  const client = await o.wire.client();
  const now = await patiently(o, () => client.batches.retrieve(id));
  if (typeof now !== "object" || now === null || !(ENDED.has(now.status) || UNDERWAY.has(now.status))) throw new NoAnswer();
  return now;
}

/** Waits for a batch and keeps what it brings. */
async function collect(batch: Batch, id: string, missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  const began = Date.now();
  let told = -1;
  for (let wait = o.pollMs ?? POLL_MS; ; wait = Math.min(wait * 1.5, LONGEST_POLL_MS)) {
    const now = await looked(id, o);
    const answered = Number(now.request_counts?.completed ?? 0);
    if (answered !== told) o.say?.(`batch ${safeText(id, 80)}: ${answered} of ${batch.asked.length} answered`);
    told = answered;
    if (ENDED.has(now.status)) return close(batch, now, missing, o);
    if (Date.now() - began > MOST_MS) return err(tooLong(id));
    if (!o.signal?.aborted) await sleep(wait, undefined, o.signal === undefined ? {} : { signal: o.signal }).catch(() => undefined);
    if (o.signal?.aborted) return err(GOES_ON);
  }
}

/** Keeps what a batch brought, and takes it out of the books. */
async function close(batch: Batch, now: State, missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  let cost = 0;
  for (const [name, reply] of repliesIn(await fileOf(now.output_file_id, o), batch, missing)) {
    if (o.paid(name) === undefined) cost += await o.keep(name, reply);
    missing.delete(name);
  }
  const errors = now.status === "completed" ? await fileOf(now.error_file_id, o) : "";
  await o.batches.ended(batch);
  o.budget.correct(batch.worst, cost);
  if (now.status === "failed") return err(refused(now.errors?.data?.[0]));
  if (now.status === "cancelled") return err(CANCELLED);
  const hopeless = hopelessIn(errors);
  return hopeless === undefined || !batch.asked.some((name) => missing.has(name)) ? ok(undefined) : err(refused(hopeless));
}

/** A file's text; empty where there is none, or none any more. */
async function fileOf(id: unknown, o: BatchOptions): Promise<string> {
  if (typeof id !== "string" || id === "") return "";
  const client = await o.wire.client();
  try {
    return await patiently(o, async () => (await client.files.content(id)).text());
  } catch (e) {
    if ((e as { status?: unknown }).status === 404) return "";
    throw e;
  }
}

interface ResultLine {
  readonly custom_id?: unknown;
  readonly response?: { readonly status_code?: unknown; readonly body?: unknown } | null;
}

/** A line is a stranger's text: what is no record is left out. */
function* linesOf(text: string): Generator<ResultLine> {
  for (const each of text.split("\n")) {
    try {
      const read: unknown = JSON.parse(each);
      if (typeof read === "object" && read !== null) yield read;
    } catch {
      // Empty, or no JSON.
    }
  }
}

/** The replies in a batch's result, of those that were asked for. */
function* repliesIn(text: string, { asked }: Batch, missing: ReadonlyMap<string, Request>): Generator<[string, Reply]> {
  const names = new Set(asked);
  for (const { custom_id: name, response } of linesOf(text)) {
    if (typeof name !== "string" || !names.has(name) || response?.status_code !== 200) continue;
    const reply = replyOf(response.body as Parameters<typeof replyOf>[0], missing.get(name));
    if (reply !== undefined) yield [name, { ...reply, batch: true }];
  }
}

/** Why a request was refused that would be refused again. */
function hopelessIn(text: string): BatchError | undefined {
  for (const { response } of linesOf(text)) {
    const status = response?.status_code;
    if (typeof status !== "number" || status < 400 || status >= 500 || [408, 409, 429].includes(status)) continue;
    return ((response?.body ?? {}) as { error?: BatchError }).error ?? {};
  }
  return undefined;
}

const line = ([name, request]: readonly [string, Request], wire: Wire): string =>
  `${JSON.stringify({ custom_id: name, method: "POST", url: "/v1/chat/completions", body: wire.body(request) })}\n`;

/** Requests in parts that one batch may hold. */
function* partsOf(requests: readonly (readonly [string, Request])[], wire: Wire): Generator<(readonly [string, Request])[]> {
  let part: (readonly [string, Request])[] = [];
  let size = 0;
  for (const one of requests) {
    const bytes = Buffer.byteLength(line(one, wire));
    if (part.length > 0 && (part.length === MOST_REQUESTS || size + bytes > MOST_BYTES)) {
      yield part;
      part = [];
      size = 0;
    }
    part.push(one);
    size += bytes;
  }
  if (part.length > 0) yield part;
}

/** Asks again where that may help: looking at a batch begins nothing and costs nothing. */
async function patiently<T>(o: BatchOptions, ask: () => PromiseLike<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (e) {
      const wait = attempt < RETRIES && o.signal?.aborted !== true ? waitFor(e, (o.pollMs ?? POLL_MS) * 2 ** attempt) : undefined;
      if (wait === undefined) throw e;
      await sleep(wait, undefined, o.signal === undefined ? {} : { signal: o.signal }).catch(() => undefined);
    }
  }
}

const GOES_ON: Failure = {
  code: "teacher/interrupted",
  message: "generation was interrupted; the batch goes on at the teacher's",
  hint: "run the same again to fetch what it brings",
  exit: EXIT.interrupted,
};

const CANCELLED: Failure = {
  code: "teacher/batch",
  message: "the batch was cancelled at the teacher's",
  hint: "what it had brought by then is kept; run the same again to ask for the rest",
  exit: EXIT.failed,
};

interface BatchError {
  readonly code?: unknown;
  readonly message?: unknown;
}

const refused = (error: BatchError | undefined): Failure => ({
  code: "teacher/batch",
  message: "the teacher refuses the batch",
  hint:
    error?.code === "token_limit_exceeded"
      ? "the account has no room for so many tokens in batches: wait for those under way, or leave `data.teacher.batch` out"
      : "leave `data.teacher.batch` out, or use a model and a server with a Batch API",
  ...(typeof error?.message === "string" && { details: safeText(error.message, 500) }),
  exit: EXIT.failed,
});

const leftOver = (n: number): Failure => ({
  code: "teacher/batch",
  message: `${n} requests came back without an answer from ${RETRIES + 1} batches`,
  hint: "leave `data.teacher.batch` out to ask for them one by one; what was paid for is kept",
  exit: EXIT.failed,
});

const tooLong = (id: string): Failure => ({
  code: "teacher/batch",
  message: `batch ${safeText(id, 80)} has not ended after ${MOST_MS / 3_600_000} hours`,
  hint: "run the same again to go on waiting, or cancel it at the teacher's",
  exit: EXIT.failed,
});
