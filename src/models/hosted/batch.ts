/**
 * Requests by OpenAI's Batch API: a file of them is handed over, answered within a day for half the price, and fetched. A batch is entered before it
 * begins (batches.ts), so that a run that was stopped or killed goes on waiting for it; what arrived is kept before anything else happens.
 * What a batch leaves unanswered goes into another, three times at most.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT } from "../../platform/exit.ts";
import type { JsonValue } from "../../platform/json.ts";
import { safeText } from "../../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { Batch, Batches } from "./batches.ts";
import type { Budget } from "./budget.ts";
import { INTERRUPTED, overBudget } from "./failures.ts";
import type { Reply } from "./replies.ts";
import { RETRIES, type Request, replyOf, type Wire, waitFor } from "./wire.ts";

/** Requests of one batch: far below OpenAI's 50,000, so that a first part arrives early; and bytes of its file, of 200 MB. */
const MOST_REQUESTS = 2000;
const MOST_BYTES = 100 << 20;
/** Milliseconds before a batch is first looked at, and between two looks in the end. */
const POLL_MS = 5_000;
const LONGEST_POLL_MS = 60_000;
/** Batches of the account that are searched for one whose id was lost. */
const SEARCHED = 100;

export interface BatchOptions {
  readonly wire: Wire;
  readonly batches: Batches;
  readonly budget: Budget;
  /** US dollars that a request may cost in a batch. */
  worst(request: Request): number;
  /** Whether a reply is kept already. */
  has(name: string): boolean;
  /** Keeps a reply; gives what it cost. */
  keep(name: string, reply: Reply): Promise<number>;
  readonly signal?: AbortSignal | undefined;
  readonly say?: ((message: string) => void) | undefined;
  readonly pollMs?: number | undefined;
}

/** Has every request answered and kept. Throws what the SDK and the file system throw. */
export async function fetchByBatch(missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  for (const batch of o.batches.open()) {
    const done = await resume(batch, missing, o);
    if (!done.ok) return done;
  }
  for (let round = 0; missing.size > 0; round++) {
    if (round > RETRIES) return err(leftOver(missing.size));
    for (const part of partsOf([...missing], o.wire)) {
      const worst = part.reduce((sum, [, request]) => sum + o.worst(request), 0);
      if (!(await o.budget.reserve(worst))) return err(overBudget(o.budget, worst));
      const batch = await o.batches.enter(
        part.map(([name]) => name),
        worst,
      );
      const done = await fetched(batch, part, missing, o);
      if (!done.ok) return done;
    }
  }
  return ok(undefined);
}

/** Goes on with a batch of an earlier run. */
async function resume(batch: Batch, missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  const client = await o.wire.client();
  let { id } = batch;
  if (id === undefined) {
    for (const found of (await patiently(o, () => client.batches.list({ limit: SEARCHED }))).data) if (found.metadata?.forge === batch.mark) id = found.id;
    // It never began.
    if (id === undefined) {
      await o.batches.ended(batch);
      return ok(undefined);
    }
    await o.batches.began(batch, id);
  }
  if (!(await o.budget.reserve(batch.worst))) return err(overBudget(o.budget, batch.worst));
  // One that this run wants nothing of is not waited for; what it may cost stays set aside.
  const wanted = batch.asked.some((name) => missing.has(name));
  if (!wanted && !ENDED.has((await patiently(o, () => client.batches.retrieve(id as string))).status)) return ok(undefined);
  o.say?.(`batch ${safeText(id, 80)} is of an earlier run`);
  return collect(batch, id, missing, o);
}

