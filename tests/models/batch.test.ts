/** Requests by the Batch API, through the real SDK, against a server on this machine. */
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { Batches } from "../../src/models/hosted/batches.ts";
import { HostedModel, type HostedOptions, type Request } from "../../src/models/hosted/client.ts";
import { type BatchWays, type OpenAiServer, openAiServer } from "./openai-server.ts";

let server: OpenAiServer;
afterEach(() => server.close());

const request = (n: number): Request => ({ system: "s", user: `u${n}`, reply: { name: "answer", schema: { type: "object" } }, maxTokens: 50, seed: n });
const requests = (n: number) => Array.from({ length: n }, (_, i) => request(i));

async function rig(ways: BatchWays = {}) {
  server = await openAiServer((a) => ({ content: JSON.stringify({ seed: a.seed }) }));
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
      pollMs: 5,
      say: (m) => said.push(m),
      ...more,
    });
  return { folder, open, said };
}

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
  expect(again.spending()).toMatchObject({ requests: 9 });
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
  appendFileSync(file, `\n${JSON.stringify({ mark: "ffff", asked: ["aa"], worst: 1 })}\n`);
  expect(new Batches(file).open()).toHaveLength(2);
  server.ways = {};
  expect(seeds(await open().ask(requests(3)))).toEqual([0, 1, 2]);
  expect(server.batches.size).toBe(1);
  expect(new Batches(file).open()).toEqual([]);
});

it("keeps to the budget, what is under way counted at its worst", async () => {
  const { open } = await rig();
  const worst = await open({ budgetUsd: 0.00001 }).ask(requests(3));
  expect(!worst.ok && worst.error.code).toBe("teacher/budget");
  expect(server.batches.size).toBe(0);
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

it("says why a batch is refused", async () => {
  const { open } = await rig({ ends: "failed" });
  const refused = await open().ask(requests(2));
  expect(!refused.ok && refused.error.hint).toContain("no room for so many tokens");
  expect(!refused.ok && refused.error.details).toContain("Enqueued token limit");
});
