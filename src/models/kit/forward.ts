/**
 * An endpoint on this machine for a program that brings its own client of OpenAI's interface: what it asks goes on to a hosted model of ours, so
 * that keys, budgets, limits a minute, retries and kept replies are what they are for everything else (docs/decisions/0014-synthetic-data-kit.md).
 *
 * Guarantees: only who has the key, made for this one endpoint, gets an answer; it listens on the loopback address alone. The host's key never
 * reaches the program. What waits goes on together, one asking at a time; the first failure answers everything after it, and none of it is worth
 * another try. `close` waits for what is on its way: it is paid for.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT } from "../../platform/exit.ts";
import { digestText, hexOf } from "../../platform/hash.ts";
import { registerSecret } from "../../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { Request } from "../hosted/client.ts";
import type { Reply } from "../hosted/replies.ts";

const isNotPaidFor = (reply: Reply): boolean => reply.flaw === "not paid for";

/** The part of a hosted model that is used. */
export interface Asked {
  ask(requests: readonly Request[]): Promise<Result<Reply[]>>;
  /** Why some were not paid for. */
  readonly ended?: { readonly failure: Failure } | undefined;
}

export interface ForwardOptions {
  readonly model: Asked;
  /** The form of every reply: what the program reads, as a schema for hosts that keep to one. */
  readonly reply: Request["reply"];
  /** Most tokens that a reply may be asked for. */
  readonly maxTokens: number;
}

export interface Forwarding {
  /** What the program takes as the base of the interface. */
  readonly address: string;
  readonly key: string;
  /** Why there were no more answers; undefined while there are. */
  failure(): Failure | undefined;
  /** Waits for what is on its way and ends. Throws what the model threw: a bug. */
  close(): Promise<void>;
}

/** Bytes of a request, at most. */
const MOST_BYTES = 1 << 20;
/** Milliseconds without another request after which those that wait go on. */
const GATHER_MS = 50;
/** Stands for what is missing where a prompt comes as one message: the kit sends a system message alone, which not every server takes. */
const SYSTEM = "Follow the instructions. The answer is JSON and nothing else.";

interface Waiting {
  readonly request: Request;
  answer(reply: Result<Reply>): void;
}

export async function forward(o: ForwardOptions): Promise<Result<Forwarding>> {
  const key = randomBytes(32).toString("base64url");
  registerSecret(key);
  const waiting: Waiting[] = [];
  let failure: Failure | undefined;
  let thrown: { readonly error: unknown } | undefined;
  let closed = false;
  let going: Promise<void> | undefined;

  const askAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      for (let seen = 0; seen < waiting.length; ) {
        seen = waiting.length;
        await sleep(GATHER_MS);
      }
      const now = waiting.splice(0);
      const replies = await askOnce(now.map((w) => w.request));
      failure ??= replies.ok ? (replies.value.some(isNotPaidFor) ? (o.model.ended?.failure ?? BROKEN_OFF) : undefined) : replies.error;
      for (const [i, w] of now.entries()) {
        const reply = replies.ok ? (replies.value[i] as Reply) : undefined;
        w.answer(reply === undefined || isNotPaidFor(reply) ? err(failure ?? BROKEN_OFF) : ok(reply));
      }
    }
    going = undefined;
  };
  const askOnce = async (requests: readonly Request[]): Promise<Result<Reply[]>> => {
    if (failure !== undefined) return err(failure);
    if (closed) return err(BROKEN_OFF);
    try {
      return await o.model.ask(requests);
    } catch (error) {
      thrown ??= { error };
      return err(BROKEN_OFF);
    }
  };
  const ask = (request: Request): Promise<Result<Reply>> =>
    new Promise((answer) => {
      waiting.push({ request, answer });
      going ??= askAll();
    });

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!knows(message.headers.authorization, key)) return refuse(response, 401, "this endpoint is forge's own");
    if (message.method !== "POST" || message.url !== "/v1/chat/completions") return refuse(response, 404, "this endpoint has chat completions alone");
    const request = requestIn(await bodyOf(message), o);
    if (request === undefined) return refuse(response, 400, "this is no request for a chat completion");
    const reply = await ask(request);
    if (!reply.ok) return refuse(response, 424, `forge: ${reply.error.code}`);
    end(response, 200, completion(reply.value));
  };
  const server = createServer((message, response) => {
    serve(message, response).catch(() => response.destroy());
  });
  const port = await listen(server);
  if (port === undefined) return err(NO_PORT);
  return ok({
    address: `http://127.0.0.1:${port}/v1`,
    key,
    failure: () => failure,
    close: async () => {
      closed = true;
      server.close();
      await going;
      server.closeAllConnections();
      if (thrown !== undefined) throw thrown.error;
    },
  });
}

function listen(server: Server): Promise<number | undefined> {
  return new Promise((done) => {
    server.once("error", () => done(undefined));
    server.listen(0, "127.0.0.1", () => done((server.address() as AddressInfo).port));
  });
}

function knows(header: string | undefined, key: string): boolean {
  const [given, wanted] = [header ?? "", `Bearer ${key}`].map((text) => Buffer.from(text));
  return given !== undefined && wanted !== undefined && given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** A request's text; empty where it is too long. */
async function bodyOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    size += part.byteLength;
    if (size > MOST_BYTES) return "";
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The program's request as one of ours: the same words are the same request, and found again. Model and temperature are the hosted model's own. */
function requestIn(text: string, o: ForwardOptions): Request | undefined {
  let body: { messages?: unknown; max_tokens?: unknown };
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    return undefined;
  }
  if (typeof body !== "object" || body === null || !Array.isArray(body.messages) || body.messages.length === 0) return undefined;
  const said = { system: [] as string[], user: [] as string[] };
  for (const m of body.messages as ({ role?: unknown; content?: unknown } | null)[]) {
    if ((m?.role !== "system" && m?.role !== "user") || typeof m.content !== "string") return undefined;
    said[m.role].push(m.content);
  }
  const alone = said.user.length === 0;
  const system = alone ? "" : said.system.join("\n\n");
  const user = (alone ? said.system : said.user).join("\n\n");
  const wanted = body.max_tokens;
  const maxTokens = typeof wanted === "number" && Number.isSafeInteger(wanted) && wanted > 0 ? Math.min(wanted, o.maxTokens) : o.maxTokens;
  const seed = Number.parseInt(hexOf(digestText(user)).slice(0, 8), 16) >>> 1;
  return { system: system || SYSTEM, user, reply: o.reply, maxTokens, seed };
}

const completion = ({ text, input, output }: Reply): object => ({
  id: "forge",
  object: "chat.completion",
  created: 0,
  model: "forge",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: text, refusal: null } }],
  usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
});

/** None of it gets better by being asked again (the header is OpenAI's own word for that). */
const refuse = (response: ServerResponse, status: number, message: string): void =>
  end(response, status, { error: { message, type: "forge", code: null, param: null } }, { "x-should-retry": "false" });

/** A connection a request: none that a client takes for open is closed by then. */
function end(response: ServerResponse, status: number, body: object, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { "content-type": "application/json", connection: "close", ...headers });
  response.end(JSON.stringify(body));
}

const NO_PORT: Failure = {
  code: "kit/no-port",
  message: "no port of this machine could be opened for synthetic-data-kit",
  hint: "use `augment: { by: teacher }`, which needs none",
  exit: EXIT.environment,
};

/** Nobody reads it: what was asked is not wanted any more, or a bug is about to be thrown. */
const BROKEN_OFF: Failure = { code: "kit/broken-off", message: "the teacher is asked no more", exit: EXIT.failed };
