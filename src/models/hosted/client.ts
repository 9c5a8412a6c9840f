/**
 * A hosted chat model behind OpenAI's interface: many requests at once, each answered by JSON of a given schema.
 *
 * Guarantees: a reply is on disk before anything else happens to it, and what was asked before costs nothing
 * (replies.ts); all that was ever paid stays within the budget (ledger.ts, budget.ts), a request that timed out counted at its worst; requests
 * keep to the limits a minute (pace.ts); failed ones are tried three times more, as `Retry-After` says. An interrupted run starts no
 * request and gives those on their way some seconds to arrive. What is no answer of this interface is an error, and is not
 * kept. The key goes to the one address, never through a redirect, and is redacted everywhere.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type OpenAI from "openai";
import { EXIT } from "../../platform/exit.ts";
import { fsFailure } from "../../platform/fs.ts";
import type { JsonObject } from "../../platform/json.ts";
import { BadProxyError, proxiedFetch } from "../../platform/proxied-fetch.ts";
import { registerSecret, safeText } from "../../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { Budget } from "./budget.ts";
import { Ledger } from "./ledger.ts";
import { type Limits, Pace } from "./pace.ts";
import { costOf, type Price } from "./prices.ts";
import { Replies, type Reply } from "./replies.ts";

/** Requests on their way at once. */
const IN_FLIGHT = 16;
/** The reference's retries of a failed request. */
const RETRIES = 3;
/** Milliseconds before the first of them, doubled for each; and the longest wait that `Retry-After` gets. */
const RETRY_MS = 500;
const LONGEST_WAIT_MS = 60_000;
/** Milliseconds that one request may take. */
const TIMEOUT_MS = 120_000;
/** Milliseconds that requests on their way get to arrive once the run is interrupted. */
const GRACE_MS = 7_000;
/** Longest body that is read. */
const MOST_BYTES = 8 << 20;
/** Tokens of a message's frame, at most. */
const FRAME_TOKENS = 16;

export interface HostedOptions extends Limits {
  /** Undefined: OpenAI's own address. */
  readonly baseUrl?: string;
  /** Undefined: the server wants none. */
  readonly key?: string;
  /** Name of the environment variable that the key came from, for messages. */
  readonly keyName: string;
  readonly model: string;
  readonly temperature: number;
  /** Undefined: the model costs nothing that can be counted. */
  readonly price?: Price;
  readonly budgetUsd?: number;
  /** Folder of the replies that were paid for. */
  readonly repliesFolder: string;
  /** File of what was paid. */
  readonly ledger: string;
  readonly signal?: AbortSignal;
  /** Default 16. */
  readonly inFlight?: number;
  /** Milliseconds that a request may take (default 120,000), and before the first retry (500). */
  readonly timeoutMs?: number;
  readonly retryMs?: number;
}

export interface Request {
  readonly system: string;
  readonly user: string;
  /** Name and JSON schema of the reply, in the strict form of OpenAI's structured outputs. */
  readonly reply: { readonly name: string; readonly schema: JsonObject };
  /** Most tokens of the reply. */
  readonly maxTokens: number;
  /** Tells requests with the same words apart. */
  readonly seed: number;
}

/** What the requests of a run came to, those included whose replies were kept from earlier ones. */
export interface Spending {
  readonly requests: number;
  /** Of them, answered from disk. */
  readonly kept: number;
  readonly input: number;
  readonly output: number;
  /** US dollars that these replies cost, whenever they were paid; null where the price is not known. */
  readonly usd: number | null;
}

export class HostedModel {
  private readonly replies: Replies;
  private readonly ledger: Ledger;
  private budget: Budget | undefined;
  private readonly pace: Pace;
  private readonly counted = { requests: 0, kept: 0, input: 0, output: 0 };
  private client: OpenAI | undefined;

  constructor(private readonly o: HostedOptions) {
    if (o.key !== undefined) registerSecret(o.key);
    this.replies = new Replies(o.repliesFolder);
    this.ledger = new Ledger(o.ledger);
    this.pace = new Pace(o);
  }

