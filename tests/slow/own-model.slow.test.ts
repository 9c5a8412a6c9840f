/**
 * A model of one's own through the real command: looked at, pinned, trained, exported, run in llama.cpp, packed; from a folder in the hub's form and
 * from a GGUF. It is tiny and random, so the recipe's gates ask for nothing: what is proven is that the parts fit.
 */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { gitBlob } from "../../src/models/add/files.ts";
import { ggufHeader } from "../../src/models/gguf.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { ensurePython } from "../../src/runners/python-env.ts";
import type { Agent } from "../../src/schemas/generated/agent.ts";
import type { PromptTemplate } from "../../src/schemas/generated/prompt-template.ts";
import { give, listen } from "../models/hub-server.ts";

const bin = join(import.meta.dirname, "../../dist/forge.js");
const MINUTE = 60_000;

const recipe = (family: string): string => `version: 1
name: tiny
seed: 3
tools: [{ stub: weather }]
model: { family: ${family} }
profile: fast_dev
data: { samples: 24, min_per_tool: 4 }
evaluation: { samples: 8, constrained: false }
gates:
  qa: { schema_pass_rate: 0.9, min_samples_per_tool: 4 }
  validate: { tool_call_parse_rate: 0, schema_conformance_rate: 0, tool_selection_accuracy: 0, loop_completion_rate: 0, error_handling_rate: 0 }
  benchmark: { no_tool_correctness: 0 }
`;

