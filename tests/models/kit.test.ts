/**
 * synthetic-data-kit between forge and a host: what it asks goes by the hosted model, with its key, budget, limits and kept replies. The kit
 * itself is played here (fake-kit.mjs); tests/slow has the real one.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HostedModel, type HostedOptions, type Request } from "../../src/models/hosted/client.ts";
import { forward } from "../../src/models/kit/forward.ts";
import { type KitEntry, rewordByKit } from "../../src/models/kit/kit.ts";
import { err, type Failure, ok } from "../../src/platform/result.ts";
import { type Answer, type Asked, type OpenAiServer, openAiServer } from "./openai-server.ts";

let dir: string;
let server: OpenAiServer | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-kit-"));
  vi.stubEnv("MCP_FORGE_KIT_PYTHON", join(import.meta.dirname, "fake-kit.mjs"));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const entries = (n: number): KitEntry[] =>
  Array.from({ length: n }, (_, i) => ({
    id: `train/${i}#0`,
    person: "a nurse",
    writes: "in a hurry",
    example: String(i),
    keep: [["Oslo"]],
    messages: [`Weather in Oslo, ${i}?`],
  }));

/** Says each message anew. */
function rewriter(asked: Asked): Answer {
  const { content } = asked.messages.at(-1) as { content: string };
  const entry = JSON.parse(content.slice(content.indexOf("\n") + 1)) as KitEntry;
  return { content: JSON.stringify({ conversation: entry.messages.map((m) => ({ role: "user", content: `Tell me: ${m}` })) }) };
}
const hostedAt = (url: string, o: Partial<HostedOptions> = {}) =>
  new HostedModel({
    baseUrl: url,
    key: "planted-host-key-5521",
    keyName: "K",
    model: "m",
    temperature: 0.7,
    repliesFolder: join(dir, "replies"),
    ledger: join(dir, "paid.jsonl"),
    retryMs: 1,
    ...o,
  });
const reword = (model: HostedModel, n: number, signal = new AbortController().signal) =>
  rewordByKit(entries(n), { model, name: "m", temperature: 0.7, scratch: join(dir, "kit"), logFile: join(dir, "log"), signal, emit: () => {} });
const everything = (): string =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile())
    .map((f) => readFileSync(join(f.parentPath, f.name), "latin1"))
    .join("\n");