  /** Replies in the order of the requests. The first failure ends the rest; what arrived until then is kept. */
  async ask(requests: readonly Request[], onReply?: () => void): Promise<Result<Reply[]>> {
    try {
      this.budget ??= new Budget(this.o.budgetUsd, this.o.budgetUsd === undefined ? 0 : this.ledger.paid());
    } catch (e) {
      const failure = fsFailure(e, "read what the teacher has cost");
      if (failure === undefined) throw e;
      return err(failure);
    }
    const { budget } = this;
    const found: (Reply | undefined)[] = [];
    let failure: Failure | undefined;
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < requests.length && failure === undefined) {
        const i = next++;
        const reply = await this.one(requests[i] as Request, budget);
        if (reply.ok) found[i] = reply.value;
        else failure ??= reply.error;
        onReply?.();
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.o.inFlight ?? IN_FLIGHT, requests.length) }, lane));
    return failure === undefined ? ok(found as Reply[]) : err(failure);
  }

  spending(): Spending {
    return { ...this.counted, usd: this.o.price === undefined ? null : costOf(this.o.price, this.counted) };
  }

  private async one(request: Request, budget: Budget): Promise<Result<Reply>> {
    const { model, temperature, price, baseUrl, signal } = this.o;
    const asked = { baseUrl: baseUrl ?? null, model, temperature, ...request };
    const kept = this.replies.find(asked);
    if (kept !== undefined) return ok(this.count(kept, true));
    // A token is at least one byte.
    const most = Buffer.byteLength(request.system + request.user + JSON.stringify(request.reply.schema)) + 3 * FRAME_TOKENS;
    const worst = price === undefined ? 0 : costOf(price, { input: most, output: request.maxTokens });
    for (let attempt = 0; ; attempt++) {
      if (!(await budget.reserve(worst))) return err(overBudget(budget, worst));
      let cost = 0;
      try {
        await this.pace.turn(Math.ceil(most / 4) + request.maxTokens / 2, signal);
        if (signal?.aborted) return err(INTERRUPTED);
        const reply = await this.send(request, most).catch((e: unknown) => {
          // Nobody knows what a request costs that was cut off.
          if (isCutOff(e)) cost = worst;
          throw e;
        });
        cost = this.cost(reply);
        if (cost > 0) await this.ledger.enter(cost);
        await this.replies.keep(asked, reply);
        return ok(this.count(reply, false));
      } catch (e) {
        if (isCutOff(e) && cost > 0) await this.ledger.enter(cost).catch(() => undefined);
        if (signal?.aborted) return err(INTERRUPTED);
        const wait = attempt < RETRIES ? waitFor(e, (this.o.retryMs ?? RETRY_MS) * 2 ** attempt) : undefined;
        if (wait === undefined) {
          const failure = fsFailure(e, "keep a reply of the teacher") ?? this.failureOf(e);
          if (failure === undefined) throw e;
          return err(failure);
        }
        await sleep(wait, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      } finally {
        budget.settle(worst, cost);
      }
    }
  }

  private async send(request: Request, most: number): Promise<Reply> {
    const { default: OpenAIClient } = await import("openai");
    this.client ??= new OpenAIClient({
      // The SDK wants one.
      apiKey: this.o.key ?? "none",
      baseURL: this.o.baseUrl ?? "https://api.openai.com/v1",
      // From the environment by default: nothing but the key goes along.
      organization: null,
      project: null,
      maxRetries: 0,
      timeout: this.o.timeoutMs ?? TIMEOUT_MS,
      logLevel: "off",
      fetch: boundedFetch,
    });
    const late = lateSignal(this.o.signal);
    try {
      const answer = await this.client.chat.completions.create(
        {
          model: this.o.model,
          temperature: this.o.temperature,
          seed: request.seed,
          // OpenAI's newer models know only the first name, most other servers only the second.
          [this.o.baseUrl === undefined ? "max_completion_tokens" : "max_tokens"]: request.maxTokens,
          messages: [
            { role: "system", content: request.system },
            { role: "user", content: request.user },
          ],
          response_format: {
            type: "json_schema",
            json_schema: { name: request.reply.name, schema: request.reply.schema as Record<string, unknown>, strict: true },
          },
        },
        { signal: late.signal },
      );
      const reply = replyOf(answer, { input: most, output: request.maxTokens });
      if (reply === undefined) throw new NoAnswer();
      return reply;
    } finally {
      late.done();
    }
  }

  private cost = (reply: Reply): number => (this.o.price === undefined ? 0 : costOf(this.o.price, reply));

  private count(reply: Reply, kept: boolean): Reply {
    this.counted.requests++;
    if (kept) this.counted.kept++;
    this.counted.input += reply.input;
    this.counted.output += reply.output;
    return reply;
  }

  /** What the SDK throws, in the user's words; undefined for a bug. */
  private failureOf(e: unknown): Failure | undefined {
    if (!(e instanceof Error)) return undefined;
    if (e.cause instanceof BadProxyError) return proxyFailure(e.cause);
    const { status, code } = e as Error & { status?: number; code?: string | null };
    const where = this.o.baseUrl ?? "api.openai.com";
    const details = safeText(e.message, 500);
    const failure = (id: string, message: string, hint: string, exit: Failure["exit"] = EXIT.environment): Failure => ({
      code: `teacher/${id}`,
      message,
      hint,
      details,
      exit,
    });
    if (status === 401 || status === 403)
      return failure("key", `${where} refuses the key in ${this.o.keyName}`, `set ${this.o.keyName} to a key that may use \`${this.o.model}\``);
    if (status === 404)
      return failure(
        "model",
        `${where} knows no model \`${this.o.model}\``,
        "correct `data.teacher.model`, or `base_url` (it usually ends in /v1)",
        EXIT.usage,
      );
    if (status === 429)
      return code === "insufficient_quota"
        ? failure("quota", `the account at ${where} has no credit left`, "add credit and run the same again: what was paid for is kept")
        : failure(
            "rate",
            `${where} says "too many requests", ${RETRIES + 1} times`,
            "set `data.teacher.rpm` lower and run the same again: what was paid for is kept",
          );
    if (status !== undefined && status >= 500)
      return failure("down", `${where} failed with status ${status}, ${RETRIES + 1} times`, "run the same again later: what was paid for is kept", EXIT.failed);
    if (status !== undefined)
      return failure(
        "request",
        `${where} does not accept the request (status ${status})`,
        "use a model and a server with structured outputs (`response_format: json_schema`)",
        EXIT.failed,
      );
    if (e instanceof NoAnswer)
      return failure(
        "no-answer",
        `${where} answers with something that is no chat completion`,
        "correct `data.teacher.base_url` (it usually ends in /v1); nothing of it was kept",
        EXIT.failed,
      );
    if (/APIConnection|APIUserAbort/.test(e.constructor.name) || e instanceof SyntaxError)
      return failure("unreachable", `no answer from ${where}`, "look at the address and the network, and run the same again: what was paid for is kept");
    return undefined;
  }
}

