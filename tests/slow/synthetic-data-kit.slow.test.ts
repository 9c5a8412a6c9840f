/**
 * The real synthetic-data-kit through the built command: its environment is made on first need, what it asks goes by forge's own client, and
 * kills, budgets and stubborn hosts cost what they cost elsewhere. The host is on this machine and speaks OpenAI's interface.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ensureKitPython, kitVersion } from "../../src/runners/kit-env.ts";
import { World } from "../e2e/support/forge.ts";
import { type Answer, type Asked, goodTeacher, type OpenAiServer, openAiServer } from "../models/openai-server.ts";

let world: World;
let server: OpenAiServer | undefined;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  world.remove();
});

const recipe = (url: string, more = "", samples = 60) =>
  `version: 1\nname: x\ntools:\n  - stub: weather\nmodel: { family: nano }\ndata:\n  samples: ${samples}\n  augment: { by: synthetic-data-kit }\n` +
  `  teacher: { provider: openai-compatible, base_url: "${url}", model: m, price_usd: { input: 1, output: 2 }${more} }\nevaluation: { samples: 5 }\n`;
const isKits = (asked: Asked): boolean => asked.response_format.json_schema.name === "rewritten";
const messagesOf = ({ messages }: Asked): string[] => {
  const { content } = messages.at(-1) as { content: string };
  const conversation = JSON.parse(content.slice(content.lastIndexOf("Conversation:\n") + 14)) as { role: string; content: string }[];
  return conversation.filter((m) => m.role === "user").map((m) => m.content);
};
const anew = (asked: Asked): { role: string; content: string }[] =>
  messagesOf(asked).map((m) => ({ role: "user", content: `Could somebody tell me, no. ${asked.seed}: ${m}` }));
const host = (asked: Asked): Answer => (isKits(asked) ? { content: JSON.stringify({ conversation: anew(asked) }) } : goodTeacher(asked));

interface Line {
  readonly source: string;
  readonly messages: readonly {
    readonly role: string;
    readonly content: string | null;
    readonly tool_calls?: readonly { function: { arguments: string } }[];
  }[];
}
const train = (w = world): Line[] =>
  readFileSync(join(w.project, ".mcp-forge/data/train.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
const varied = (w = world) => train(w).filter((s) => s.source === "augmented");
const said = (s: Line) => s.messages.filter((m) => m.role === "user").map((m) => m.content ?? "");
const words = (o: OpenAiServer) => o.asked.map((a) => JSON.stringify([a.messages, a.seed]));
const everything = (): string =>
  readdirSync(world.project, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile())
    .map((f) => readFileSync(join(f.parentPath, f.name), "latin1"))
    .join("\n");
/** The kit's environment of the user's own cache, made once for all tests but the first. */
const ready = async (): Promise<NodeJS.ProcessEnv> => {
  const found = await ensureKitPython();
  if (!found.ok) throw new Error(`${found.error.message}\n${found.error.details ?? ""}`);
  return { MCP_FORGE_KIT_PYTHON: found.value.python };
};

it("makes its environment on first need, and writes the data once", async () => {
  server = await openAiServer(host);
  world.write("forge.yaml", recipe(server.url));
  const keys = { FORGE_TEACHER_API_KEY: "a-planted-key-7713", OPENAI_API_KEY: "sk-planted-never-sent-0001" };
  // A proxy that leads nowhere, for all but the host: the kit's way to forge is not by it.
  const env = { ...keys, HTTP_PROXY: "http://127.0.0.1:9", NO_PROXY: new URL(server.url).host };
  const first = await world.run(["generate", "--verbose"], env);
  expect(first.code, first.err + first.out).toBe(0);
  expect(first.err + first.out).toContain("making forge's own environment of synthetic-data-kit, once: about 0.1 GB");
  expect(readdirSync(join(world.cache, "python")).filter((n) => n.includes("-kit-py"))).toHaveLength(1);
  expect(new Set(server.asked.map((a) => a.key))).toEqual(new Set(["a-planted-key-7713"]));
  expect(varied().length).toBeGreaterThan(20);
  for (const s of varied()) {
    expect(
      said(s).every((m) => /^Could somebody tell me, no\. \d+: /.test(m)),
      JSON.stringify(s),
    ).toBe(true);
    for (const call of s.messages.flatMap((m) => m.tool_calls ?? []))
      expect(said(s).join(" ").toLowerCase()).toContain((JSON.parse(call.function.arguments) as { location: string }).location.toLowerCase());
  }
  expect(new Set(words(server)).size).toBe(server.asked.length);
  const paid = server.asked.length;
  expect((await world.run(["generate"], env)).code).toBe(0);
  expect(server.asked).toHaveLength(paid);
  world.write("forge.yaml", recipe(server.url, "", 70));
  const more = await world.run(["generate"], env);
  expect(more.code, more.err + more.out).toBe(0);
  expect(server.asked.length - paid).toBeLessThan(40);
  expect(new Set(words(server)).size).toBe(server.asked.length);
  expect(everything() + first.out + first.err + more.out + more.err).not.toMatch(/planted/);
});