/** Hands a part over and waits for it. */
async function fetched(batch: Batch, part: readonly (readonly [string, Request])[], missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  const client = await o.wire.client();
  let id: string;
  try {
    if (o.signal?.aborted) {
      await o.batches.ended(batch);
      o.budget.settle(batch.worst, 0);
      return err(INTERRUPTED);
    }
    const file = await patiently(o, () =>
      client.files.create({ file: new File([part.map((p) => line(p, o.wire)).join("")], "requests.jsonl"), purpose: "batch" }),
    );
    const begun = await client.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
      metadata: { forge: batch.mark },
    });
    id = begun.id;
  } catch (e) {
    // Whether it began is not known where no answer came: then the next run looks for it.
    if (typeof (e as { status?: unknown }).status === "number") await o.batches.ended(batch);
    o.budget.settle(batch.worst, 0);
    throw e;
  }
  await o.batches.began(batch, id);
  o.say?.(`batch ${safeText(id, 80)}: ${part.length} requests, answered within 24 hours; when interrupted, run the same again to fetch them`);
  return collect(batch, id, missing, o);
}

/** States after which nothing more comes. */
const ENDED: ReadonlySet<string> = new Set(["completed", "expired", "cancelled"]);

/** Waits for a batch and keeps what it brings. */
async function collect(batch: Batch, id: string, missing: Map<string, Request>, o: BatchOptions): Promise<Result<void>> {
  const client = await o.wire.client();
  let cost = 0;
  try {
    let told = -1;
    for (let wait = o.pollMs ?? POLL_MS; ; wait = Math.min(wait * 1.5, LONGEST_POLL_MS)) {
      const now = await patiently(o, () => client.batches.retrieve(id));
      const answered = now.request_counts?.completed ?? 0;
      if (answered !== told) o.say?.(`batch ${safeText(id, 80)}: ${answered} of ${batch.asked.length} answered`);
      told = answered;
      if (now.status === "failed") {
        await o.batches.ended(batch);
        return err(refused(now.errors?.data?.[0]));
      }
      if (ENDED.has(now.status)) {
        if (typeof now.output_file_id === "string") {
          const file = now.output_file_id;
          const text = await patiently(o, async () => (await client.files.content(file)).text());
          for (const [name, reply] of repliesIn(text, batch, missing)) {
            if (!o.has(name)) cost += await o.keep(name, reply);
            missing.delete(name);
          }
        }
        await o.batches.ended(batch);
        return ok(undefined);
      }
      if (o.signal?.aborted) return err(GOES_ON);
      await sleep(wait, undefined, o.signal === undefined ? {} : { signal: o.signal }).catch(() => undefined);
      if (o.signal?.aborted) return err(GOES_ON);
    }
  } finally {
    o.budget.settle(batch.worst, cost);
  }
}

/** The replies in a batch's result, of those that were asked for. A line is a stranger's text: what has not the form is left out. */
function* repliesIn(text: string, { asked }: Batch, missing: ReadonlyMap<string, Request>): Generator<[string, Reply]> {
  const names = new Set(asked);
  for (const each of text.split("\n")) {
    let read: unknown;
    try {
      read = JSON.parse(each);
    } catch {
      continue;
    }
    const { custom_id: name, response } = (read ?? {}) as { custom_id?: unknown; response?: { status_code?: unknown; body?: JsonValue } | null };
    if (typeof name !== "string" || !names.has(name) || response?.status_code !== 200) continue;
    const reply = replyOf(response.body as Parameters<typeof replyOf>[0], missing.get(name));
    if (reply !== undefined) yield [name, { ...reply, batch: true }];
  }
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

const refused = (error: { readonly code?: string; readonly message?: string } | undefined): Failure => ({
  code: "teacher/batch",
  message: "the teacher refuses the batch",
  hint:
    error?.code === "token_limit_exceeded"
      ? "the account has no room for so many tokens in batches: wait for those under way, or leave `data.teacher.batch` out"
      : "leave `data.teacher.batch` out, or use a model and a server with a Batch API",
  ...(error?.message !== undefined && { details: safeText(error.message, 500) }),
  exit: EXIT.failed,
});

const leftOver = (n: number): Failure => ({
  code: "teacher/batch",
  message: `${n} requests came back without an answer from ${RETRIES + 1} batches`,
  hint: "leave `data.teacher.batch` out to ask for them one by one; what was paid for is kept",
  exit: EXIT.failed,
});