let dir: string;
let python: string;
const project = () => join(dir, "project");
const forge = (...args: string[]): { code: number | null; stdout: string; stderr: string } => {
  const env = { ...process.env, NO_COLOR: "1", MCP_FORGE_PYTHON: python, MCP_FORGE_CACHE_DIR: join(dir, "cache"), HF_HUB_OFFLINE: "1" };
  const r = spawnSync(process.execPath, [bin, ...args], { cwd: project(), encoding: "utf8", timeout: 8 * MINUTE, env });
  return { code: r.status, stdout: r.stdout, stderr: r.stderr };
};
/** The same beside a server of this process. */
const forgeMeanwhile = (env: NodeJS.ProcessEnv, ...args: string[]): Promise<ReturnType<typeof forge>> =>
  new Promise((done) => {
    const all = { ...process.env, NO_COLOR: "1", MCP_FORGE_PYTHON: python, ...env };
    execFile(process.execPath, [bin, ...args], { cwd: project(), env: all, timeout: 3 * MINUTE }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
const changed = (file: string): string[] => {
  const out = JSON.parse(forge("plan", file, "--json").stdout) as { nodes: { id: string; status: string }[] };
  return out.nodes.filter((n) => n.status === "run").map((n) => n.id);
};

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "forge own ü "));
  mkdirSync(join(project(), ".git"), { recursive: true });
  const found = await ensurePython({ signal: new AbortController().signal });
  if (!found.ok) throw new Error(found.error.message);
  python = found.value.python;
  make("llama-3", "Llama-Tiny");
}, 3 * MINUTE);
function make(kind: string, name: string): void {
  const made = spawnSync(python, [join(packageRoot(), "python", "tests", "own_models.py"), kind, join(dir, name)], {
    encoding: "utf8",
    env: { ...process.env, PYTHONPATH: join(packageRoot(), "python"), PYTHONDONTWRITEBYTECODE: "1" },
  });
  if (made.status !== 0) throw new Error(made.stderr);
}
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.sequential("a model of one's own", () => {
  it("is looked at and pinned", () => {
    const asked = forge("models", "add", "../Llama-Tiny", "--template", "chatml");
    expect([asked.code, asked.stderr]).toEqual([4, expect.stringContaining("does not fit")]);
    const r = forge("models", "add", "../Llama-Tiny");
    expect(r.code, r.stdout + r.stderr).toBe(0);
    expect(r.stdout).toContain("model: { family: models/llama-tiny.json }");
    expect(r.stdout).toContain("llama-3.jinja, ends at <|eot_id|>");
    const list = JSON.parse(forge("models", "list", "--json").stdout) as { models: { family: string; sources: { cached: boolean }[] }[] };
    expect(list.models.at(-1)).toMatchObject({ family: "models/llama-tiny.json", sources: [{ cached: false }] });
    writeFileSync(join(project(), "forge.yaml"), recipe("models/llama-tiny.json"));
    const ready = JSON.parse(forge("doctor", "--json").stdout) as { findings: { check: string; status: string; message: string }[] };
    expect(ready.findings.find((f) => f.check === "model")).toMatchObject({ status: "note", message: expect.stringContaining("taken from ../Llama-Tiny") });
    expect(forge("models", "info", "models/llama-tiny.json").stdout).toMatch(/^window +8192 tokens$/m);
    expect(forge("models", "info", "nope")).toMatchObject({ code: 4, stderr: expect.stringContaining("no model family `nope`") });
  });

  it(
    "goes through the pipeline, is proven equal in llama.cpp, and travels",
    () => {
      writeFileSync(join(project(), "forge.yaml"), recipe("models/llama-tiny.json"));
      const r = forge("apply");
      expect(r.code, r.stdout + r.stderr).toBe(0);
      const bundle = join(project(), "dist", "tiny");
      const json = <T>(name: string): T => JSON.parse(readFileSync(join(bundle, name), "utf8")) as T;
      const prompt = json<PromptTemplate>("prompt_template.json");
      expect(prompt).toMatchObject({ family: "llama-tiny", template: "llama-3.jinja", stop_tokens: ["<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"] });
      expect(prompt.special_tokens).toContain("<|start_header_id|>");
      expect(prompt.tool_prompt.startsWith("<|begin_of_text|><|start_header_id|>system")).toBe(true);
      // Who runs it puts no second begin-of-text token before the one of the prompt.
      expect(ggufHeader(join(bundle, "model.gguf"), new Set(["tokenizer.ggml.add_bos_token"]))?.metadata.get("tokenizer.ggml.add_bos_token")).toBe(false);
      expect(readFileSync(join(bundle, "Modelfile"), "utf8")).toContain('PARAMETER stop "<|eot_id|>"');
      expect(readFileSync(join(bundle, "README.md"), "utf8")).toContain("`<|eot_id|>`");
      expect(parse(readFileSync(join(bundle, "agent.yaml"), "utf8")) as Agent).toMatchObject({
        base_model: { name: "Llama-Tiny", hf_id: null, license: "Apache-2.0" },
      });
      for (const file of readdirSync(bundle).filter((f) => !f.endsWith(".gguf") && f !== "tests"))
        expect(readFileSync(join(bundle, file), "utf8"), file).not.toContain(dir);
    },
    8 * MINUTE,
  );

  it(
    "is verified and tried without its family file, and not made again for a word",
    () => {
      expect(changed("forge.yaml")).toEqual([]);
      const file = join(project(), "models", "llama-tiny.json");
      const text = readFileSync(file, "utf8");
      writeFileSync(file, text.replace('"title": "Llama-Tiny"', '"title": "Another"'));
      expect(changed("forge.yaml")).toEqual(["export:f16", "pack"]);
      rmSync(file);
      const verified = forge("verify-bundle", "dist/tiny");
      expect(verified.code, verified.stdout + verified.stderr).toBe(0);
      const tried = forge("try", "dist/tiny", "Weather in Oslo?", "--json");
      expect(JSON.parse(tried.stdout)).toHaveProperty("ended");
      const unnamed = forge("validate", "--model", "dist/tiny/model.gguf", "--stub", "weather", "--samples", "2");
      expect([unnamed.code, unnamed.stderr]).toEqual([4, expect.stringContaining("--family models/NAME.json")]);
      writeFileSync(file, text);
    },
    4 * MINUTE,
  );

  it(
    "may lie on the hub, which a recipe names by `hf_id`",
    async () => {
      const files = readdirSync(join(dir, "Llama-Tiny"));
      const read = (name: string) => readFileSync(join(dir, "Llama-Tiny", name));
      const revision = "0123456789abcdef0123456789abcdef01234567";
      const hub = await listen((request, response) => {
        const path = request.url ?? "";
        const name = files.find((f) => path === `/Owner/Llama-Tiny/resolve/${revision}/${f}`);
        if (name !== undefined) return give(read(name), request.headers.range, response);
        if (!/^\/api\/models\/Owner\/Llama-Tiny\/revision\/(main|v1)\?blobs=true$/.test(path)) return void response.writeHead(404).end();
        const siblings = files.map((rfilename) => {
          const body = read(rfilename);
          const sha256 = createHash("sha256").update(body).digest("hex");
          const lfs = rfilename.endsWith(".safetensors") ? { lfs: { sha256, size: body.length } } : { blobId: gitBlob(body) };
          return { rfilename, size: body.length, ...lfs };
        });
        response.end(JSON.stringify({ id: "Owner/Llama-Tiny", sha: revision, siblings, cardData: { license: "apache-2.0" } }));
      });
      try {
        const world = { HF_ENDPOINT: hub.address, HF_HUB_OFFLINE: "", NO_PROXY: "*", MCP_FORGE_CACHE_DIR: join(dir, "second-cache") };
        rmSync(join(project(), "models", "llama-tiny.json"));
        writeFileSync(join(project(), "hub.yaml"), recipe("x").replace("family: x", "hf_id: Owner/Llama-Tiny, template: llama-3"));
        expect(forge("plan", "hub.yaml")).toMatchObject({ code: 4, stderr: expect.stringContaining("Pin it: forge models add Owner/Llama-Tiny\n") });
        const r = await forgeMeanwhile(world, "models", "add", "Owner/Llama-Tiny@v1");
        expect(r.code, r.stdout + r.stderr).toBe(0);
        const fetched = await forgeMeanwhile(world, "doctor", "hub.yaml", "--fix");
        expect(fetched.code, fetched.stdout + fetched.stderr).toBe(0);
        expect(fetched.stdout).toContain("Llama-Tiny is in the cache");
        // The very weights of the folder's: all but the words at the beginning.
        const weights = (cache: string): Buffer => {
          const [made] = readdirSync(join(dir, cache, "models")).filter((n) => n.startsWith("llama-tiny-"));
          return readFileSync(join(dir, cache, "models", made as string, "model.gguf")).subarray(-1_300_000);
        };
        expect(weights("second-cache").equals(weights("cache"))).toBe(true);
        expect(changed("hub.yaml")).toContain("train");
      } finally {
        await hub.close();
      }
    },
    4 * MINUTE,
  );

  it(
    "may be a GGUF, which is taken as it is",
    () => {
      const [cached] = readdirSync(join(dir, "cache", "models")).filter((n) => n.startsWith("llama-tiny-"));
      writeFileSync(join(dir, "ready.gguf"), readFileSync(join(dir, "cache", "models", cached as string, "model.gguf")));
      const r = forge("models", "add", "../ready.gguf", "--json");
      expect(r.code, r.stdout + r.stderr).toBe(0);
      expect(JSON.parse(r.stdout)).toMatchObject({
        name: "ready",
        licence: "Apache-2.0",
        template: "llama-3.jinja",
        parameters: (JSON.parse(readFileSync(join(project(), "models", "llama-tiny.json"), "utf8")) as { parameters: number }).parameters,
        sources: [{ quantization: "BF16" }],
      });
      writeFileSync(join(project(), "ready.yaml"), recipe("models/ready.json"));
      const trained = forge("export", "ready.yaml");
      expect(trained.code, trained.stdout + trained.stderr).toBe(0);
      expect(existsSync(join(project(), "ready.lock"))).toBe(true);
    },
    6 * MINUTE,
  );
});

