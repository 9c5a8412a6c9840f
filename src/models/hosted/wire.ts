/**
 * OpenAI's interface as it goes over the wire: what a request looks like, what counts as an answer, and what goes wrong in a user's words. The key goes
 * to the one address, never through a redirect, and is redacted everywhere; no answer is read beyond a bound.
 */
import type OpenAI from "openai";
import { EXIT } from "../../platform/exit.ts";
import type { JsonObject } from "../../platform/json.ts";
import { BadProxyError, proxiedFetch } from "../../platform/proxied-fetch.ts";
import { holdsSecret, registerSecret, safeText } from "../../platform/redact.ts";
import type { Failure } from "../../platform/result.ts";
import { textRequest } from "../../platform/text-request.ts";
import { splitThought } from "../thinking.ts";
import type { Reply } from "./replies.ts";

/** The reference's retries of a failed request. */
export const RETRIES = 3;
/** The longest wait in milliseconds that `Retry-After` gets. */
const LONGEST_WAIT_MS = 60_000;
/** Milliseconds that one request may take. */
const TIMEOUT_MS = 120_000;
/** Longest body that is read, and longest file. */
const MOST_BYTES = 8 << 20;
const MOST_FILE_BYTES = 256 << 20;
/** Tokens of a message's frame, at most. */
const FRAME_TOKENS = 16;

export interface WireOptions {
  /** Undefined: OpenAI's own address. */
  readonly baseUrl?: string;
  /** Undefined: the server wants none. */
  readonly key?: string;
  /** Name of the environment variable that the key came from, for messages. */
  readonly keyName: string;
  readonly model: string;
  readonly temperature: number;
  /** Milliseconds that a request may take (default 120,000). */
  readonly timeoutMs?: number;
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

/** Bytes of the schemas that replies have: there are a few, and each goes with thousands of requests. */
const schemaBytes = new WeakMap<JsonObject, number>();

/** Most tokens of a request: a token is at least one byte. */
export function mostTokens({ system, user, reply: { schema } }: Request): number {
  const bytes = schemaBytes.get(schema) ?? Buffer.byteLength(JSON.stringify(schema));
  schemaBytes.set(schema, bytes);
  return Buffer.byteLength(system) + Buffer.byteLength(user) + bytes + 3 * FRAME_TOKENS;
}

export class Wire {
  private made: OpenAI | undefined;
  /** Parameters that this model was found not to take. */
  private readonly refused = new Set<string>();

  constructor(readonly o: WireOptions) {
    if (o.key !== undefined) registerSecret(o.key);
  }

  /** Where requests go. */
  get address(): string {
    return this.o.baseUrl ?? "https://api.openai.com/v1";
  }

  async client(): Promise<OpenAI> {
    const { default: OpenAIClient } = await import("openai");
    this.made ??= new OpenAIClient({
      // The SDK wants one.
      apiKey: this.o.key ?? "none",
      baseURL: this.address,
      // From the environment by default: nothing but the key goes along.
      organization: null,
      project: null,
      maxRetries: 0,
      timeout: this.o.timeoutMs ?? TIMEOUT_MS,
      logLevel: "off",
      fetch: boundedFetch,
    });
    return this.made;
  }

  /** The body of a request for a chat completion, without what this model was found not to take. */
  body(request: Request): OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming {
    const { refused } = this;
    // OpenAI's newer models know only the first name, most other servers only the second.
    const most = ["max_completion_tokens", "max_tokens"].filter((name) => !refused.has(name));
    if (this.o.baseUrl !== undefined) most.reverse();
    return {
      model: this.o.model,
      ...(!refused.has("temperature") && { temperature: this.o.temperature }),
      ...(!refused.has("seed") && { seed: request.seed }),
      ...(most[0] !== undefined && { [most[0]]: request.maxTokens }),
      messages: [
        { role: "system", content: request.system },
        { role: "user", content: request.user },
      ],
      response_format: {
        type: "json_schema",
        json_schema: { name: request.reply.name, schema: request.reply.schema as Record<string, unknown>, strict: true },
      },
    };
  }

  /** One request, answered. Throws what the SDK throws, and `NoAnswer`. */
  async send(request: Request, signal: AbortSignal): Promise<Reply> {
    const client = await this.client();
    let response: Response | undefined;
    while (response === undefined) {
      const body = this.body(request);
      try {
        // Read here and not by the SDK: what a server said in place of an answer has to be told.
        response = await client.chat.completions.create(body, { signal }).asResponse();
      } catch (e) {
        // A model that reasons takes no temperature, say: asked without it, it answers.
        const param = refusedBy(e);
        if (param === undefined || !(param in body)) throw e;
        this.refused.add(param);
      }
    }
    const text = await response.text();
    const answer = parsed(text);
    const reply = answer === undefined ? undefined : replyOf(answer as Parameters<typeof replyOf>[0], request);
    if (reply === undefined) throw new NoAnswer(text);
    return reply;
  }

