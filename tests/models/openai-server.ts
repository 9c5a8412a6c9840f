/**
 * A server that speaks the part of OpenAI's interface that forge uses, and says what the test tells it to. Without instructions it
 * writes conversations about the weather tools, each with another place, as a good teacher would.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Asked {
  readonly key: string | undefined;
  readonly model: string;
  readonly temperature: number;
  readonly seed: number;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly response_format: { readonly json_schema: { readonly name: string; readonly schema: object; readonly strict: boolean } };
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body as it is; else one is made of `content`. */
  readonly body?: string;
  readonly content?: string | null;
  /** What the model thought, beside the content: under this name. */
  readonly thought?: { readonly reasoning_content: string } | { readonly reasoning: string };
  readonly refusal?: string;
  readonly finish?: string;
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
  readonly delayMs?: number;
}

/** How batches go here: looked at so often before they are done; which lines come to nothing; how they end. */
export interface BatchWays {
  readonly looks?: number;
  readonly leavesOut?: (n: number) => boolean;
  readonly ends?: "completed" | "expired" | "failed" | "cancelled";
  /** Status of the answer to a new batch, which begins all the same. */
  readonly creates?: number;
  /** What is said of a batch in place of its state. */
  readonly says?: unknown;
}

export interface OpenAiServer {
  readonly url: string;
  /** Batches that were begun, by id: how many requests each had. */
  readonly batches: Map<string, number>;
  ways: BatchWays;
  readonly asked: Asked[];
  /** Most requests that were there at once. */
  readonly busiest: () => number;
  close(): Promise<void>;
}

export async function openAiServer(answer: (asked: Asked, n: number) => Answer | Promise<Answer> = goodTeacher): Promise<OpenAiServer> {
  const asked: Asked[] = [];
  let now = 0;
  let busiest = 0;
  const files = new Map<string, string>();
  const begun = new Map<string, { readonly lines: readonly { custom_id: string; body: Asked }[]; readonly metadata: object; looks: number; output?: string }>();
  const batches = new Map<string, number>();
  const server = createServer((request, response) => void serve(request, response));
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const part of request) text += part;
    if (/\/(files|batches)/.test(request.url ?? "")) {
      const [status, reply] = await batched(request.url ?? "", request.method ?? "", text);
      response.writeHead(status, { "content-type": typeof reply === "string" ? "application/jsonl" : "application/json" });
      response.end(typeof reply === "string" ? reply : JSON.stringify(reply));
      return;
    }
    busiest = Math.max(busiest, ++now);
    const one: Asked = { ...(JSON.parse(text) as Asked), key: request.headers.authorization?.replace("Bearer ", "") };
    asked.push(one);
    const a = await answer(one, asked.length - 1);
    if (a.delayMs !== undefined) await sleep(a.delayMs);
    now--;
    const body = completion(one, a);
    response.writeHead(a.status ?? 200, { "content-type": "application/json", ...a.headers });
    response.end(a.body ?? JSON.stringify(body));
  }
  /** The part of the Batch API that forge uses: a file of requests, answered at the last look. */
  async function batched(url: string, method: string, text: string): Promise<[number, object | string]> {
    const id = /\/(?:files|batches)\/([^/?]+)/.exec(url)?.[1] ?? "";
    if (url.includes("/files")) {
      if (method === "GET") return [200, files.get(id) ?? ""];
      const name = `file-${files.size}`;
      files.set(name, /\r\n\r\n(\{"custom_id"[\s\S]*?)\r\n--/.exec(text)?.[1] ?? "");
      return [200, { id: name, object: "file" }];
    }
    const stateOf = (name: string) => {
      const b = begun.get(name);
      const done = b !== undefined && b.looks >= (self.ways.looks ?? 2);
      const ends = self.ways.ends ?? "completed";
      return {
        id: name,
        object: "batch",
        status: done ? ends : "in_progress",
        metadata: b?.metadata,
        request_counts: { total: b?.lines.length, completed: done ? b.lines.length : 0, failed: 0 },
        ...(done && ends !== "failed" && { output_file_id: `out-${name}`, error_file_id: `errors-${name}` }),
        ...(done && ends === "failed" && { errors: { data: [{ code: "token_limit_exceeded", message: "Enqueued token limit reached." }] } }),
      };
    };
    if (method === "GET" && id === "") return [200, { object: "list", data: [...begun.keys()].map(stateOf), has_more: false }];
    if (method === "GET") {
      const b = begun.get(id);
      if (b === undefined) return [404, { error: { message: "no such batch" } }];
      if (self.ways.says !== undefined) return [200, self.ways.says as object];
      b.looks++;
      if (b.looks >= (self.ways.looks ?? 2) && !files.has(`out-${id}`)) {
        const out: string[] = ["not JSON", "null"];
        const errors: string[] = [];
        for (const [n, { custom_id, body }] of b.lines.entries()) {
          if (self.ways.leavesOut?.(n) === true) continue;
          const a = await answer(body, n);
          const { status = 200 } = a;
          const said = status === 200 ? completion(body, a) : { error: { message: `no: ${status}` } };
          (status === 200 ? out : errors).push(JSON.stringify({ custom_id, response: { status_code: status, body: said } }));
        }
        files.set(`out-${id}`, out.join("\n"));
        files.set(`errors-${id}`, errors.join("\n"));
      }
      return [200, stateOf(id)];
    }
    const { input_file_id, metadata } = JSON.parse(text) as { input_file_id: string; metadata: object };
    const lines = (files.get(input_file_id) ?? "")
      .trim()
      .split("\n")
      .map((l) => JSON.parse(l) as { custom_id: string; body: Asked });
    const name = `batch_${begun.size}`;
    begun.set(name, { lines, metadata, looks: 0 });
    batches.set(name, lines.length);
    return self.ways.creates === undefined ? [200, stateOf(name)] : [self.ways.creates, { error: { message: "gateway" } }];
  }
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const self: OpenAiServer = {
    batches,
    ways: {},
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    busiest: () => busiest,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return self;
}

const completion = (asked: Pick<Asked, "model">, a: Answer) => ({
  id: "x",
  object: "chat.completion",
  created: 0,
  model: asked.model,
  choices: [
    { index: 0, finish_reason: a.finish ?? "stop", message: { role: "assistant", content: a.content ?? null, refusal: a.refusal ?? null, ...a.thought } },
  ],
  usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100, ...a.usage },
});

