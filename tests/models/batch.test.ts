/** Requests by the Batch API, through the real SDK, against a server on this machine. */
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { Batches } from "../../src/models/hosted/batches.ts";
import { HostedModel, type HostedOptions, type Request } from "../../src/models/hosted/client.ts";
import { mostTokens } from "../../src/models/hosted/wire.ts";
import { type BatchWays, type OpenAiServer, openAiServer } from "./openai-server.ts";

let server: OpenAiServer;
afterEach(() => server.close());

const request = (n: number): Request => ({ system: "s", user: `u${n}`, reply: { name: "answer", schema: { type: "object" } }, maxTokens: 50, seed: n });
const requests = (n: number) => Array.from({ length: n }, (_, i) => request(i));

async function rig(ways: BatchWays = {}, refusing = false) {
  server = await openAiServer((a) => ({ content: JSON.stringify({ seed: a.seed }), status: refusing ? 400 : 200 }));
  server.ways = ways;
  const folder = mkdtempSync(join(tmpdir(), "forge-batch-"));
  const said: string[] = [];
  const open = (more: Partial<HostedOptions> = {}) =>
    new HostedModel({
      baseUrl: server.url,
      keyName: "SOME_KEY",
      model: "m",
      temperature: 0.5,
      price: { input: 1, output: 2 },
      repliesFolder: folder,
      ledger: join(folder, "paid.jsonl"),
      batches: join(folder, "batches.jsonl"),
      batch: true,
      batchShare: 0.5,
      pollMs: 5,
      say: (m) => said.push(m),
      ...more,
    });
  /** A batch under way, of a run that was stopped. */
  const stopped = async (asked: readonly Request[]): Promise<void> => {
    server.ways = { looks: 1000 };
    const controller = new AbortController();
    const run = open({ signal: controller.signal }).ask(asked);
    const before = server.batches.size;
    while (server.batches.size === before) await new Promise((r) => setTimeout(r, 5));
    await new Promise((r) => setTimeout(r, 20));
    controller.abort();
    await run;
  };
  const underway = () => new Batches(join(folder, "batches.jsonl")).open();
  const paid = () =>
    readFileSync(join(folder, "paid.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((l) => (JSON.parse(l).usd ?? 0) as number)
      .reduce((a, b) => a + b, 0);
  return { folder, open, said, stopped, underway, paid };
}
/** US dollars that one reply costs in a batch, and that one may cost. */
const COST = 0.0006;

const seeds = (replies: Awaited<ReturnType<HostedModel["ask"]>>) => replies.ok && replies.value.map((r) => JSON.parse(r.text).seed);

it("answers all requests by one batch, in order, for half the price, and once", async () => {
  const { open, said, folder } = await rig();
  const model = open();
  expect(seeds(await model.ask(requests(7)))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect([...server.batches.values()]).toEqual([7]);
  expect(server.asked).toHaveLength(0);
  // 7 replies of 1,000 tokens read and 100 written.
  expect(model.spending().usd).toBeCloseTo((7 * (1000 * 1 + 100 * 2) * 0.5) / 1e6, 12);
  const paid = readFileSync(join(folder, "paid.jsonl"), "utf8").trim().split("\n");
  expect(paid.map((l) => JSON.parse(l).usd).reduce((a, b) => a + b, 0)).toBeCloseTo(0.0042, 12);
  expect(said.some((m) => /0 of 7 answered/.test(m))).toBe(true);
  const again = open();
  expect(seeds(await again.ask(requests(9)))).toHaveLength(9);
  expect([...server.batches.values()]).toEqual([7, 2]);
  expect(again.spending()).toMatchObject({ requests: 9, kept: 7 });
});

it("puts what a batch left unanswered into another, and gives up after three more", async () => {
  const { open } = await rig({ leavesOut: (n) => n % 2 === 1 });
  expect(seeds(await open().ask(requests(5)))).toEqual([0, 1, 2, 3, 4]);
  expect([...server.batches.values()]).toEqual([5, 2, 1]);
  const { open: never } = await rig({ leavesOut: () => true, ends: "expired" });
  const failed = await never().ask(requests(2));
  expect(!failed.ok && failed.error.message).toMatch(/2 requests came back without an answer from 4 batches/);
});

it("fetches the batch of a run that was stopped", async () => {
  const { open } = await rig({ looks: 1000 });
  const controller = new AbortController();
  const stopped = open({ signal: controller.signal }).ask(requests(4));
  while (server.batches.size === 0) await new Promise((r) => setTimeout(r, 5));
  controller.abort();
  const end = await stopped;
  expect(!end.ok && [end.error.code, end.error.message]).toEqual(["teacher/interrupted", "generation was interrupted; the batch goes on at the teacher's"]);
  server.ways = {};
  expect(seeds(await open().ask(requests(4)))).toEqual([0, 1, 2, 3]);
  expect([...server.batches.values()]).toEqual([4]);
});

it("finds a batch whose id was lost by the mark that it carries, and forgets one that never began", async () => {
  const { open, folder } = await rig({ looks: 1000 });
  const file = join(folder, "batches.jsonl");
  const controller = new AbortController();
  const stopped = open({ signal: controller.signal }).ask(requests(3));
  while (server.batches.size === 0) await new Promise((r) => setTimeout(r, 5));
  controller.abort();
  await stopped;
  // Killed between the answer and the line that keeps it; and once before anything was sent.
  const lines = readFileSync(file, "utf8").split("\n");
  writeFileSync(file, `${lines[0]}\n{"mark":"broke o`);
  appendFileSync(file, `\n${JSON.stringify({ mark: "ffff", asked: ["aa"], worst: 1, where: server.url })}\n`);
  expect(new Batches(file).open()).toHaveLength(2);
  server.ways = {};
  expect(seeds(await open().ask(requests(3)))).toEqual([0, 1, 2]);
  expect(server.batches.size).toBe(1);
  expect(new Batches(file).open()).toEqual([]);
});

it("keeps to the budget, what is under way counted at its worst", async () => {
  const { open } = await rig();
  const none = open({ budgetUsd: 0.00001 });
  const nothing = await none.ask(requests(3));
  expect(nothing.ok && nothing.value.map((r) => r.flaw)).toEqual(Array(3).fill("not paid for"));
  expect(none.ended?.failure.code).toBe("teacher/budget");
  expect(server.batches.size).toBe(0);
  // A part is asked for where there is room for a part, and nothing singly, at twice the price.
  const worst = ((mostTokens(requests(1)[0] as Request) + 2 * (requests(1)[0] as Request).maxTokens) / 1e6) * 0.5;
  const some = await open({ budgetUsd: 2.5 * worst }).ask(requests(3));
  expect(some.ok && some.value.map((r) => r.flaw)).toEqual([undefined, undefined, "not paid for"]);
  expect([...server.batches.values()]).toEqual([2]);
  expect(server.asked).toHaveLength(0);
  expect((await open({ budgetUsd: 1 }).ask(requests(3))).ok).toBe(true);
});

it("keeps what an earlier run's batch brought though this one wants nothing of it, and counts it once", async () => {
  const { open, folder } = await rig({ looks: 1000 });
  const controller = new AbortController();
  const stopped = open({ signal: controller.signal }).ask(requests(3));
  while (server.batches.size === 0) await new Promise((r) => setTimeout(r, 5));
  controller.abort();
  await stopped;
  server.ways = {};
  await open().ask([request(77)]);
  await open().ask([request(78)]);
  const paid = readFileSync(join(folder, "paid.jsonl"), "utf8").trim().split("\n");
  expect(paid).toHaveLength(5);
  expect(new Batches(join(folder, "batches.jsonl")).open()).toEqual([]);
});

it("counts a batch also where its requests were asked for singly meanwhile", async () => {
  const { open, stopped, paid, underway } = await rig();
  await stopped(requests(3));
  expect((await open({ batch: false }).ask(requests(3))).ok).toBe(true);
  expect(paid()).toBeCloseTo(3 * 2 * COST, 8);
  server.ways = {};
  expect((await open().ask(requests(3))).ok).toBe(true);
  expect(underway()).toEqual([]);
  expect(paid()).toBeCloseTo(3 * 2 * COST + 3 * COST, 8);
});

it("says why a batch is refused", async () => {
  const { open } = await rig({ ends: "failed" });
  const refused = await open().ask(requests(2));
  expect(!refused.ok && refused.error.hint).toContain("no room for so many tokens");
  expect(!refused.ok && refused.error.details).toContain("Enqueued token limit");
});

it("goes on where an earlier batch is under way that it wants nothing of, which counts in the budget at its worst", async () => {
  const { open, stopped, underway } = await rig();
  await stopped(requests(3));
  const model = open({ budgetUsd: 0.003 });
  server.ways = { looks: 1000 };
  for (let i = 0; i < 5; i++) expect((await model.ask([])).ok).toBe(true);
  server.ways = { looks: 1000, ends: "failed" };
  expect((await open().ask([])).ok).toBe(true);
  expect(underway()).toHaveLength(1);
  server.ways = { looks: 1, ends: "failed" };
  expect((await open().ask([])).ok).toBe(true);
  expect(underway()).toEqual([]);
});

it("fetches what is paid for, whatever the budget, and counts what was kept of it once", async () => {
  const { open, stopped, underway, paid, folder } = await rig();
  await stopped(requests(4));
  const [batch] = underway();
  // Killed while it kept the replies: two are there, the batch is open.
  server.ways = { looks: 1 };
  const first = open();
  await first.ask(requests(4));
  appendFileSync(join(folder, "batches.jsonl"), `${JSON.stringify(batch)}\n${JSON.stringify({ mark: batch?.mark, id: batch?.id })}\n`);
  expect(seeds(await open({ budgetUsd: 4.5 * COST }).ask(requests(4)))).toEqual([0, 1, 2, 3]);
  expect(paid()).toBeCloseTo(4 * COST, 12);
  expect(underway()).toEqual([]);
});

it("passes over a batch that is not there any more, and one of another server", async () => {
  const { open, folder, underway, said } = await rig();
  const file = join(folder, "batches.jsonl");
  const entry = (mark: string, where: string) =>
    appendFileSync(file, `${JSON.stringify({ mark, asked: ["aa"], worst: 1, where })}\n${JSON.stringify({ mark, id: "batch_404" })}\n`);
  entry("m1", server.url);
  entry("m2", "https://elsewhere.example/v1");
  expect(seeds(await open({ budgetUsd: 1.5 }).ask(requests(2)))).toEqual([0, 1]);
  expect(said.some((m) => m.includes("is not there any more"))).toBe(true);
  expect(underway().map((b) => b.mark)).toEqual(["m2"]);
});

it("asks one by one where batches are switched off, and fetches what an earlier one brought", async () => {
  const { open, stopped, said } = await rig();
  await stopped(requests(3));
  server.ways = { looks: 1000 };
  expect(seeds(await open({ batch: false }).ask([request(0), request(9)]))).toEqual([0, 9]);
  expect(server.asked).toHaveLength(2);
  expect(said.some((m) => m.includes("goes on at the teacher's and will cost beside"))).toBe(true);
  server.ways = { looks: 1 };
  expect(seeds(await open({ batch: false }).ask(requests(3)))).toEqual([0, 1, 2]);
  expect(server.asked).toHaveLength(2);
});

it.each([[{}], [null], [{ id: "x", status: "thinking" }], ["<html>"], [{ status: "failed", errors: { data: [{ message: null }] } }]])(
  "ends with a failure where a batch is said to be %j",
  async (says) => {
    const { open } = await rig({ says });
    const end = await open().ask(requests(2));
    expect(!end.ok && end.error.code).toMatch(/^teacher\//);
  },
);

it("looks for a batch whose beginning was not confirmed, and begins none again", async () => {
  const { open } = await rig({ creates: 504 });
  const lost = await open().ask(requests(3));
  expect(lost.ok).toBe(false);
  server.ways = { looks: 1 };
  expect(seeds(await open().ask(requests(3)))).toEqual([0, 1, 2]);
  expect(server.batches.size).toBe(1);
});

it("begins no other batch where the requests themselves are refused, or where it was cancelled", async () => {
  const { open } = await rig({ looks: 1 }, true);
  const refused = await open().ask(requests(2));
  expect(!refused.ok && [refused.error.message, refused.error.details]).toEqual(["the teacher refuses the batch", "no: 400"]);
  expect(server.batches.size).toBe(1);
  const { open: other } = await rig({ looks: 1, ends: "cancelled", leavesOut: (n) => n === 1 });
  const cancelled = await other().ask(requests(2));
  expect(!cancelled.ok && cancelled.error.message).toContain("cancelled");
  expect(server.batches.size).toBe(1);
});
