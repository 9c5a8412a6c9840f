/** `model: { family: NAME, source: SIZE }` through the real command: the hub is asked once, the lockfile pins, and what may not be reached or written is said. */
import { execFile } from "node:child_process";
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { getFamily } from "../../src/models/family.ts";
import { type Size, sizeOf } from "../../src/models/registry.ts";
import { COMMIT, type RegistryHub, standIn, startRegistryHub } from "../models/registry-hub.ts";

const bin = join(import.meta.dirname, "../../dist/forge.js");
const TIMEOUT = 60_000;
const TOKEN = "hf_aTokenThatNobodyElseMaySee";

const size = (name: string, source: string): Size => {
  const family = getFamily(name);
  const found = family.ok ? sizeOf(family.value, source) : undefined;
  if (found === undefined) throw new Error("no such size");
  return found;
};
const QWEN = size("qwen-2.5", "default");
const LLAMA = size("llama-3.2", "1b");

let room: string;
let dir: string;
let hub: RegistryHub;
let projects = 0;
beforeAll(() => {
  room = mkdtempSync(join(tmpdir(), "forge family ü "));
});
afterAll(() => rmSync(room, { recursive: true, force: true }));
beforeEach(async () => {
  dir = join(room, `project-${projects++}`);
  mkdirSync(join(dir, ".git"), { recursive: true });
  hub = await startRegistryHub([standIn(QWEN), standIn(LLAMA)]);
  recipe("{ family: qwen-2.5 }");
});
afterEach(() => hub.close());