it(
  "a model that is to think gets the tokens that its vocabulary lacks, and the bundle has them",
  () => {
    make("llama-chatml", "Chat-Tiny");
    const r = forge("models", "add", "../Chat-Tiny", "--thinking");
    expect(r.code, r.stdout + r.stderr).toBe(0);
    expect(forge("models", "info", "models/chat-tiny.json").stdout).toMatch(
      /^thinking +yes, between <think> and <\/think>, which are added to its vocabulary/m,
    );
    writeFileSync(join(project(), "thinks.yaml"), recipe("models/chat-tiny.json").replace("constrained: false", "constrained: false, benchmark: false"));
    const applied = forge("apply", "thinks.yaml");
    expect(applied.code, applied.stdout + applied.stderr).toBe(0);
    const bundle = join(project(), "dist", "tiny");
    expect(parse(readFileSync(join(bundle, "agent.yaml"), "utf8")) as Agent).toMatchObject({ runtime: { supports_thinking: true } });
    const tokens = ggufHeader(join(bundle, "model.gguf"), new Set(["tokenizer.ggml.tokens"]))?.metadata.get("tokenizer.ggml.tokens");
    expect((tokens as string[]).filter((token) => /^<.?think>$/.test(token))).toEqual(["<think>", "</think>"]);
    expect(changed("thinks.yaml")).toEqual([]);
  },
  8 * MINUTE,
);
