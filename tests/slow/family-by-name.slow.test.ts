/**
 * A model of the hub by its family's name through the whole pipeline: pinned, fetched, trained, exported, run in llama.cpp, packed, and on another machine the same again from the
 * lockfile alone. And every family's kind of vocabulary and architecture, by a tiny random model that transformers wrote. The recipe's gates ask for nothing.
 */
import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { findSize } from "../../src/models/add/size.ts";
import { getFamily } from "../../src/models/family.ts";
import { contextOf, licenceOfSize, type Size, sizeOf, sizeWord } from "../../src/models/registry.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { ensurePython } from "../../src/runners/python-env.ts";
import { COMMIT, type RegistryHub, type Repository, startRegistryHub } from "../models/registry-hub.ts";

const bin = join(import.meta.dirname, "../../dist/forge.js");
const MINUTE = 60_000;

const size = (name: string, source: string): Size => {
  const family = getFamily(name);
  const found = family.ok ? sizeOf(family.value, source) : undefined;
  if (found === undefined) throw new Error("no such size");
  return found;
};
/** Which of the tiny models (python/tests/own_models.py) is of a size's kind. */
const KINDS: readonly (readonly [kind: string, Size])[] = [
  ["qwen2", size("qwen-2.5", "0.5b")],
  ["qwen3", size("qwen-3", "0.6b")],
  ["deepseek-r1", size("deepseek-r1", "llama-8b")],
  ["llama-3", size("llama-3.1", "8b")],
  ["llama-3", size("llama-3.2", "1b")],
  ["mistral", size("mistral", "nemo")],
  ["glm-4", size("glm-4", "9b")],
  ["gemma-3", size("gemma-3", "1b")],
  ["phi-4", size("phi-4", "14b")],
  ["llama-chatml", size("smollm2", "360m")],
];

let room: string;
let python: string;
beforeAll(async () => {
  room = mkdtempSync(join(tmpdir(), "forge-names-"));
  const found = await ensurePython({ signal: new AbortController().signal });
  if (!found.ok) throw new Error(found.error.message);
  python = found.value.python;
}, 3 * MINUTE);
afterAll(() => rmSync(room, { recursive: true, force: true }));

/** A tiny model of that kind with the window of the size, as a repository of the hub. */
function tiny(kind: string, s: Size): Repository {
  const folder = join(room, "tiny", sizeWord(s));
  mkdirSync(folder, { recursive: true });
  const made = spawnSync(python, [join(packageRoot(), "python", "tests", "own_models.py"), kind, folder, `${contextOf(s)}`], {
    encoding: "utf8",
    env: { ...process.env, PYTHONPATH: join(packageRoot(), "python"), PYTHONDONTWRITEBYTECODE: "1" },
  });
  if (made.status !== 0) throw new Error(made.stderr);
  const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  return {
    id: s.source.repository,
    commit: COMMIT,
    licence: licenceOfSize(s)
      .replace(/^LicenseRef-/, "")
      .toLowerCase(),
    files,
  };
}

describe("every family", () => {
  it.each(KINDS.map(([kind, s]) => [sizeWord(s), kind, s] as const))(
    "%s takes a real model of its kind (%s)",
    async (_word, kind, s) => {
      const hub = await startRegistryHub([tiny(kind, s)]);
      vi.stubEnv("HF_ENDPOINT", hub.endpoint);
      try {
        const warnings: string[] = [];
        const found = await findSize(s, { signal: new AbortController().signal, onWarning: (w) => warnings.push(w) });
        if (!found.ok) throw new Error(`${found.error.message} ${found.error.hint}`);
        expect(found.value.tokenizer).toBe(s.source.tokenizer ?? s.family.tokenizer);
        expect(warnings).toEqual([expect.stringContaining("what it says of memory is of another size")]);
      } finally {
        vi.unstubAllEnvs();
        await hub.close();
      }
    },
    2 * MINUTE,
  );
});