it("goes on after a kill with what was paid for, to the same data", async () => {
  const env = await ready();
  server = await openAiServer((asked) => ({ ...host(asked), delayMs: isKits(asked) ? 120 : 0 }));
  world.write("forge.yaml", recipe(server.url));
  const kits = () => (server as OpenAiServer).asked.filter(isKits).length;
  for (const until of [5, 25]) {
    const run = world.start(["generate"], env);
    while (kits() < until) await sleep(10);
    run.process.kill("SIGKILL");
    await run.ended;
    expect(await world.processesAfter(6000)).toEqual([]);
  }
  const again = await world.run(["generate"], env);
  expect(again.code, again.err + again.out).toBe(0);
  // Only what was on its way was asked twice.
  expect(server.asked.length - new Set(words(server)).size).toBeLessThanOrEqual(2 * 16);
  const whole = new World();
  try {
    whole.write("forge.yaml", recipe(server.url));
    expect((await whole.run(["generate"], env)).code).toBe(0);
    expect(train()).toEqual(train(whole));
  } finally {
    whole.remove();
  }
});

it("takes what models make of JSON, does without what is none, and waits where it is told to", async () => {
  const env = await ready();
  let n = 0;
  server = await openAiServer((asked) => {
    if (!isKits(asked)) return goodTeacher(asked);
    const list = JSON.stringify(anew(asked));
    switch (n++ % 8) {
      case 0:
        return { content: `Sure! Here it is:\n\`\`\`json\n${list}\n\`\`\`` };
      case 1:
        return { content: `[${list}]` };
      case 2:
        return { content: "I cannot help with that." };
      case 3:
        return { status: 429, headers: { "retry-after-ms": "20" }, body: "{}" };
      case 4:
        return { status: 503, body: "{}" };
      case 5:
        return { content: JSON.stringify({ conversation: anew(asked).map((m) => ({ ...m, content: m.content.replace(/\p{Lu}\p{L}+/gu, "somewhere") })) }) };
      default:
        return { content: list, delayMs: 30 };
    }
  });
  world.write("forge.yaml", recipe(server.url));
  const run = await world.run(["generate"], env);
  expect(run.code, run.err + run.out).toBe(0);
  expect(varied().length).toBeGreaterThan(15);
  const called = varied().filter((s) => s.messages.some((m) => m.tool_calls !== undefined));
  expect(called.length).toBeGreaterThan(10);
  for (const s of called) for (const m of said(s)) expect(m).toMatch(/^Could somebody tell me, no\. \d+: /);
});

it("stops before the budget is passed, and says so in forge's words", async () => {
  const env = await ready();
  server = await openAiServer((asked) => ({ ...host(asked), usage: { prompt_tokens: 1000, completion_tokens: 500 } }));
  // Drafts and answers of this recipe take less, with the variations more.
  world.write("forge.yaml", recipe(server.url, ", budget_usd: 0.12"));
  const run = await world.run(["generate"], env);
  expect(run.code, run.out + run.err).toBe(0);
  expect(run.err + run.out).toMatch(/the teacher's budget has ended \(\$0\.\d+ paid\).*raise `data\.teacher\.budget_usd` from 0\.12/);
  expect(server.asked.length * 0.002).toBeLessThanOrEqual(0.12);
});

it("is refused in another version than the pinned one", async () => {
  server = await openAiServer(host);
  world.write("forge.yaml", recipe(server.url));
  const fake = join(import.meta.dirname, "../models/fake-kit.mjs");
  const run = await world.run(["generate"], { MCP_FORGE_KIT_PYTHON: fake, MCP_FORGE_FAKE_KIT: JSON.stringify({ versions: "3.11.7 0.0.4 3.57.0" }) });
  expect(run.code).toBe(6);
  expect(run.err + run.out).toContain(`has synthetic-data-kit 0.0.4; forge works with ${kitVersion()}`);
  // Before anything was paid for.
  expect(server.asked).toHaveLength(0);
});