const recipe = (model: string) => writeFileSync(join(dir, "forge.yaml"), `version: 1\nname: x\ntools:\n  - stub: weather\nmodel: ${model}\n`);
interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
const forge = (env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> =>
  new Promise((done) => {
    const world = {
      PATH: process.env.PATH,
      HOME: room,
      NO_COLOR: "1",
      MCP_FORGE_CACHE_DIR: join(room, "cache"),
      HF_ENDPOINT: hub.endpoint,
      NO_PROXY: "*",
      ...env,
    };
    execFile(process.execPath, [bin, ...args], { cwd: dir, env: world, timeout: TIMEOUT }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
const lock = () => readFileSync(join(dir, "forge.lock"), "utf8");

test(
  "the first apply asks the hub and pins; the next needs no network, and so does who gets the lockfile",
  async () => {
    const plan = await forge({}, "plan");
    expect([plan.code, plan.err]).toEqual([2, expect.stringContaining("qwen-2.5/14b is not pinned yet: `forge apply` asks the model hub")]);
    expect(plan.err).toContain("`forge models pin forge.yaml` does only that");
    expect(hub.asked).toEqual([]);
    expect(existsSync(join(dir, "forge.lock"))).toBe(false);

    // What reads no base model, and a look at what the teacher writes, need none that is pinned.
    expect((await forge({}, "plan", "--until", "inspect")).err).toBe("");
    const preview = await forge({}, "generate", "--preview", "1");
    expect([preview.code, preview.out], preview.err).toEqual([0, expect.stringContaining("1 conversation of")]);
    expect(existsSync(join(dir, "forge.lock"))).toBe(false);
    const inspected = await forge({}, "apply", "--until", "inspect");
    expect(inspected.code, inspected.err).toBe(0);
    const before = JSON.parse(lock()) as { recipe: { inspect: unknown } };
    expect(before).toEqual({ lockfileVersion: 1, recipe: { inspect: expect.anything() }, variants: {} });
    expect(hub.asked).toEqual([]);

    const locked = await forge({}, "apply", "--locked", "--until", "generate");
    expect([locked.code, locked.err]).toEqual([4, expect.stringContaining("forge.lock is not up to date: it does not pin the base model qwen-2.5/14b")]);
    expect(locked.err).toContain("or `forge models pin forge.yaml`");
    const offline = await forge({}, "apply", "--offline", "--until", "generate");
    expect([offline.code, offline.err]).toEqual([6, expect.stringContaining("qwen-2.5/14b is not pinned in the lockfile")]);
    expect(offline.err).toContain("forge models pin");
    expect(hub.asked).toEqual([]);

    appendFileSync(join(dir, "forge.yaml"), "data: { teacher: { provider: openai } }\n");
    // It ends at the teacher, for want of a key: the weights behind this hub's headers are none to go on with.
    const first = await forge({ HF_TOKEN: TOKEN }, "apply", "--until", "generate");
    expect([first.code, first.err]).toEqual([6, expect.stringContaining("OPENAI_API_KEY is not set")]);
    expect(first.err).toContain("asking the model hub for Qwen/Qwen2.5-14B-Instruct");
    expect(first.err).toContain(`pinned: qwen-2.5/14b is Qwen/Qwen2.5-14B-Instruct at ${COMMIT.slice(0, 12)}`);
    expect(JSON.parse(lock())).toMatchObject({ pins: { "qwen-2.5/14b": { found: { name: "qwen-2.5-14b" } } }, recipe: { inspect: before.recipe.inspect } });
    expect(lock() + first.out + first.err).not.toContain(TOKEN);
    expect(lock()).not.toContain(room);

    const asked = hub.asked.length;
    const again = await forge({}, "apply", "--offline", "--until", "inspect", "--json");
    expect(again.code, again.out + again.err).toBe(0);
    expect((await forge({}, "plan", "--until", "inspect")).code).toBe(0);
    // Another clone, another machine.
    const clone = join(room, `project-${projects++}`);
    mkdirSync(join(clone, ".git"), { recursive: true });
    for (const name of ["forge.yaml", "forge.lock"]) cpSync(join(dir, name), join(clone, name));
    dir = clone;
    const second = await forge({ HF_HUB_OFFLINE: "1" }, "apply", "--locked", "--until", "inspect");
    expect(second.code, second.out + second.err).toBe(0);
    expect(hub.asked.length).toBe(asked);
  },
  3 * TIMEOUT,
);

test(
  "a gated size says where its licence is accepted; `models pin` pins it alone, and steps on files go by ./forge.lock",
  async () => {
    recipe("{ family: llama-3.2, source: 1b }");
    hub.repositories.set(LLAMA.source.repository, { ...standIn(LLAMA), refuses: 401 });
    const refused = await forge({}, "models", "pin");
    expect([refused.code, refused.err]).toEqual([6, expect.stringContaining("accept its licence at https://huggingface.co/meta-llama/Llama-3.2-1B-Instruct")]);
    expect(refused.err).toContain("forge.yaml:5:");
    expect(existsSync(join(dir, "forge.lock"))).toBe(false);
    writeFileSync(join(dir, "data.jsonl"), "");
    const step = await forge({}, "train", "--data", "data.jsonl", "--stub", "weather", "--model", "llama-3.2/1b", "--output", "adapter");
    expect([step.code, step.err]).toEqual([4, expect.stringContaining("forge models pin llama-3.2/1b")]);
    // As the hub calls it.
    const named = await forge({}, "train", "--data", "data.jsonl", "--stub", "weather", "--model", LLAMA.source.repository, "--output", "adapter");
    expect([named.code, named.err]).toEqual([4, expect.stringContaining("(as a flag: llama-3.2/1b;")]);
    expect((await forge({}, "models", "pin", LLAMA.source.repository)).err).toContain("(as a flag: llama-3.2/1b;");

    hub.repositories.set(LLAMA.source.repository, standIn(LLAMA));
    const pinned = await forge({ HF_TOKEN: TOKEN }, "models", "pin", "llama-3.2/1b", "--json");
    expect(pinned.code, pinned.err).toBe(0);
    expect(JSON.parse(pinned.out)).toMatchObject({ pinned: "llama-3.2/1b", written: "new", name: "llama-3.2-1b", licence: "LicenseRef-llama3.2" });
    const info = await forge({}, "models", "info", "llama-3.2");
    expect(info.out).toMatch(/^source 1b .*gated: HF_TOKEN .*, pinned at 0123456789ab/m);
    expect(JSON.parse((await forge({}, "models", "info", "llama-3.2", "--json")).out)).toMatchObject({
      ...{ family: "llama-3.2", tool_call_syntax: "hermes", gguf_architecture: "llama", thinking: null, runtime: { recommended: "llama.cpp" } },
      sources: expect.arrayContaining([expect.objectContaining({ name: "1b", model: expect.objectContaining({ gated: true, pinned: COMMIT }) })]),
    });
    const nothing = await forge({}, "models", "pin", "nano");
    expect([nothing.code, nothing.out]).toEqual([0, expect.stringContaining("Nothing to pin")]);
  },
  3 * TIMEOUT,
);

test(
  "a pin that was edited is refused with the way out, which is taken only when it is asked for",
  async () => {
    expect((await forge({}, "models", "pin")).code).toBe(0);
    writeFileSync(join(dir, "forge.lock"), lock().replace(COMMIT, "f".repeat(40)));
    for (const command of [["plan"], ["apply"], ["status"], ["models", "pin"]]) {
      const r = await forge({}, ...command);
      expect([command[0], r.code, r.err]).toEqual([command[0], 4, expect.stringContaining("was edited, or merged by hand")]);
    }
    const update = await forge({}, "models", "pin", "--update");
    expect([update.code, update.out]).toEqual([0, expect.stringContaining("pinned anew: qwen-2.5/14b")]);
    expect((await forge({}, "plan")).code).toBe(2);
  },
  3 * TIMEOUT,
);
