/**
 * A hosted teacher whose tools are a real server's: the real SDK against a server on this machine, the filesystem MCP server as a process, its calls made.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { hostedTeacher } from "../../src/data/teacher/hosted/index.ts";
import type { GenerateInput, Sample } from "../../src/data/types.ts";
import { HostedModel } from "../../src/models/hosted/client.ts";
import { openTools } from "../../src/tools/open.ts";
import type { ToolSession } from "../../src/tools/types.ts";
import { type Answer, type Asked, goodTeacher, type OpenAiServer, openAiServer } from "../models/openai-server.ts";
import { answerPlain, WEIGHTS } from "./fixtures.ts";

const SERVER = join(import.meta.dirname, "../../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js");
const NAMES = Array.from({ length: 40 }, (_, i) => `note-${i}.txt`);
let dir: string;
let server: OpenAiServer;
let session: ToolSession;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "forge-hosted-tools-"));
  mkdirSync(join(dir, "notes"));
  for (const [i, name] of NAMES.entries()) writeFileSync(join(dir, "notes", name), `This is note ${i}.`);
  server = await openAiServer(aboutFiles);
  const opened = await openTools(
    [{ mcp: { command: process.execPath, args: [SERVER, "."] }, include: ["read_text_file", "get_file_info", "list_directory", "write_file"] }],
    { dir },
  );
  if (!opened.ok) throw new Error(opened.error.message);
  session = opened.value;
});
afterEach(async () => {
  await session.close();
  await server.close();
});

/** A good teacher's words about files, every fourth of them about one that is not there. */
function aboutFiles(asked: Asked): Answer {
  const said = JSON.parse(goodTeacher(asked).content as string) as {
    turns?: { user: string; call: { name: string; arguments: string } | null; also_right: unknown }[];
  };
  for (const turn of said.turns ?? []) {
    if (turn.call === null) continue;
    const name = turn.call.name === "get_weather" ? "read_text_file" : turn.call.name;
    const known = name === "list_directory" ? "notes" : `notes/${NAMES[asked.seed % NAMES.length]}`;
    const path = asked.seed % 4 === 0 ? `no-${known}` : known;
    turn.call = { name, arguments: JSON.stringify({ path, ...(name === "write_file" && { content: "Gone." }) }) };
    turn.also_right = [];
    turn.user += ` (${path})`;
  }
  return { content: JSON.stringify(said) };
}

async function make(samples: number, over: Partial<GenerateInput> = {}) {
  const { toolset } = session;
  const plan = planSynthesis({ toolset, samples, minPerTool: 3, scenarios: WEIGHTS, evaluationSamples: 10, seed: 7 });
  const repliesFolder = mkdtempSync(join(tmpdir(), "forge-teacher-"));
  const model = new HostedModel({
    baseUrl: server.url,
    key: "k",
    keyName: "K",
    model: "m",
    temperature: 0.7,
    repliesFolder,
    ledger: join(repliesFolder, "paid.jsonl"),
  });
  const r = await generate({ toolset, plan, seed: 7, session, answerPlain, ...over }, hostedTeacher("h/m", toolset, 7, model));
  if (!r.ok) throw new Error(r.error.message);
  return r.value;
}

const results = (s: Sample) => s.messages.flatMap((m) => (m.role === "tool" ? [m.content] : []));

it("tells what the server really gave back, keeps its errors for the error scenario, and changes nothing", async () => {
  const { train, heldout, statistics } = await make(60);
  expect(statistics.short).toEqual([]);
  expect(heldout.length).toBeGreaterThan(5);
  // A slot's last attempt is not executed: a tool may refuse whatever it is asked.
  const read = train.filter((s) => s.scenario === "standard" && s.tool_name === "read_text_file" && s.simulated !== true);
  expect(read.length).toBeGreaterThan(3);
  for (const s of read) {
    const call = s.messages.findLast((m) => m.role === "assistant" && m.tool_calls !== undefined);
    const { path } = JSON.parse((call?.role === "assistant" && call.tool_calls?.[0]?.function.arguments) || "{}") as { path: string };
    const content = readFileSync(join(dir, path), "utf8");
    expect(results(s).at(-1)).toBe(content);
    expect(s.messages.at(-1)?.content).toBe(`The tool says: ${content}`);
  }
  const failed = train.filter((s) => s.scenario === "error" && s.kind === "error");
  const real = failed.filter((s) => results(s).some((r) => r.includes("ENOENT")));
  expect(real.length).toBeGreaterThan(0);
  for (const s of failed) expect(s.simulated === true, JSON.stringify(s)).toBe(!real.includes(s));
  for (const s of real) expect(s.messages.at(-1)?.content).toMatch(/^Sorry, that failed: .*ENOENT/);
  // Tools that write are not called: their results are the teacher's, and marked.
  const written = train.filter((s) => s.scenario === "standard" && s.tool_name === "write_file" && s.kind === "plain");
  expect(written.length).toBeGreaterThan(0);
  for (const s of written) expect(s.simulated).toBe(true);
  expect(readdirSync(join(dir, "notes")).sort()).toEqual([...NAMES].sort());
  for (const [i, name] of NAMES.entries()) expect(readFileSync(join(dir, "notes", name), "utf8")).toBe(`This is note ${i}.`);
});

it("makes no more calls than a server may be sent, and says so", async () => {
  const { train, statistics } = await make(30, { callsPerServer: 10 });
  expect(statistics.calls.executed).toBe(10);
  expect(statistics.warnings[0]).toMatch(/^mcp:node .* was sent 10 calls, the most that `data\.calls_per_server` allows; \d+ more were not made/);
  expect(train.some((s) => s.simulated === true && s.tool_name === "read_text_file")).toBe(true);
});
