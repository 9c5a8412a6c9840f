/** The client of hosted models, through the real SDK, against a server on this machine. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Budget } from "../../src/models/hosted/budget.ts";
import { HostedModel, type HostedOptions, type Request } from "../../src/models/hosted/client.ts";
import { Ledger } from "../../src/models/hosted/ledger.ts";
import { Pace } from "../../src/models/hosted/pace.ts";
import { listPrice } from "../../src/models/hosted/prices.ts";
import { Underway } from "../../src/models/hosted/underway.ts";
import { mostTokens, waitFor } from "../../src/models/hosted/wire.ts";
import { redact } from "../../src/platform/redact.ts";
import { type Answer, type Asked, type OpenAiServer, openAiServer } from "./openai-server.ts";

const KEY = "a-planted-key-93750184";
const servers: OpenAiServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function rig(answer?: (asked: Asked, n: number) => Answer | Promise<Answer>, o: Partial<HostedOptions> = {}) {
  const server = await openAiServer(answer ?? (() => ({ content: '{"answer":"yes"}' })));
  servers.push(server);
  const folder = o.repliesFolder ?? mkdtempSync(join(tmpdir(), "forge-hosted-"));
  const open = (more: Partial<HostedOptions> = {}) =>
    new HostedModel({
      baseUrl: server.url,
      key: KEY,
      keyName: "SOME_KEY",
      model: "m",
      temperature: 0.5,
      repliesFolder: folder,
      ledger: join(folder, "paid.jsonl"),
      ...o,
      ...more,
    });
  return { server, folder, open };
}

const request = (n: number): Request => ({ system: "s", user: `u${n}`, reply: { name: "answer", schema: { type: "object" } }, maxTokens: 50, seed: n });
const requests = (n: number) => Array.from({ length: n }, (_, i) => request(i));
/** What was entered as a cost, without what was held for requests underway. */
const costsIn = (folder: string): number[] =>
  readFileSync(join(folder, "paid.jsonl"), "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => (JSON.parse(line) as { usd?: number }).usd ?? []);
/** All that was paid, and may have been. */
const allIn = (path: string): number => {
  const { paid, aside } = new Ledger(path).read();
  return paid + aside;
};
const filesIn = (folder: string) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((f) => f.isFile() && f.name !== "paid.jsonl");

describe("a hosted model", () => {
  it("asks for structured output with key, model, temperature and seed, and answers in order", async () => {
    const { server, open } = await rig((a) => ({ content: JSON.stringify({ seed: a.seed }), delayMs: 20 - a.seed }));
    const replies = await open().ask(requests(12));
    expect(replies.ok && replies.value.map((r) => JSON.parse(r.text).seed)).toEqual([...Array(12).keys()]);
    const [first] = server.asked;
    expect(first).toMatchObject({ key: KEY, model: "m", temperature: 0.5, response_format: { json_schema: { name: "answer", strict: true } } });
    expect(first?.messages.map((m) => m.role)).toEqual(["system", "user"]);
  });

  it("has many requests underway, and no more than it may", async () => {
    const { server, open } = await rig(() => ({ content: "{}", delayMs: 30 }), { inFlight: 5 });
    await open().ask(requests(20));
    expect(server.busiest()).toBe(5);
  });

  it("pays for nothing twice, and for what is new only", async () => {
    const { server, open } = await rig();
    const first = open({ price: { input: 1, output: 1 } });
    await first.ask(requests(5));
    const second = open({ price: { input: 1, output: 1 } });
    const replies = await second.ask(requests(8));
    expect(server.asked).toHaveLength(8);
    expect(replies.ok && replies.value).toHaveLength(8);
    expect(second.spending()).toEqual({
      ...{ requests: 8, kept: 5, cutOff: 0, input: 8000, output: 800, cutOffUsd: 0, flaws: {} },
      usd: expect.closeTo((8 * 1100) / 1e6, 12),
      now: expect.closeTo((3 * 1100) / 1e6, 12),
    });
    await open({ model: "another" }).ask(requests(1));
    expect(server.asked).toHaveLength(9);
  });

  it("asks again where a kept reply was damaged", async () => {
    const { server, folder, open } = await rig();
    await open().ask(requests(2));
    const [file] = filesIn(folder);
    writeFileSync(join(file?.parentPath ?? "", file?.name ?? ""), '{"version":1,"reply":{"te');
    await open().ask(requests(2));
    expect(server.asked).toHaveLength(3);
  });

  it("keeps what arrived when a later request fails, and says what to do", async () => {
    const { folder, open, server } = await rig((_, n) => (n < 3 ? { content: "{}" } : { status: 400, body: '{"error":{"message":"no"}}' }), { inFlight: 1 });
    const replies = await open().ask(requests(6));
    expect(replies).toMatchObject({ ok: false, error: { code: "teacher/request", hint: expect.stringContaining("structured outputs") } });
    expect(filesIn(folder)).toHaveLength(3);
    expect(server.asked).toHaveLength(4);
  });

  it.each<[string, Answer, string, number]>([
    ["a refused key", { status: 401, body: `{"error":{"message":"bad key ${KEY}"}}` }, "teacher/key", 6],
    ["an unknown model", { status: 404, body: '{"error":{"message":"no such model"}}' }, "teacher/model", 4],
    ["no credit", { status: 429, headers: { "retry-after": "0" }, body: '{"error":{"message":"pay","code":"insufficient_quota"}}' }, "teacher/quota", 6],
    ["JSON that breaks off", { body: '{"choices":[{"mess', headers: { "content-type": "application/json" } }, "teacher/no-answer", 1],
    ["a page that says it is JSON", { body: "<html>hello", headers: { "content-type": "application/json" } }, "teacher/no-answer", 1],
    ["a page in place of JSON", { body: "<html>hello", headers: { "content-type": "text/html" } }, "teacher/no-answer", 1],
    ["an error that says it is none", { body: '{"error":{"message":"no"}}' }, "teacher/no-answer", 1],
    ["null", { body: "null" }, "teacher/no-answer", 1],
    ["content in parts", { body: '{"choices":[{"message":{"content":[{"type":"text","text":"{}"}]}}]}' }, "teacher/no-answer", 1],
    ["a redirect", { status: 307, headers: { location: "http://127.0.0.1:9/v1" }, body: "" }, "teacher/no-answer", 1],
    ["a body without end", { body: "x".repeat(9 << 20) }, "teacher/no-answer", 1],
  ])("reports %s without the key", async (_, answer, code, exit) => {
    const { folder, open } = await rig(() => answer, { retryMs: 1 });
    const replies = await open().ask([request(0)]);
    expect(replies).toMatchObject({ ok: false, error: { code, exit } });
    expect(filesIn(folder)).toEqual([]);
    expect(JSON.stringify(replies)).not.toContain(KEY);
  });

  it("tries again as it is told, three times", async () => {
    const { server, open } = await rig((_, n) => (n < 3 ? { status: n === 0 ? 429 : 503, headers: { "retry-after-ms": "5" }, body: "{}" } : { content: "{}" }));
    expect((await open().ask([request(0)])).ok).toBe(true);
    expect(server.asked).toHaveLength(4);
    const always = await rig(() => ({ status: 503, headers: { "retry-after-ms": "5" }, body: "{}" }));
    expect(await always.open().ask([request(0)])).toMatchObject({ ok: false, error: { code: "teacher/down" } });
    expect(always.server.asked).toHaveLength(4);
  });

  it.each<[string, Answer, string]>([
    ["a refusal", { refusal: "I will not" }, "refused"],
    ["a filter", { content: "{", finish: "content_filter" }, "refused"],
    ["an answer cut off", { content: '{"a', finish: "length" }, "cut off"],
    ["an empty answer", { content: "" }, "empty"],
  ])("takes %s as paid and of no use, and asks again in the next run alone", async (_, answer, flaw) => {
    const { server, open } = await rig((_, n) => (n === 0 ? answer : { content: "{}" }), { price: { input: 1, output: 1 } });
    const first = open();
    for (let i = 0; i < 2; i++) expect(await first.ask([request(0)])).toMatchObject({ ok: true, value: [{ text: "", flaw, input: 1000, output: 100 }] });
    expect(server.asked).toHaveLength(1);
    expect(first.spending().flaws).toEqual({ [flaw]: 2 });
    // Settled, as what came after it did: taken as it is.
    expect(await open().ask([request(0)], { settled: () => true })).toMatchObject({ ok: true, value: [{ flaw }] });
    expect(server.asked).toHaveLength(1);
    const second = open();
    expect(await second.ask([request(0)])).toMatchObject({ ok: true, value: [{ text: "{}" }] });
    expect(second.spending().now).toBeCloseTo(1100 / 1e6, 12);
    expect(server.asked).toHaveLength(2);
    await open().ask([request(0)]);
    expect(server.asked).toHaveLength(2);
  });

  it("tries again what is no answer, and counts at its worst what may have to be paid for", async () => {
    const price = { input: 1, output: 1 };
    const once = (body: string) => rig((_, n) => (n === 0 ? { body } : { content: "{}" }), { price, retryMs: 1 });
    for (const [body, cut] of [
      ['{"choices":[{"message":{"content":"{', 1],
      ["", 1],
      ["<html>busy", 0],
      ["null", 0],
      ['{"error":{}}', 0],
    ] as const) {
      const { server, folder, open } = await once(body);
      const model = open({ budgetUsd: 1 });
      expect(await model.ask([request(0)]), body).toMatchObject({ ok: true });
      expect(server.asked).toHaveLength(2);
      expect(model.spending().cutOff, body).toBe(cut);
      const { paid, aside } = new Ledger(join(folder, "paid.jsonl")).read();
      expect(paid).toBeCloseTo(1100 / 1e6, 12);
      expect(aside, body).toBeCloseTo(cut * ((mostTokens(request(0)) + 50) / 1e6), 12);
    }
  });

  it.each<[string, string, RegExp]>([
    ["a page", "<html>\n<title>Bad gateway</title>", /an HTML page \("<html> <title>Bad gateway<\/title>"\)/],
    ["null", "null", /JSON \("null"\)/],
    ["a part", `{"choices":[{"message":{"content":"${"x".repeat(500)}`, /JSON that breaks off after 535 bytes \("\{"choices".{1,80}…"\), 4 times/],
    ["control characters and the key", `\u001b[31m{${KEY}`, /text \("\{\[redacted\]"\)/],
    ["nothing", "", /an empty body, 4 times/],
  ])("says what came where that is %s", async (_, body, words) => {
    const { open } = await rig(() => ({ body }), { retryMs: 1 });
    const replies = await open().ask([request(0)]);
    expect(replies.ok ? "" : replies.error.message).toMatch(words);
    expect(replies.ok ? "" : replies.error.message).not.toMatch(/unreachable|no answer from/);
  });

  it("counts a request at its worst that broke off on its way back, and nothing that never arrived", async () => {
    const { open, folder } = await rig();
    const breaking = createServer((request) => request.on("data", () => undefined).on("end", () => request.socket.destroy()));
    const port = await new Promise<number>((r) => breaking.listen(0, "127.0.0.1", () => r((breaking.address() as AddressInfo).port)));
    const o = { price: { input: 1, output: 1 }, retryMs: 1 };
    expect(await open({ ...o, baseUrl: `http://127.0.0.1:${port}/v1` }).ask([request(0)])).toMatchObject({ ok: false });
    await new Promise((r) => breaking.close(r));
    const paid = () => costsIn(folder);
    expect(paid()).toHaveLength(4);
    expect(await open({ ...o, baseUrl: `http://127.0.0.1:${port}/v1` }).ask([request(1)])).toMatchObject({ ok: false });
    expect(paid()).toHaveLength(4);
  });

  it("keeps a cost whole that follows a line which broke off", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "forge-hosted-")), "paid.jsonl");
    const ledger = new Ledger(path);
    await ledger.enter(1);
    appendFileSync(path, '{"us');
    await ledger.enter(2);
    await Promise.all([ledger.enter(3), ledger.enter(4)]);
    expect(allIn(path)).toBe(10);
    await Promise.all(Array.from({ length: 500 }, () => ledger.enter(1)));
    expect(allIn(path)).toBe(510);
  });

  it("has all that is underway in the ledger at its worst, so that no kill hides what it cost", async () => {
    const price = { input: 1000, output: 1000 };
    const { server, folder, open } = await rig(() => ({ content: "{}", delayMs: 300_000 }), { price, inFlight: 5 });
    const worst = (r: Request) => (mostTokens(r) * 1000 + 50 * 1000) / 1e6;
    // Never answered: as when the process is killed now.
    void open().ask(requests(40));
    while (server.asked.length < 5) await new Promise((r) => setTimeout(r, 5));
    const held = allIn(join(folder, "paid.jsonl"));
    const underway = requests(5).reduce((sum, r) => sum + worst(r), 0);
    expect(held).toBeGreaterThanOrEqual(underway - 1e-12);
    // Little more than that: one request of five to spare.
    expect(held).toBeLessThanOrEqual(underway * 1.25);
    // The next run has what is left of the budget, and no more.
    const { server: quick, open: after } = await rig(() => ({ content: "{}", usage: { prompt_tokens: 60, completion_tokens: 50 } }), {
      price,
      ledger: join(folder, "paid.jsonl"),
      inFlight: 5,
    });
    const cut = after({ budgetUsd: held + 2.5 * worst(request(0)) });
    expect((await cut.ask(requests(40))).ok).toBe(true);
    expect(cut.ended?.failure).toMatchObject({
      code: "teacher/budget",
      message: expect.stringMatching(/\$0\.\d+ paid, \$\d\.\d+ set aside for requests that were cut off or underway when a run was killed/),
    });
    expect(quick.asked.length * 0.11 + held).toBeLessThanOrEqual(held + 2.5 * worst(request(0)));
    expect(quick.asked.length).toBeGreaterThan(0);
  });

  it("holds nothing for a run that has ended, and never more than the budget", async () => {
    const price = { input: 1000, output: 1000 };
    const { folder, open } = await rig(() => ({ content: "{}", delayMs: 3, usage: { prompt_tokens: 20, completion_tokens: 10 } }), { price });
    const all = await open({ budgetUsd: 1 }).ask(requests(100));
    expect(all.ok && all.value.filter((r) => r.flaw === "not paid for").length).toBeGreaterThan(0);
    expect(allIn(join(folder, "paid.jsonl"))).toBeCloseTo(
      costsIn(folder).reduce((a, b) => a + b, 0),
      9,
    );
    const entries = readFileSync(join(folder, "paid.jsonl"), "utf8").trim().split("\n");
    let spent = 0;
    for (const { usd, held } of entries.map((line) => JSON.parse(line) as { usd?: number; held?: number })) {
      spent += usd ?? 0;
      expect((held ?? 0) + spent).toBeLessThanOrEqual(1 + 1e-9);
    }
  });

  it("leaves out what a model does not take, and asks again", async () => {
    const refuses = (param: string) => ({
      status: 400,
      body: JSON.stringify({ error: { message: `Unsupported parameter: '${param}'`, type: "invalid_request_error", param, code: "unsupported_parameter" } }),
    });
    const { server, open } = await rig((a) => {
      const asked = a as unknown as Record<string, unknown>;
      for (const param of ["temperature", "seed", "max_tokens"]) if (asked[param] !== undefined) return refuses(param);
      return { content: "{}" };
    });
    const replies = await open({ inFlight: 2 }).ask(requests(10));
    expect(replies.ok).toBe(true);
    expect(server.asked.length).toBeLessThanOrEqual(10 + 3 * 2);
    expect(server.asked.at(-1)).toMatchObject({ max_completion_tokens: 50, messages: expect.anything() });
    // Anything else that a server does not like is the request's fault.
    const { open: other } = await rig(() => refuses("messages"));
    expect(await other().ask([request(0)])).toMatchObject({ ok: false, error: { code: "teacher/request" } });
  });

  it("keeps no reply that holds a key", async () => {
    const { folder, open } = await rig(() => ({ content: JSON.stringify({ answer: `your key is ${KEY}` }) }));
    const replies = await open().ask([request(0)]);
    expect(replies).toMatchObject({ ok: true, value: [{ text: "", flaw: "secret" }] });
    expect(
      filesIn(folder)
        .map((f) => readFileSync(join(f.parentPath, f.name), "utf8"))
        .join(),
    ).not.toContain(KEY);
  });

  it("waits until the hour that a server names", () => {
    const e = (value: string) => Object.assign(new Error("429"), { status: 429, headers: new Headers({ "retry-after": value }) });
    expect(waitFor(e("2"), 500)).toBe(2000);
    const wait = waitFor(e(new Date(Date.now() + 20_000).toUTCString()), 500) as number;
    expect(wait).toBeGreaterThan(17_000);
    expect(wait).toBeLessThanOrEqual(20_000);
    expect(waitFor(e(new Date(Date.now() - 20_000).toUTCString()), 500)).toBe(0);
    expect(waitFor(e("soon"), 500)).toBe(500);
    expect(waitFor(e("999999"), 500)).toBe(60_000);
  });

  it("fails each cost that cannot be entered, and no later one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "forge-hosted-"));
    writeFileSync(join(folder, "sub"), "");
    const ledger = new Ledger(join(folder, "sub", "paid.jsonl"));
    const entered = await Promise.allSettled([ledger.enter(1), ledger.enter(2), ledger.enter(3)]);
    expect(entered.map((e) => e.status)).toEqual(["rejected", "rejected", "rejected"]);
    rmSync(join(folder, "sub"));
    await ledger.enter(4);
    expect(ledger.read().paid).toBe(4);
  });

  it("stops before the budget is passed, whatever is underway, and goes on from there with a larger one", async () => {
    const price = { input: 1000, output: 1000 };
    const { server, open } = await rig(() => ({ content: "{}", delayMs: 5, usage: { prompt_tokens: 20, completion_tokens: 10 } }), { price });
    const model = open({ budgetUsd: 1 });
    const replies = await model.ask(requests(100));
    // What was paid for is there, in its place; the rest says that it is not.
    expect(replies.ok && replies.value.filter((r) => r.text === "{}").length).toBe(server.asked.length);
    expect(replies.ok && replies.value.every((r) => r.text === "{}" || r.flaw === "not paid for")).toBe(true);
    expect(model.ended?.failure).toMatchObject({ code: "teacher/budget", exit: 1 });
    const spent = model.spending().usd ?? 0;
    expect(spent).toBeLessThanOrEqual(1);
    expect(spent).toBeGreaterThan(0.8);
    const paid = server.asked.length;
    expect((await open({ budgetUsd: 4 }).ask(requests(100))).ok).toBe(true);
    expect(server.asked).toHaveLength(100);
    expect(paid).toBeLessThan(100);
    // What was paid before counts: nothing new can be asked for under the same budget, and what is kept costs nothing.
    expect((await open({ budgetUsd: 1 }).ask(requests(100))).ok).toBe(true);
    expect(await open({ budgetUsd: 1 }).ask([request(100)])).toMatchObject({ ok: true, value: [{ flaw: "not paid for" }] });
    // Where it has ended, what is kept is answered all the same.
    const mixed = await open({ budgetUsd: 1 }).ask([request(100), request(5)]);
    expect(mixed.ok && mixed.value.map((r) => r.flaw)).toEqual(["not paid for", undefined]);
  });

  it("keeps enough of a budget for what follows on what it asks", async () => {
    const price = { input: 1000, output: 1000 };
    const { server, open } = await rig(() => ({ content: "{}", usage: { prompt_tokens: 20, completion_tokens: 10 } }), { price, inFlight: 2 });
    const model = open({ budgetUsd: 2 });
    const drafts = await model.ask(requests(100), { follow: () => 1 });
    const drafted = server.asked.length;
    const answers = await model.ask(requests(100 + drafted).slice(100));
    expect(drafted).toBeGreaterThan(10);
    expect(drafts.ok && drafts.value.filter((r) => r.flaw === undefined).length).toBe(drafted);
    // Every draft has its answer.
    expect(answers.ok && answers.value.every((r) => r.flaw === undefined)).toBe(true);
    // What was kept back is free again once it is said so, and no sooner.
    model.allFollowed();
    const more = await model.ask(requests(100), { follow: () => 1 });
    expect(more.ok && more.value.filter((r) => r.flaw === undefined).length).toBeGreaterThanOrEqual(drafted);
    expect(server.asked.length * 0.03).toBeLessThanOrEqual(2);
  });

  it("ends where whoever is told of a reply says so", async () => {
    const { server, open } = await rig(undefined, { inFlight: 2 });
    const failure = { code: "x", message: "enough", exit: 1 } as const;
    expect(await open().ask(requests(50), { onReply: (_, reply) => (reply.text === "" || server.asked.length < 5 ? undefined : failure) })).toEqual({
      ok: false,
      error: failure,
    });
    expect(server.asked.length).toBeLessThan(10);
  });

  it("stops before the budget is passed when new requests come before those that were paid for", async () => {
    const price = { input: 1000, output: 1000 };
    const { server, open } = await rig(() => ({ content: "{}", usage: { prompt_tokens: 20, completion_tokens: 10 } }), { price });
    await open({ budgetUsd: 1 }).ask(requests(20));
    await open({ budgetUsd: 1 }).ask([...requests(60).slice(20), ...requests(20)]);
    expect(server.asked.length * 0.03).toBeLessThanOrEqual(1);
  });

  it("counts a request at its worst that timed out", async () => {
    const { folder, open, server } = await rig(() => ({ content: "{}", delayMs: 400 }), { price: { input: 1, output: 1 }, timeoutMs: 50, retryMs: 1 });
    expect(await open().ask([request(0)])).toMatchObject({ ok: false, error: { code: "teacher/unreachable" } });
    expect(server.asked).toHaveLength(4);
    expect(costsIn(folder)).toHaveLength(4);
  });

  it("counts the most that is possible where a server counts no tokens", async () => {
    const { open } = await rig(() => ({ body: '{"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}]}' }), { price: { input: 1, output: 1 } });
    const model = open();
    await model.ask([request(0)]);
    expect(model.spending().output).toBe(50);
    expect(model.spending().input).toBeGreaterThan(10);
  });

  it("lets requests underway arrive when the run is interrupted, and starts no other", async () => {
    const interrupt = new AbortController();
    const { server, folder, open } = await rig(
      (_, n) => {
        if (n === 1) setTimeout(() => interrupt.abort(), 20);
        return { content: "{}", delayMs: 100 };
      },
      { inFlight: 2, signal: interrupt.signal },
    );
    expect(await open().ask(requests(10))).toMatchObject({ ok: false, error: { code: "teacher/interrupted", exit: 130 } });
    expect(server.asked).toHaveLength(2);
    expect(filesIn(folder)).toHaveLength(2);
  });

  it("starts nothing after an interruption that came while it waited for its turn", async () => {
    const interrupt = new AbortController();
    const { server, open } = await rig(() => ({ content: "{}" }), { inFlight: 4, rpm: 60, signal: interrupt.signal });
    setTimeout(() => interrupt.abort(), 100);
    expect(await open().ask(requests(8))).toMatchObject({ ok: false, error: { code: "teacher/interrupted" } });
    expect(server.asked).toHaveLength(1);
  });

  it("masks no word where the server wants no key", async () => {
    const { open } = await rig();
    open({ key: undefined as never });
    expect(redact("a nonexistent file, none")).toBe("a nonexistent file, none");
  });

  it("keeps the key out of every file and text", async () => {
    const { folder, open } = await rig((a) => ({ content: JSON.stringify({ answer: "fine", model: a.model }) }));
    await open().ask(requests(3));
    for (const f of filesIn(folder)) expect(readFileSync(join(f.parentPath, f.name), "utf8")).not.toContain(KEY);
    expect(redact(`key ${KEY}`)).toBe("key [redacted]");
  });
});