const PLACES = ["Oslo", "Lima", "Quito", "Perth", "Turin", "Lagos", "Hanoi", "Porto", "Izmir", "Dakar", "Malmo", "Cusco", "Bergen", "Kyoto", "Accra", "Riga"];

interface Told {
  result?: string;
  error?: string;
  timeout?: string;
}

const SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va"];

/** Four words that only this number has, so that no two conversations say nearly the same. */
const wordsOf = (n: number): string =>
  [1, 2, 3, 4]
    .map((i) => Math.imul(n + i * 7919, 0x9e3779b1) >>> 0)
    .map((h) => [28, 24, 20, 16].map((by) => SYLLABLES[(h >>> by) & 15]).join(""))
    .join(" ");

/** Writes what is asked for, about a place of its own and in words of its own each time. */
export function goodTeacher(asked: Asked): Answer {
  const { content } = asked.messages.at(-1) as { content: string };
  if (asked.response_format.json_schema.name === "answer") {
    const { calls, ...one } = JSON.parse(content.slice(content.indexOf("\n") + 1)) as Told & { calls?: Told[] };
    const { result, error, timeout } = calls === undefined ? one : { ...one, result: calls.map((c) => c.result).join(" and ") };
    return {
      content: JSON.stringify({
        answer: result === undefined ? `Sorry, that failed: ${error ?? timeout}` : `The tool says: ${result}${/^[\s[\]{}]*$/.test(result) ? " nothing" : ""}`,
      }),
    };
  }
  if (asked.response_format.json_schema.name === "reworded") {
    const { messages } = JSON.parse(content.slice(content.lastIndexOf("\n") + 1)) as { messages: string[] };
    return { content: JSON.stringify({ messages: messages.map((m) => `Listen, number ${asked.seed}: ${m} (said anew)`) }) };
  }
  const n = asked.seed;
  const place = `${PLACES[n % PLACES.length]} ${PLACES[(n >>> 4) % PLACES.length]}${(n >>> 8) % 977}`;
  const words = wordsOf(n);
  const tool = /the tool "(\w+)"/.exec(content)?.[1] ?? null;
  const turn = (user: string, result: string | null, answer: string, args: object | null) => ({
    user,
    call: args === null ? null : { name: tool ?? "get_weather", arguments: JSON.stringify(args) },
    also_right: args === null ? [] : [{ argument: "location", value: JSON.stringify(`${place} city`) }],
    result,
    answer,
  });
  const call = (user: string, result: string, answer: string) => turn(user, result, answer, { location: place });
  if (asked.response_format.json_schema.name === "chain") {
    const made = (where: string, result: string) => ({
      call: { name: tool, arguments: JSON.stringify({ location: where }) },
      also_right: [],
      result,
    });
    const calls = [made(place, '{"sky":"clear"}'), made(`${place}ville`, '{"sky":"grey"}')];
    return { content: JSON.stringify({ turns: [{ user: `${place} and ${place}ville, case ${words}?`, calls, answer: "Clear, then grey." }] }) };
  }
  const turns = /The second turn has no call/.test(content)
    ? [call(`How is ${place}, case ${words}?`, '{"sky":"clear"}', "It is clear."), turn(`Thanks ${words}`, null, `Glad to help with ${place}.`, null)]
    : /^Two turns/.test(content)
      ? [call(`${tool} please, ${place}, case ${words}`, '{"sky":"clear"}', "It is clear."), call(`again for ${place}?`, '{"a":1}', "It is 1.")]
      : /No call/.test(content)
        ? [turn(`Question ${place} ${words}`, null, `Which place, ${place}?`, null)]
        : /error message/.test(content)
          ? [call(`What about ${place} now, case ${words}?`, "unknown place", `I could not find ${place}.`)]
          : /a timeout/.test(content)
            ? [call(`And ${place}, case ${words}?`, "timed out", `The tool did not answer about ${place}.`)]
            : /Its result is empty/.test(content)
              ? [call(`Anything at ${place}, case ${words}?`, "[]", "There is nothing.")]
              : [call(`How is it in ${place} (${tool}), case ${words}?`, '{"sky":"clear"}', `Clear in ${place}.`)];
  return { content: JSON.stringify({ turns }) };
}