describe("requests in other words", () => {
  test("come in the order of the entries, are paid for once, and no key is written anywhere", async () => {
    server = await openAiServer(rewriter);
    const price = { input: 1, output: 2 };
    const first = hostedAt(server.url, { price });
    expect(await reword(first, 40)).toEqual(ok(entries(40).map((e) => [`Tell me: ${e.messages[0]}`])));
    expect(server.asked).toHaveLength(40);
    expect(new Set(server.asked.map((a) => a.key))).toEqual(new Set(["planted-host-key-5521"]));
    expect(server.asked[0]).toMatchObject({ model: "m", temperature: 0.7, response_format: { json_schema: { name: "rewritten", strict: true } } });
    expect(first.spending()).toMatchObject({ requests: 40, kept: 0, usd: expect.closeTo(40 * 0.0012) });
    expect(everything()).not.toMatch(/planted|Bearer/);
    // Again and more of them: what is new alone.
    const second = hostedAt(server.url, { price });
    expect((await reword(second, 50)).ok).toBe(true);
    expect(server.asked).toHaveLength(50);
    expect(second.spending()).toMatchObject({ requests: 50, kept: 40 });
  });

  test("stay within the budget, and say whose it is", async () => {
    server = await openAiServer(rewriter);
    const r = await reword(hostedAt(server.url, { price: { input: 10, output: 10 }, budgetUsd: 0.2 }), 60);
    expect(r).toMatchObject({ ok: false, error: { code: "teacher/budget", exit: 1 } });
    expect(server.asked.length).toBeGreaterThan(3);
    expect(server.asked.length * 0.011).toBeLessThanOrEqual(0.2);
  });

  test("keep to the limit a minute", async () => {
    server = await openAiServer(rewriter);
    const began = performance.now();
    expect((await reword(hostedAt(server.url, { rpm: 600 }), 11)).ok).toBe(true);
    expect(performance.now() - began).toBeGreaterThanOrEqual(990);
  });

  test("are asked again where the host says so, and not where it says no", async () => {
    server = await openAiServer((asked, n) => (n < 3 ? { status: 429, headers: { "retry-after-ms": "1" }, body: "{}" } : rewriter(asked)));
    expect((await reword(hostedAt(server.url), 5)).ok).toBe(true);
    expect(server.asked).toHaveLength(8);
    await server.close();
    server = await openAiServer(() => ({ status: 401, body: '{"error":{"message":"no: planted-host-key-5521"}}' }));
    const refused = await reword(hostedAt(server.url), 60);
    expect(refused).toMatchObject({ ok: false, error: { code: "teacher/key", exit: 6 } });
    expect(server.asked.length).toBeLessThanOrEqual(16);
    expect(JSON.stringify(refused) + everything()).not.toContain("planted");
  });

  test("are null where the reply is of no use", async () => {
    server = await openAiServer(
      (asked, n) => [{ content: "I would rather not." }, { refusal: "No." }, { finish: "length", content: "{" }][n] ?? rewriter(asked),
    );
    const r = await reword(hostedAt(server.url), 5);
    if (!r.ok) throw new Error(r.error.message);
    expect(r.value.filter((w) => w === null)).toHaveLength(3);
    expect(r.value.filter((w) => w !== null)).toHaveLength(2);
  });

  test("that were on their way when the run was interrupted are kept", async () => {
    server = await openAiServer(async (asked) => ({ ...rewriter(asked), delayMs: 400 }));
    const stop = new AbortController();
    const model = hostedAt(server.url, { signal: stop.signal });
    const running = reword(model, 60, stop.signal);
    while (server.asked.length < 10) await sleep(5);
    stop.abort();
    expect(await running).toMatchObject({ ok: false, error: { exit: 130 } });
    const paid = server.asked.length;
    expect(paid).toBeLessThanOrEqual(16);
    expect((await reword(hostedAt(server.url), 60)).ok).toBe(true);
    expect(server.asked).toHaveLength(60);
    expect(new Set(server.asked.map((a) => JSON.stringify(a.messages))).size).toBe(60);
  });

  test("are all there, or it is said that they are not", async () => {
    server = await openAiServer(rewriter);
    vi.stubEnv("MCP_FORGE_FAKE_KIT", JSON.stringify({ way: "short" }));
    expect(await reword(hostedAt(server.url), 3)).toMatchObject({ ok: false, error: { code: "kit/not-whole" } });
  });

  test("begin nothing where there are none", async () => {
    expect(await reword(hostedAt("http://127.0.0.1:9/v1"), 0)).toEqual(ok([]));
    expect(existsSync(join(dir, "kit"))).toBe(false);
  });
});

