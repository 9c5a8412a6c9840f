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
  readonly refusal?: string;
  readonly finish?: string;
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
  readonly delayMs?: number;
}

export interface OpenAiServer {
  readonly url: string;
  readonly asked: Asked[];
  /** Most requests that were there at once. */
  readonly busiest: () => number;
  close(): Promise<void>;
}

export async function openAiServer(answer: (asked: Asked, n: number) => Answer | Promise<Answer> = goodTeacher): Promise<OpenAiServer> {
  const asked: Asked[] = [];
  let now = 0;
  let busiest = 0;
  const server = createServer((request, response) => void serve(request, response));
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const part of request) text += part;
    busiest = Math.max(busiest, ++now);
    const one: Asked = { ...(JSON.parse(text) as Asked), key: request.headers.authorization?.replace("Bearer ", "") };
    asked.push(one);
    const a = await answer(one, asked.length - 1);
    if (a.delayMs !== undefined) await sleep(a.delayMs);
    now--;
    const body = {
      id: "x",
      object: "chat.completion",
      created: 0,
      model: one.model,
      choices: [{ index: 0, finish_reason: a.finish ?? "stop", message: { role: "assistant", content: a.content ?? null, refusal: a.refusal ?? null } }],
      usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100, ...a.usage },
    };
    response.writeHead(a.status ?? 200, { "content-type": "application/json", ...a.headers });
    response.end(a.body ?? JSON.stringify(body));
  }
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    busiest: () => busiest,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

const PLACES = ["Oslo", "Lima", "Quito", "Perth", "Turin", "Lagos", "Hanoi", "Porto", "Izmir", "Dakar", "Malmo", "Cusco", "Bergen", "Kyoto", "Accra", "Riga"];

/** Writes what is asked for, about a place of its own each time. */
export function goodTeacher(asked: Asked): Answer {
  const { content } = asked.messages.at(-1) as { content: string };
  if (asked.response_format.json_schema.name === "answer") {
    const { result, error, timeout } = JSON.parse(content.slice(content.indexOf("\n") + 1)) as Record<string, string | undefined>;
    return {
      content: JSON.stringify({
        answer: result === undefined ? `Sorry, that failed: ${error ?? timeout}` : `The tool says: ${result}${/^[\s[\]{}]*$/.test(result) ? " nothing" : ""}`,
      }),
    };
  }
  const n = asked.seed;
  const place = `${PLACES[n % PLACES.length]} ${PLACES[(n >>> 4) % PLACES.length]}${(n >>> 8) % 977}`;
  const tool = /the tool "(\w+)"/.exec(content)?.[1] ?? null;
  const turn = (user: string, result: string | null, answer: string, args: object | null) => ({
    user,
    call: args === null ? null : { name: tool, arguments: JSON.stringify(args) },
    also_right: args === null ? [] : [{ argument: "location", value: JSON.stringify(`${place} city`) }],
    result,
    answer,
  });
  const call = (user: string, result: string, answer: string) => turn(user, result, answer, { location: place });
  const turns = /^Two turns/.test(content)
    ? [call(`${tool} please, ${place}, case ${n}`, '{"sky":"clear"}', "It is clear."), call(`again for ${place}?`, '{"a":1}', "It is 1.")]
    : /No call/.test(content)
      ? [turn(`Question ${place}`, null, `Which place, ${place}?`, null)]
      : /error message/.test(content)
        ? [call(`What about ${place} now, case ${n}?`, "unknown place", `I could not find ${place}.`)]
        : /a timeout/.test(content)
          ? [call(`And ${place}, case ${n}?`, "timed out", `The tool did not answer about ${place}.`)]
          : /Its result is empty/.test(content)
            ? [call(`Anything at ${place}, case ${n}?`, "[]", "There is nothing.")]
            : [call(`How is it in ${place} (${tool}), case ${n}?`, '{"sky":"clear"}', `Clear in ${place}.`)];
  return { content: JSON.stringify({ turns }) };
}