describe.sequential("a recipe that names one", () => {
  const S = size("deepseek-r1", "llama-8b");
  const recipe = `version: 1
name: tiny
seed: 3
tools: [{ stub: weather }]
model: { family: deepseek-r1 }
profile: fast_dev
data: { samples: 24, min_per_tool: 4 }
evaluation: { samples: 4, constrained: false }
gates:
  qa: { schema_pass_rate: 0.9, min_samples_per_tool: 4 }
  validate: { tool_call_parse_rate: 0, schema_conformance_rate: 0, tool_selection_accuracy: 0, loop_completion_rate: 0, error_handling_rate: 0 }
  benchmark: { no_tool_correctness: 0 }
variants:
  plain: { model: { family: qwen-2.5, source: 0.5b } }
`;
  let hub: RegistryHub;
  const project = (name: string) => join(room, name);
  const forge = (dir: string, env: NodeJS.ProcessEnv, ...args: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((done) => {
      const all = { ...process.env, NO_COLOR: "1", NO_PROXY: "*", MCP_FORGE_PYTHON: python, MCP_FORGE_CACHE_DIR: join(room, "cache"), ...env };
      execFile(process.execPath, [bin, ...args], { cwd: project(dir), env: all, timeout: 12 * MINUTE, maxBuffer: 1 << 26 }, (error, out, err) =>
        done({ code: error === null ? 0 : Number(error.code), out, err }),
      );
    });
  beforeAll(async () => {
    mkdirSync(join(project("first"), ".git"), { recursive: true });
    writeFileSync(join(project("first"), "forge.yaml"), recipe);
    hub = await startRegistryHub([tiny("deepseek-r1", S), tiny("qwen2", size("qwen-2.5", "0.5b"))]);
  }, 3 * MINUTE);
  afterAll(() => hub.close());

  it(
    "goes the whole way, and its bundle says what it was made of",
    async () => {
      const r = await forge("first", { HF_ENDPOINT: hub.endpoint }, "apply");
      expect(r.code, r.out + r.err).toBe(0);
      const bundle = join(project("first"), "dist", "tiny");
      const prompt = JSON.parse(readFileSync(join(bundle, "prompt_template.json"), "utf8")) as object;
      expect(prompt).toMatchObject({ family: "deepseek-r1-llama-8b", template: "deepseek-r1-thinking.jinja" });
      const agent = readFileSync(join(bundle, "agent.yaml"), "utf8");
      expect(agent).toContain("deepseek-ai/DeepSeek-R1-Distill-Llama-8B");
      expect(agent).toContain(COMMIT);
      expect(agent).toMatch(/supports_thinking: true/);
      const verified = await forge("first", { HF_HUB_OFFLINE: "1" }, "verify-bundle", "dist/tiny");
      expect(verified.code, verified.out + verified.err).toBe(0);
    },
    15 * MINUTE,
  );

  it(
    "needs no network a second time, and has another pin for its variant",
    async () => {
      const asked = hub.asked.length;
      const again = await forge("first", { HF_ENDPOINT: hub.endpoint }, "apply", "--offline");
      expect(again.code, again.out + again.err).toBe(0);
      expect(hub.asked.length).toBe(asked);
      const variant = await forge("first", { HF_ENDPOINT: hub.endpoint }, "train", "--variant", "plain");
      expect(variant.code, variant.out + variant.err).toBe(0);
      const { pins } = JSON.parse(readFileSync(join(project("first"), "forge.lock"), "utf8")) as { pins: object };
      expect(Object.keys(pins)).toEqual(["deepseek-r1/llama-8b", "qwen-2.5/0.5b"]);
    },
    15 * MINUTE,
  );

  it(
    "gets the same bytes on another machine, and refuses others that are served at the same commit",
    async () => {
      mkdirSync(join(project("second"), ".git"), { recursive: true });
      for (const name of ["forge.yaml", "forge.lock"]) cpSync(join(project("first"), name), join(project("second"), name));
      const world = { HF_ENDPOINT: hub.endpoint, MCP_FORGE_CACHE_DIR: join(room, "second-cache") };
      const repository = hub.repositories.get(S.source.repository) as Repository;
      const whole = repository.files;
      const weights = Buffer.from(whole.get("model.safetensors") as Buffer);
      weights[weights.length - 1] = (weights.at(-1) as number) ^ 1;
      repository.files = new Map(whole).set("model.safetensors", weights);
      const refused = await forge("second", world, "apply", "--locked", "--until", "generate");
      expect([refused.code, refused.err]).toEqual([expect.any(Number), expect.stringContaining("is not the file that forge knows")]);
      expect(refused.code).not.toBe(0);
      repository.files = whole;
      const taken = await forge("second", world, "apply", "--locked", "--until", "generate");
      expect(taken.code, taken.out + taken.err).toBe(0);
      const digest = (cache: string): Buffer => {
        const [made] = readdirSync(join(room, cache, "models")).filter((n) => n.startsWith("deepseek-r1-llama-8b-"));
        return readFileSync(join(room, cache, "models", made as string, "model.gguf"));
      };
      expect(digest("second-cache").equals(digest("cache"))).toBe(true);
    },
    10 * MINUTE,
  );
});