describe("the endpoint", () => {
  const REPLY = { name: "r", schema: { type: "object" } };
  const open = async (ask: (requests: readonly Request[]) => Promise<unknown>, ended?: Failure) => {
    const r = await forward({ model: { ask: ask as HostedModel["ask"], ...(ended && { ended: { failure: ended } }) }, reply: REPLY, maxTokens: 100 });
    if (!r.ok) throw new Error(r.error.message);
    return r.value;
  };
  const answers = async (requests: readonly Request[]) => ok(requests.map((r) => ({ text: r.user.toUpperCase(), input: 3, output: 2 })));
  const post = (e: { address: string; key: string }, body: unknown, o: { key?: string; path?: string } = {}) =>
    fetch(`${e.address}${o.path ?? "/chat/completions"}`, {
      method: "POST",
      headers: { authorization: `Bearer ${o.key ?? e.key}` },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const saying = (content: string, more: object = {}) => ({ messages: [{ role: "user", content }], ...more });

  test("answers who has its key, and a request of the interface", async () => {
    const asked: Request[] = [];
    const e = await open(async (requests) => {
      asked.push(...requests);
      return answers(requests);
    });
    expect(new URL(e.address).hostname).toBe("127.0.0.1");
    expect(e.key.length).toBeGreaterThan(40);
    const good = await post(e, { model: "other", max_tokens: 50, messages: [{ role: "system", content: "be" }, ...saying("hello").messages] });
    expect(await good.json()).toMatchObject({
      choices: [{ message: { role: "assistant", content: "HELLO" } }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
    await post(e, saying("hello", { max_tokens: 1e9 }));
    await post(e, { messages: [{ role: "system", content: "all of it" }] });
    expect(asked.map((r) => [r.system, r.user, r.maxTokens])).toEqual([
      ["be", "hello", 50],
      [expect.stringMatching(/JSON/), "hello", 100],
      [expect.stringMatching(/JSON/), "all of it", 100],
    ]);
    expect(new Set(asked.map((r) => r.seed)).size).toBe(2);
    const statuses = await Promise.all([
      post(e, saying("x"), { key: "guess" }),
      post(e, saying("x"), { key: `${e.key}x` }),
      post(e, saying("x"), { path: "/models" }),
      post(e, "{"),
      post(e, "null"),
      post(e, { messages: [] }),
      post(e, { messages: [null] }),
      post(e, { messages: [{ role: "tool", content: "x" }] }),
      post(e, { messages: [{ role: "user", content: [{ type: "text", text: "x" }] }] }),
    ]);
    expect(statuses.map((r) => r.status)).toEqual([401, 401, 404, 400, 400, 400, 400, 400, 400]);
    expect(statuses.every((r) => r.headers.get("x-should-retry") === "false")).toBe(true);
    expect(asked).toHaveLength(3);
    await e.close();
    await expect(post(e, saying("x"))).rejects.toThrow();
  });

  test("reads no more of a request than a bound", async () => {
    const e = await open(answers);
    const status = await new Promise((done) => {
      const r = httpRequest(`${e.address}/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${e.key}` } }, (a) => done(a.statusCode));
      r.on("error", () => done("cut off"));
      r.end(JSON.stringify(saying("x".repeat(2 << 20))));
    });
    expect([400, "cut off"]).toContain(status);
    await e.close();
  });

  test("hands on together what waits, one asking at a time", async () => {
    const sizes: number[] = [];
    let now = 0;
    let most = 0;
    const e = await open(async (requests) => {
      most = Math.max(most, ++now);
      sizes.push(requests.length);
      await sleep(150);
      now--;
      return answers(requests);
    });
    const first = Array.from({ length: 20 }, (_, i) => post(e, saying(`a${i}`)));
    await sleep(120);
    const later = Array.from({ length: 15 }, (_, i) => post(e, saying(`b${i}`)));
    const said = await Promise.all(
      [...first, ...later].map(async (r) => ((await (await r).json()) as { choices: [{ message: { content: string } }] }).choices[0]),
    );
    expect(said.map((c) => c.message.content)).toEqual([...Array.from({ length: 20 }, (_, i) => `A${i}`), ...Array.from({ length: 15 }, (_, i) => `B${i}`)]);
    expect([most, sizes.reduce((a, b) => a + b)]).toEqual([1, 35]);
    expect(sizes.length).toBeLessThanOrEqual(4);
    await e.close();
  });

  test("asks no more after the first failure, and keeps it", async () => {
    let asked = 0;
    const failure = { code: "teacher/budget", message: "host says planted words", exit: 1 } as const;
    const e = await open(async () => {
      asked++;
      return err(failure);
    });
    const said = await post(e, saying("x"));
    expect([said.status, await said.text()]).toEqual([424, expect.not.stringContaining("planted")]);
    expect((await post(e, saying("y"))).status).toBe(424);
    expect(asked).toBe(1);
    expect(e.failure()).toEqual(failure);
    await e.close();
  });

  test("hands out what was paid for where the budget ends, refuses the rest, and says why", async () => {
    const failure = { code: "teacher/budget", message: "spent", exit: 1 } as const;
    const half = async (requests: readonly Request[]) =>
      ok(requests.map((r) => (r.user === "paid" ? { text: "here", input: 1, output: 1 } : { text: "", flaw: "not paid for", input: 0, output: 0 })));
    const e = await open(half, failure);
    const [paid, not] = await Promise.all([post(e, saying("paid")), post(e, saying("not"))]);
    expect(await paid.json()).toMatchObject({ choices: [{ message: { content: "here" } }] });
    expect(not.status).toBe(424);
    expect(e.failure()).toEqual(failure);
    await e.close();
  });

  test("lets a bug through when it is closed", async () => {
    const e = await open(async () => {
      throw new Error("a bug");
    });
    expect((await post(e, saying("x"))).status).toBe(424);
    expect((await post(e, saying("y"))).status).toBe(424);
    await expect(e.close()).rejects.toThrow("a bug");
  });

  test("waits for what is on its way when it is closed, and asks nothing that still waits", async () => {
    const asked: string[] = [];
    const e = await open(async (requests) => {
      asked.push(...requests.map((r) => r.user));
      await sleep(200);
      return answers(requests);
    });
    const first = post(e, saying("first")).catch(() => undefined);
    while (asked.length === 0) await sleep(5);
    const second = post(e, saying("second")).catch(() => undefined);
    await sleep(50);
    const began = performance.now();
    await e.close();
    expect(performance.now() - began).toBeGreaterThan(50);
    await Promise.all([first, second]);
    expect(asked).toEqual(["first"]);
  });
});
