/**
 * What may be executed, with servers that count what they are asked to do: through the session itself, through
 * generation, through tool loops and through `try`, nothing outside the policy ever reaches a server.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openSources } from "../../src/bundle/try.ts";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { runLoops } from "../../src/evaluation/loop.ts";
import { getFamily } from "../../src/models/family.ts";
import { createRenderer } from "../../src/models/render.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import type { Agent } from "../../src/schemas/generated/agent.ts";
import { openTools } from "../../src/tools/open.ts";
import { fits } from "../../src/tools/select.ts";
import type { ExecutePolicy, ToolSession } from "../../src/tools/types.ts";
import { answerPlain, WEIGHTS } from "../data/fixtures.ts";
import { oneCase, scripted, call as written } from "../evaluation/rig.ts";
import { fakeServer } from "./rig.ts";

/** Two tools that read and two that write, every call on record before it is answered. */
const COUNTING = `
import { appendFileSync } from "node:fs";
const text = { type: "string", description: "The name of a note." };
const make = (name, description, hints) => tool(name, { description, annotations: hints, inputSchema: { type: "object", properties: { note: text }, required: ["note"] } });
on["tools/list"] = () => ({ tools: [
  make("read_note", "Read a note.", { readOnlyHint: true }), make("find_note", "Find a note.", { readOnlyHint: true }),
  make("delete_note", "Delete a note.", { destructiveHint: true }), make("share_note", "Share a note."),
] });
on["tools/call"] = (p) => { appendFileSync("calls", p.name + "\\n"); return { content: [{ type: "text", text: JSON.stringify({ note: p.arguments.note, lines: 12 }) }] }; };`;
const ALL = ["read_note", "find_note", "delete_note", "share_note"];

const POLICIES: readonly (readonly [ExecutePolicy | undefined, readonly string[]])[] = [
  [undefined, ["read_note", "find_note"]],
  ["read_only", ["read_note", "find_note"]],
  ["none", []],
  ["all", ALL],
  [["share_note"], ["share_note"]],
  [[], []],
];

async function counting(
  execute: ExecutePolicy | undefined,
  prefix?: string,
): Promise<{ session: ToolSession; asked: () => string[]; agent: Agent; dir: string }> {
  const { source, dir } = fakeServer(COUNTING);
  const stated = { mcp: source.mcp ?? {}, ...(execute === undefined ? {} : { execute }), ...(prefix === undefined ? {} : { prefix }) };
  const session = await openTools([stated], { dir });
  if (!session.ok) throw new Error(session.error.message);
  const file = join(dir, "calls");
  const asked = (): string[] => (existsSync(file) ? [...new Set(readFileSync(file, "utf8").split("\n").filter(Boolean))].sort() : []);
  const agent = { toolset: { sources: [{ ...stated, execute: execute ?? "read_only" }] } } as unknown as Agent;
  return { session: session.value, asked, agent, dir };
}

describe.each(POLICIES)("execute: %j", (policy, allowed) => {
  const expected = [...allowed].sort();

  it("binds the session, whatever is asked of it", async () => {
    const { session, asked } = await counting(policy);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ALL, "delete-note", "DELETE_NOTE", "__proto__", "constructor", ""),
        fc.dictionary(fc.string(), fc.string()),
        async (name, args) => {
          const may = allowed.includes(name);
          expect(session.canExecute(name)).toBe(may);
          expect((await session.call(name, args)).executed).toBe(may);
        },
      ),
      { numRuns: 60 },
    );
    for (const name of ALL) await session.call(name, { note: "x" });
    await session.close();
    expect(asked()).toEqual(expected);
  });

  it("binds generation; the rest is simulated", async () => {
    const { session, asked } = await counting(policy);
    const plan = planSynthesis({ toolset: session.toolset, samples: 60, minPerTool: 8, scenarios: WEIGHTS, evaluationSamples: 20, seed: 3 });
    const made = await generate({ toolset: session.toolset, plan, seed: 3, session, answerPlain });
    await session.close();
    if (!made.ok) throw new Error(made.error.message);
    expect(asked()).toEqual(expected);
    expect(made.value.statistics.calls.executed > 0).toBe(allowed.length > 0);
    if (allowed.length < ALL.length) expect(made.value.statistics.calls.simulated).toBeGreaterThan(0);
  });

  it("binds tool loops and try, though the model calls everything", async () => {
    const { session, asked, agent, dir } = await counting(policy);
    await session.close();
    const notes: string[] = [];
    const tried = await openSources(agent, session.toolset.hash, notes, { allowServers: true, cwd: dir });
    if (!tried.ok || tried.value === null) throw new Error("it did not open");
    const family = getFamily("smollm2");
    if (!family.ok) throw new Error(family.error.message);
    const records = await runLoops({
      engine: scripted((turn) => (ALL.includes(turn) ? written(turn, { note: "x" } as JsonObject) : "Done.")),
      renderer: createRenderer(family.value),
      toolset: tried.value.toolset,
      cases: ALL.map((name) => oneCase(name, name, [{ name, arguments: { note: ["x"] } }])),
      session: tried.value,
    });
    await tried.value.close();
    if (!records.ok) throw new Error(records.error.message);
    expect(records.value.flatMap((r) => r.steps.flatMap((s) => s.results.map((x) => x.origin === "executed")))).toEqual(ALL.map((n) => allowed.includes(n)));
    expect(asked()).toEqual(expected);
  });
});

it("is not started by `try` unless that is allowed", async () => {
  const { session, asked, agent } = await counting("all");
  await session.close();
  const notes: string[] = [];
  expect(await openSources(agent, session.toolset.hash, notes, {})).toEqual({ ok: true, value: null });
  expect(notes.join()).toContain("not started");
  expect(asked()).toEqual([]);
});

