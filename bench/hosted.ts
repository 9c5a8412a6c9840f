/**
 * Data from a hosted teacher against what the latency alone would take: a server on this machine, in a process of its own, answers
 * every request after so many milliseconds; the real SDK, replies kept on disk, checks, duplicates.
 *
 *   npm run bench -- hosted [--samples 2000] [--latency 200] [--in-flight 64] [--peer DIR]
 *
 * One JSON line: seconds ours, seconds n · latency / in flight, their ratio. A second one: the same again from the kept replies. With `--peer` a third: the same number
 * of requests to the same server by distilabel (from pip, once, into DIR), which only asks: no result is checked, and no reply is kept.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { generate } from "../src/data/generate.ts";
import { planSynthesis } from "../src/data/plan.ts";
import { hostedTeacher } from "../src/data/teacher/hosted/index.ts";
import type { Toolset } from "../src/data/types.ts";
import { HostedModel } from "../src/models/hosted/client.ts";
import { packageRoot } from "../src/platform/paths.ts";
import { ok } from "../src/platform/result.ts";
import { machine } from "./lib.mjs";

const { values: o } = parseArgs({
  options: {
    samples: { type: "string", default: "2000" },
    latency: { type: "string", default: "200" },
    "in-flight": { type: "string", default: "64" },
    peer: { type: "string" },
  },
});
const PEER = ["distilabel[openai]==1.5.3", "openai==3.57.0", "requests", "pillow"];
const [samples, latency, inFlight] = [Number(o.samples), Number(o.latency), Number(o["in-flight"])];

/** Every request is for the one tool of the toolset, about a place that nobody asked about before. */
const SERVER = `
const { createServer } = require("node:http");
let n = 0;
const word = (k) => [...String(k)].map((d) => ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu"][d]).join("");
const server = createServer((request, response) => {
  request.resume().on("end", () => setTimeout(() => {
    const k = ++n;
    const turn = { user: word(k) + " " + word(k * 7) + " sky " + word(k * 31), call: { name: "look", arguments: JSON.stringify({ place: word(k) }) }, also_right: [], result: "{}", answer: "Clear over " + word(k) + "." };
    const content = JSON.stringify({ turns: [turn] });
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: "c" + k, object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content } }], usage: { prompt_tokens: 500, completion_tokens: 100, total_tokens: 600 } }));
  }, ${latency}));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

/** Seconds that distilabel takes for so many requests: from its first to its last answer, and its whole pipeline. */
function peerSeconds(dir: string, baseUrl: string, requests: number): { readonly seconds: number; readonly pipeline_seconds: number } {
  const python = join(dir, "bin", "python");
  if (!existsSync(python)) execFileSync("python3", ["-m", "venv", dir]);
  execFileSync(python, ["-m", "pip", "install", "--quiet", ...PEER], { stdio: ["ignore", "ignore", "inherit"] });
  const args = [join(packageRoot(), "bench/hosted_peer.py"), baseUrl, String(requests), String(inFlight), join(folder, "times")];
  const out = execFileSync(python, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 28 });
  return JSON.parse(out.trim().split("\n").at(-1) as string) as ReturnType<typeof peerSeconds>;
}

const toolset: Toolset = {
  version: 1,
  hash: "sha256:0",
  tools: [
    {
      name: "look",
      description: "Looks at the sky over a place",
      input_schema: { type: "object", properties: { place: { type: "string" } }, required: ["place"] },
      source: 0,
    },
  ],
} as unknown as Toolset;
const plan = planSynthesis({ toolset, samples, minPerTool: 0, scenarios: { standard: 1 }, evaluationSamples: 0, seed: 1 });
const slots = plan.train.map((s) => ({ ...s, kind: "plain" }));
const server = spawn(process.execPath, ["-e", SERVER], { stdio: ["ignore", "pipe", "inherit"] });
const folder = mkdtempSync(join(tmpdir(), "forge-bench-hosted-"));
try {
  const [port] = (await once(server.stdout, "data")) as [Buffer];
  const baseUrl = `http://127.0.0.1:${String(port).trim()}/v1`;
  let first: { seconds: number; requests: number } | undefined;
  for (const name of ["hosted_generation", "hosted_generation_kept"]) {
    const model = new HostedModel({
      baseUrl,
      key: "none",
      keyName: "NONE",
      model: "m",
      temperature: 0.7,
      repliesFolder: folder,
      ledger: join(folder, "paid.jsonl"),
      inFlight,
    });
    const started = performance.now();
    const made = await generate(
      { toolset, plan: { ...plan, train: slots } as typeof plan, seed: 1, session: null, answerPlain: async (q) => ok(q.map(() => "")) },
      hostedTeacher("bench", toolset, 1, model),
    );
    if (!made.ok) throw new Error(made.error.message);
    const ours = (performance.now() - started) / 1000;
    const { requests } = model.spending();
    first ??= { seconds: ours, requests };
    const peer = (requests * latency) / inFlight / 1000;
    console.log(
      JSON.stringify({
        name,
        ours: Number(ours.toFixed(2)),
        peer: Number(peer.toFixed(2)),
        ratio: Number((ours / peer).toFixed(3)),
        n: requests,
        samples: made.value.train.length,
        machine,
      }),
    );
  }
  if (o.peer !== undefined && first !== undefined) {
    const { seconds, pipeline_seconds } = peerSeconds(o.peer, baseUrl, first.requests);
    console.log(
      JSON.stringify({
        name: "hosted_generation_distilabel",
        ours: Number(first.seconds.toFixed(2)),
        peer: Number(seconds.toFixed(2)),
        ratio: Number((first.seconds / seconds).toFixed(3)),
        n: first.requests,
        peer_whole: Number(pipeline_seconds.toFixed(2)),
        machine,
      }),
    );
  }
} finally {
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