describe("a ledger", () => {
  it("never says less than may have been paid, nor more than a few requests beside it, whenever the run is killed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ lane: fc.integer({ min: 0, max: 3 }), ends: fc.constantFrom("came", "cut", "returns"), share: fc.integer({ min: 0, max: 100 }) }),
          {
            maxLength: 60,
          },
        ),
        fc.integer({ min: 1, max: 40 }),
        async (steps, worst) => {
          const path = join(mkdtempSync(join(tmpdir(), "forge-ledger-")), "paid.jsonl");
          const underway = new Underway(new Ledger(path));
          const lanes: boolean[] = [false, false, false, false];
          let certain = 0;
          for (const { lane, ends, share } of steps) {
            if (lanes[lane] !== true) await underway.leaves(worst, lanes.length, Number.POSITIVE_INFINITY);
            else if (ends === "returns") underway.returns(worst);
            else {
              const usd = ends === "cut" ? worst : (worst * share) / 100;
              await underway.came(worst, usd, ends === "cut");
              certain += usd;
            }
            lanes[lane] = lanes[lane] !== true;
            // As if it were killed now.
            const open = lanes.filter((l) => l).length * worst;
            const all = steps.length === 0 ? 0 : allIn(path);
            expect(all).toBeGreaterThanOrEqual(certain + open - 1e-9);
            // To spare: one request of four, and what never arrived.
            expect(all).toBeLessThanOrEqual(certain + (lanes.length + 1) * worst + 1e-9);
          }
          await underway.rests();
          const open = lanes.filter((l) => l).length * worst;
          expect(allIn(path)).toBeCloseTo(certain + open, 6);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("takes off what a killed run held that its replies have come to", () => {
    const path = join(mkdtempSync(join(tmpdir(), "forge-ledger-")), "paid.jsonl");
    const lines = [
      { usd: 1 },
      { run: "a", held: 8 },
      { usd: 0.5, run: "a", of: 2 },
      { usd: 2, run: "a", of: 2, cut: true },
      { run: "b", held: 3 },
      { run: "b", held: 0 },
    ];
    writeFileSync(path, lines.map((l) => JSON.stringify(l)).join("\n"));
    expect(new Ledger(path).read()).toEqual({ paid: 1.5, aside: 2 + 4 });
  });
});

describe("a budget", () => {
  it("is never passed, in any order of costs", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 100 })), { maxLength: 30 }),
        fc.integer({ min: 0, max: 300 }),
        async (plan, limit) => {
          const budget = new Budget(limit);
          await Promise.all(
            plan.map(async ([worst, share]) => {
              if (!(await budget.reserve(worst))) return;
              await Promise.resolve();
              budget.settle(worst, (worst * share) / 100);
              expect(budget.spent).toBeLessThanOrEqual(limit + 1e-9);
            }),
          );
        },
      ),
    );
  });
});

describe("the pace", () => {
  it("spaces requests by both limits", async () => {
    const pace = new Pace({ rpm: 1200, tpm: 60_000 });
    const started = performance.now();
    for (const tokens of [100, 10, 10]) await pace.turn(tokens);
    // The first takes 100 ms of the minute's tokens, the second 50 ms of its requests.
    expect(performance.now() - started).toBeGreaterThanOrEqual(148);
  });
});

describe("list prices", () => {
  it("know dated names", () => {
    expect(listPrice("gpt-4o-2024-08-06")).toEqual(listPrice("gpt-4o"));
    expect(listPrice("gpt-4o-audio")).toBeUndefined();
  });
});