  /** What the SDK throws, in the user's words; undefined for a bug. */
  failureOf(e: unknown): Failure | undefined {
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
    if (e instanceof NoAnswer && e.brokeOff)
      return failure(
        "no-answer",
        `${where} answers with ${e.came}, ${RETRIES + 1} times`,
        "run the same again later: what was paid for is kept, and these count in the budget at their worst",
        EXIT.failed,
      );
    const other = e instanceof NoAnswer ? e.came : e instanceof SyntaxError ? "something that is not JSON" : refusedToRead(e);
    if (other !== undefined)
      return failure(
        "no-answer",
        `${where} answers with ${other}: that is no answer of OpenAI's interface`,
        "correct `data.teacher.base_url` (it usually ends in /v1); nothing of it was kept",
        EXIT.failed,
      );
    if (/APIConnection|APIUserAbort/.test(e.constructor.name))
      return failure("unreachable", `no answer from ${where}`, "look at the address and the network, and run the same again: what was paid for is kept");
    return undefined;
  }
}

/** What a request can do without. */
const DISPENSABLE = new Set(["temperature", "seed", "max_tokens", "max_completion_tokens"]);

/** The parameter that a server says it does not take (OpenAI's `unsupported_parameter` and `unsupported_value`), if the request can do without it. */
function refusedBy(e: unknown): string | undefined {
  const { status, code, param } = (e ?? {}) as { status?: number; code?: unknown; param?: unknown };
  const unsupported = status === 400 && (code === "unsupported_parameter" || code === "unsupported_value");
  return unsupported && typeof param === "string" && DISPENSABLE.has(param) ? param : undefined;
}

const proxyFailure = (e: BadProxyError): Failure => ({
  code: "teacher/proxy",
  message: e.message,
  hint: "correct the variable, or unset it",
  exit: EXIT.environment,
});

/** Characters of what came in place of an answer that a message shows. */
const MOST_SHOWN = 80;

/** What came with a good status and is no answer. */
export class NoAnswer extends Error {
  /** Whether it began as a chat completion and broke off. */
  readonly brokeOff: boolean;
  /** Whether somebody may have to pay for it: all but a page and JSON of another form. */
  readonly mayCost: boolean;

  /** @param text the body as it came; left out where it was understood and is of another form */
  constructor(private readonly text?: string) {
    super("no answer");
    const value = text === undefined ? null : parsed(text);
    const start = text?.trimStart().at(0);
    this.brokeOff = value === undefined && (start === undefined || start === "{");
    const choices = typeof value === "object" && value !== null && Array.isArray((value as { choices?: unknown }).choices);
    this.mayCost = choices || (value === undefined && start !== "<");
  }