describe("a prefix", () => {
  it("is in the names that the model and the policy use, and not in those that the server gets", async () => {
    const { session, asked } = await counting(["n_delete_note"], "n_");
    expect(session.toolset.tools.map((t) => t.name)).toEqual(ALL.map((n) => `n_${n}`));
    expect(await session.call("delete_note", { note: "a" })).toMatchObject({ executed: false });
    expect(await session.call("n_read_note", { note: "a" })).toMatchObject({ executed: false });
    expect(await session.call("n_delete_note", { note: "a" })).toMatchObject({ executed: true });
    await session.close();
    expect(asked()).toEqual(["delete_note"]);
  });

  it("settles a clash of two sources, which is refused without one", async () => {
    const a = fakeServer("");
    const clash = await openTools([a.source, a.source], { dir: a.dir });
    expect(clash).toMatchObject({ ok: false, error: { code: "tools/duplicate-name", hint: expect.stringContaining("prefix: a_") } });
    const session = await openTools([a.source, { ...a.source, prefix: "b." }], { dir: a.dir });
    if (!session.ok) throw new Error(session.error.message);
    expect(session.value.toolset.tools.map((t) => t.name)).toEqual(["ping", "b.ping"]);
    expect((await session.value.call("b.ping", {})).text).toBe("pong");
    await session.value.close();
  });

  it("may not make a name that is none", async () => {
    const a = fakeServer(`on["tools/list"] = () => ({ tools: [tool("t".repeat(120))] });`);
    expect(await openTools([{ ...a.source, prefix: "far_too_long_" }], { dir: a.dir })).toMatchObject({ ok: false, error: { code: "tools/invalid-name" } });
  });
});

describe("some of a source's tools", () => {
  const several = () => fakeServer(`on["tools/list"] = () => ({ tools: ["get_a", "get_b", "drop_a", "ping"].map((n) => tool(n)) });`);
  const names = async (source: object) => {
    const a = several();
    const session = await openTools([{ ...a.source, ...source }], { dir: a.dir });
    if (!session.ok) return session.error;
    await session.value.close();
    return session.value.toolset.tools.map((t) => t.name);
  };

  it("are those that are included and not excluded", async () => {
    expect(await names({ include: ["get_*", "ping"] })).toEqual(["get_a", "get_b", "ping"]);
    expect(await names({ exclude: ["*_a"] })).toEqual(["get_b", "ping"]);
    expect(await names({ include: ["n.get_*"], exclude: ["n.get_b"], prefix: "n." })).toEqual(["n.get_a"]);
  });

  it("need no schema that can be used where they are left out", async () => {
    const bad = () =>
      fakeServer(
        `on["tools/list"] = () => ({ tools: [tool("good"), { ...tool("bad"), inputSchema: { type: "object", properties: { a: { type: "strin" } } } }] });`,
      );
    const open = async (source: object) => {
      const a = bad();
      const session = await openTools([{ ...a.source, ...source }], { dir: a.dir });
      if (!session.ok) return session.error;
      await session.value.close();
      return session.value.toolset.tools.map((t) => t.name);
    };
    expect(await open({})).toMatchObject({ code: "tools/invalid-schema", hint: expect.stringContaining("exclude: [bad]") });
    expect(await open({ exclude: ["bad"] })).toEqual(["good"]);
    expect(await open({ prefix: "p_", include: ["p_good"] })).toEqual(["p_good"]);
  });

  it("can be named wrongly, which is told with the names that there are", async () => {
    expect(await names({ include: ["get_c"] })).toMatchObject({ code: "tools/unknown-tool", exit: 4, hint: expect.stringContaining("get_a, get_b") });
    expect(await names({ exclude: ["put_*"] })).toMatchObject({ code: "tools/unknown-tool", message: expect.stringContaining("`exclude`") });
    expect(await names({ include: ["get_a"], exclude: ["get_*"] })).toMatchObject({ code: "tools/no-tools" });
  });

  it("are nothing to the model: what is left out cannot be called", async () => {
    const a = several();
    const session = await openTools([{ ...a.source, execute: "all", exclude: ["drop_*"] }], { dir: a.dir });
    if (!session.ok) throw new Error(session.error.message);
    expect(session.value.canExecute("drop_a")).toBe(false);
    expect(await session.value.call("drop_a", {})).toMatchObject({ executed: false });
    await session.value.close();
  });

  it("fit a pattern as a regular expression of the same meaning would have it", () => {
    const part = fc.stringMatching(/^[ab_*]{0,8}$/);
    fc.assert(
      fc.property(part, fc.stringMatching(/^[ab_]{0,12}$/), (pattern, name) => {
        expect(fits(name, pattern)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(name));
      }),
    );
  });
});

it("ends generation when the server dies, instead of making up the rest", async () => {
  const { source, dir } = fakeServer(
    `${COUNTING}\nlet n = 0; const answer = on["tools/call"]; on["tools/call"] = (p) => (++n > 5 ? process.exit(9) : answer(p));`,
    {},
    "all",
  );
  const session = await openTools([source], { dir });
  if (!session.ok) throw new Error(session.error.message);
  const { toolset } = session.value;
  const plan = planSynthesis({ toolset, samples: 60, minPerTool: 8, scenarios: WEIGHTS, evaluationSamples: 20, seed: 3 });
  const made = await generate({ toolset, plan, seed: 3, session: session.value, answerPlain });
  await session.value.close();
  expect(made).toMatchObject({ ok: false, error: { code: "tools/server-exited", message: expect.stringContaining("with code 9") } });
});