const INTERRUPTED: Failure = {
  code: "teacher/interrupted",
  message: "generation was interrupted",
  hint: "run the same again: what was paid for is kept",
  exit: EXIT.interrupted,
};

const overBudget = (budget: Budget, worst: number): Failure => ({
  code: "teacher/budget",
  message: `the teacher has cost $${budget.spent.toFixed(4)}, and the next request may cost $${worst.toFixed(4)}: more than \`budget_usd\` ${budget.limit} allows`,
  hint: "raise `data.teacher.budget_usd`, or lower `data.samples`; what was paid for is kept",
  exit: EXIT.failed,
});

const proxyFailure = (e: BadProxyError): Failure => ({
  code: "teacher/proxy",
  message: e.message,
  hint: "correct the variable, or unset it",
  exit: EXIT.environment,
});

/** A reply that is none of a chat completion. */
class NoAnswer extends Error {}

/** Whether a request was given up while the server may have been at work on it. */
const isCutOff = (e: unknown): boolean => e instanceof Error && /Timeout|UserAbort/.test(e.constructor.name);

/** Milliseconds until a failed request is worth another try; undefined where it is not. */
function waitFor(e: unknown, otherwise: number): number | undefined {
  if (!(e instanceof Error) || e.cause instanceof BadProxyError) return undefined;
  const { status, code, headers } = e as Error & { status?: number; code?: string | null; headers?: Headers };
  const again =
    status === undefined
      ? /APIConnection/.test(e.constructor.name)
      : status === 408 || status === 409 || status >= 500 || (status === 429 && code !== "insufficient_quota");
  if (!again) return undefined;
  const said = Number(headers?.get("retry-after-ms") ?? Number.NaN) || Number(headers?.get("retry-after") ?? Number.NaN) * 1000;
  return Math.min(LONGEST_WAIT_MS, Number.isFinite(said) && said >= 0 ? said : otherwise);
}

/** Text and tokens of an answer; undefined where it is none. A server that counts none is taken to have used the most it could. */
function replyOf(answer: Partial<OpenAI.Chat.Completions.ChatCompletion> | null, most: { readonly input: number; readonly output: number }): Reply | undefined {
  const choice = typeof answer === "object" && Array.isArray(answer?.choices) ? answer.choices[0] : undefined;
  const content: unknown = choice?.message?.content ?? "";
  if (typeof choice?.message !== "object" || typeof content !== "string") return undefined;
  const text = content;
  const tokens = { input: count(answer?.usage?.prompt_tokens, most.input), output: count(answer?.usage?.completion_tokens, most.output) };
  if (choice.message.refusal || choice.finish_reason === "content_filter") return { text: "", flaw: "refused", ...tokens };
  if (choice.finish_reason === "length") return { text: "", flaw: "cut off", ...tokens };
  return text.trim() === "" ? { text: "", flaw: "empty", ...tokens } : { text, ...tokens };
}

const count = (n: unknown, otherwise: number): number => (typeof n === "number" && Number.isSafeInteger(n) && n >= 0 ? n : otherwise);

/** Aborts a while after `signal`: what is on its way is paid for. */
function lateSignal(signal: AbortSignal | undefined): { readonly signal: AbortSignal; done(): void } {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer = setTimeout(() => late.abort(), GRACE_MS);
  };
  if (signal?.aborted) begin();
  else signal?.addEventListener("abort", begin, { once: true });
  return {
    signal: late.signal,
    done: () => {
      signal?.removeEventListener("abort", begin);
      clearTimeout(timer);
    },
  };
}

/** The SDK's way to the network: through the environment's proxy, to no other address than asked, and never more than `MOST_BYTES`. */
async function boundedFetch(url: string | URL | globalThis.Request, init?: RequestInit): Promise<Response> {
  const response = await proxiedFetch(new URL(url instanceof globalThis.Request ? url.url : url), { ...init, redirect: "error" });
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > MOST_BYTES) throw new TypeError(`an answer of more than ${MOST_BYTES >> 20} MB`);
    parts.push(part);
  }
  const empty = response.status === 204 || response.status === 304;
  return new Response(empty ? null : Buffer.concat(parts), { status: response.status, statusText: response.statusText, headers: response.headers });
}