  /** In words: `an HTML page ("<html>…")`. */
  get came(): string {
    if (this.text === undefined) return "something else";
    const size = Buffer.byteLength(this.text).toLocaleString("en-US");
    const shown = `("${safeText(this.text, MOST_SHOWN).replace(/\s+/g, " ").trim()}")`;
    if (this.text.trim() === "") return "an empty body";
    if (this.brokeOff) return `JSON that breaks off after ${size} bytes ${shown}`;
    if (this.text.trimStart().startsWith("<")) return `an HTML page ${shown}`;
    return `${parsed(this.text) === undefined ? "text" : "JSON"} ${shown}`;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Why an answer was not read, in words; undefined where none came. */
function refusedToRead(e: unknown): string | undefined {
  for (let cause: unknown = e, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++)
    if (cause instanceof TypeError && /^an answer of more than|^unexpected redirect/.test(cause.message))
      return cause.message.startsWith("an") ? cause.message : "a redirect, which is not followed";
  return undefined;
}

/** Whether a request ended while the server may have been at work on it, or its answer came in part: nobody knows whether it costs. */
export const isCutOff = (e: unknown): boolean =>
  e instanceof Error &&
  (e instanceof NoAnswer ? e.mayCost : /Timeout|UserAbort/.test(e.constructor.name) || (/APIConnection/.test(e.constructor.name) && !neverArrived(e)));

/** Failures before a request can have reached a server (codes of Node and undici). */
const BEFORE =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENETDOWN|UND_ERR_CONNECT_TIMEOUT|ERR_INVALID_URL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;

function neverArrived(e: Error): boolean {
  for (let cause: unknown = e, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (cause instanceof BadProxyError) return true;
    const { code, errors } = cause as Error & { code?: unknown; errors?: unknown };
    if ((typeof code === "string" && BEFORE.test(code)) || cause.message === "bad port") return true;
    // Each address of a name was tried (AggregateError).
    if (Array.isArray(errors) && errors.length > 0 && errors.every((x) => x instanceof Error && neverArrived(x))) return true;
  }
  return false;
}

/** Milliseconds until a failed request is worth another try; undefined where it is not. */
export function waitFor(e: unknown, otherwise: number): number | undefined {
  if (!(e instanceof Error) || e.cause instanceof BadProxyError) return undefined;
  const { status, code, headers } = e as Error & { status?: number; code?: string | null; headers?: Headers };
  const again =
    status === undefined
      ? e instanceof NoAnswer || e instanceof SyntaxError || /APIConnection/.test(e.constructor.name)
      : status === 408 || status === 409 || status >= 500 || (status === 429 && code !== "insufficient_quota");
  if (!again) return undefined;
  const after = headers?.get("retry-after") ?? "";
  // Seconds, or the hour as a date (RFC 9110, 10.2.3).
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(after) ? Number(after) * 1000 : Math.max(0, Date.parse(after) - Date.now());
  const said = Number(headers?.get("retry-after-ms") ?? Number.NaN) || seconds;
  return Math.min(LONGEST_WAIT_MS, Number.isFinite(said) && said >= 0 ? said : otherwise);
}

/** Text and tokens of an answer; undefined where it is none. A server that counts none is taken to have used the most it could. */
export function replyOf(answer: Partial<OpenAI.Chat.Completions.ChatCompletion> | null, request: Request | undefined): Reply | undefined {
  const choice = typeof answer === "object" && Array.isArray(answer?.choices) ? answer.choices[0] : undefined;
  const content: unknown = choice?.message?.content ?? "";
  if (typeof choice?.message !== "object" || typeof content !== "string") return undefined;
  const { thought, content: text } = apart(content, choice.message as object);
  const tokens = {
    input: count(answer?.usage?.prompt_tokens, request === undefined ? 0 : mostTokens(request)),
    output: count(answer?.usage?.completion_tokens, request?.maxTokens ?? 0),
  };
  if (choice.message.refusal || choice.finish_reason === "content_filter") return { text: "", flaw: "refused", ...tokens };
  if (choice.finish_reason === "length") return { text: "", flaw: "cut off", ...tokens };
  // A server that hands the key back, or another that is planted in what it was told: nobody wants it in a file.
  if (holdsSecret(text) || holdsSecret(thought)) return { text: "", flaw: "secret", ...tokens };
  return text.trim() === "" ? { text: "", flaw: "empty", ...tokens } : { text, ...(thought !== "" && { thought }), ...tokens };
}

/** Characters of a thought that are kept. */
const MOST_THOUGHT = 100_000;

/**
 * The thought and the text of an answer. Servers hand a thought over beside the content (`reasoning_content`: DeepSeek, llama.cpp and vLLM; `reasoning`: newer
 * releases of vLLM, OpenRouter, Ollama); those that do not know their model leave it at the content's head, of R1 without its opening, which the prompt has.
 */
function apart(
  content: string,
  message: { readonly reasoning_content?: unknown; readonly reasoning?: unknown },
): { readonly thought: string; readonly content: string } {
  // A text in JSON may well hold the tags, and says nothing of a thought.
  const inside = /^\s*[{[]/.test(content) ? undefined : splitThought(content, undefined, true);
  const beside = [message.reasoning_content, message.reasoning].find((t) => typeof t === "string" && t.trim() !== "") as string | undefined;
  return { thought: (beside ?? inside?.thought ?? "").trim().slice(0, MOST_THOUGHT), content: inside?.content ?? content };
}

const count = (n: unknown, otherwise: number): number => (typeof n === "number" && Number.isSafeInteger(n) && n >= 0 ? n : otherwise);

/** The SDK's way to the network: through the environment's proxy, to no other address than asked, and never more than a bound. */
async function boundedFetch(url: string | URL | globalThis.Request, init?: RequestInit): Promise<Response> {
  const address = new URL(url instanceof globalThis.Request ? url.url : url);
  const most = address.pathname.endsWith("/content") ? MOST_FILE_BYTES : MOST_BYTES;
  // What is asked of a model. Files of batches, and looking after them, are few.
  if (init?.method === "POST" && typeof init.body === "string")
    return textRequest(address, { method: "POST", headers: new Headers(init.headers), body: init.body, signal: init.signal ?? null, mostBytes: most });
  const response = await proxiedFetch(address, { ...init, redirect: "error" });
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > most) throw new TypeError(`an answer of more than ${most >> 20} MB`);
    parts.push(part);
  }
  const empty = response.status === 204 || response.status === 304;
  return new Response(empty ? null : Buffer.concat(parts), { status: response.status, statusText: response.statusText, headers: response.headers });
}
