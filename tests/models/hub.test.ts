/** The hub's weights: fetched from a real HTTP server, checked, converted once; every way in which that fails says so and keeps what is right. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { StageEvent } from "../../src/engine/stage.ts";
import { type BaseOptions, cachedBase, ensureBase } from "../../src/models/base.ts";
import { licenceText } from "../../src/models/convert-base.ts";
import { type Family, getFamily, type HubSource } from "../../src/models/family.ts";
import { openLlama } from "../../src/models/llama/client.ts";
import { digestFile } from "../../src/platform/hash.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { ensurePython } from "../../src/runners/python-env.ts";
import { validate } from "../../src/schemas/generated/family.validate.js";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { give, type Hub, listen, startHub } from "./hub-server.ts";

const TOKEN = "hf_aTokenThatNobodyElseMaySee";
const REPOSITORY = "Owner/Tiny-Model";
const REVISION = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS = Buffer.alloc(300_000, "weights ");
const FILES = new Map([
  ["config.json", Buffer.from('{"model_type": "llama"}')],
  ["model.safetensors", WEIGHTS],
  ["tokenizer.json", Buffer.from("{}")],
]);

/** The Python that the tests were started with, and where forge keeps its own. */
const python = { given: process.env.MCP_FORGE_PYTHON, cache: process.env.MCP_FORGE_CACHE_DIR };

const smollm2 = (): Family => {
  const found = getFamily("smollm2");
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
};
const familyOf = (files: ReadonlyMap<string, Buffer>, revision = REVISION): Family => ({
  ...smollm2(),
  name: "tiny",
  title: "Tiny",
  sources: { ...smollm2().sources, hub: hubSource(files, revision) },
});
const hubSource = (files: ReadonlyMap<string, Buffer>, revision: string): HubSource => ({
  kind: "hub",
  repository: REPOSITORY,
  revision,
  files: Object.fromEntries([...files].map(([name, body]) => [name, { sha256: createHash("sha256").update(body).digest("hex"), bytes: body.length }])),
  quantization: "BF16",
});

let dir: string;
let hub: Hub;
let events: StageEvent[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "forge-hub-"));
  hub = await startHub(REPOSITORY, REVISION, FILES);
  events = [];
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "MCP_FORGE_LLAMA_CPP", "HF_HUB_OFFLINE", "HF_TOKEN"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "fake-convert.mjs"));
  vi.stubEnv("MCP_FORGE_FAKE_SEEN", join(dir, "seen.json"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(dir, { recursive: true, force: true });
});

const fetchBase = (o: Partial<BaseOptions> = {}, family = familyOf(FILES)) =>
  ensureBase(family, "hub", { signal: new AbortController().signal, onProgress: (e) => events.push(e), timing: { stall: 10_000, pause: 5 }, ...o });
const failure = async (o: Partial<BaseOptions> = {}) => {
  const r = await fetchBase(o);
  if (r.ok) throw new Error("it succeeded");
  return r.error;
};
const models = () => (existsSync(join(dir, "cache", "models")) ? readdirSync(join(dir, "cache", "models")).filter((n) => n !== ".mcp-forge") : []);
const fetched = () => models().find((n) => n.startsWith(".fetched-"));
const requestsOf = (name: string, origin: string) => hub.asked.filter((a) => a.origin === origin && a.path.includes(name));

describe("what is fetched", () => {
  test("becomes a base model with its licence and a record, once", async () => {
    const made = await fetchBase();
    if (!made.ok) throw new Error(made.error.message);
    expect(made.value.digest).toBe(await digestFile(made.value.ggufPath));
    expect(readFileSync(made.value.ggufPath, "latin1")).toContain(WEIGHTS.toString("latin1"));
    expect(readFileSync(made.value.licensePath, "utf8")).toMatch(/Apache License\s+Version 2\.0/);
    const record = JSON.parse(readFileSync(join(made.value.ggufPath, "..", "base.json"), "utf8"));
    expect(record).toEqual({ v: 1, repository: REPOSITORY, revision: REVISION, digest: made.value.digest, bytes: expect.any(Number) });
    expect(models()).toEqual([expect.stringMatching(/^tiny-hub-[0-9a-f]{16}$/)]);

    const before = hub.asked.length;
    expect(await fetchBase()).toEqual(made);
    expect(cachedBase(familyOf(FILES), "hub")).toEqual(made.value);
    expect(hub.asked.length).toBe(before);
    expect(cachedBase(familyOf(FILES, "f".repeat(40)), "hub")).toBeUndefined();
  });

  test("is told in bytes, and the step gets the family's words", async () => {
    await fetchBase();
    const total = [...FILES.values()].reduce((sum, body) => sum + body.length, 0);
    const bytes = events.flatMap((e) => (e.type === "progress" && e.unit === "bytes" ? [e] : []));
    expect(bytes.at(-1)).toMatchObject({
      done: total,
      total,
      message: expect.stringMatching(/^fetching Tiny \(BF16, \d+ MB, Apache-2\.0\) from 127\.0\.0\.1:\d+, once$/),
    });
    expect(bytes.map((e) => e.done)).toEqual(bytes.map((e) => e.done).sort((a, b) => a - b));
    const { spec } = JSON.parse(readFileSync(join(dir, "seen.json"), "utf8"));
    expect(spec).toMatchObject({ v: 1, pre_tokenizer: "smollm", metadata: { "general.name": "Tiny", "general.license": "apache-2.0" } });
  });

  test("is fetched again when the cache holds half of it", async () => {
    const made = await fetchBase();
    if (!made.ok) throw new Error(made.error.message);
    truncateSync(made.value.ggufPath, 10);
    expect(cachedBase(familyOf(FILES), "hub")).toBeUndefined();
    expect(await fetchBase()).toEqual(made);
  });

  test("goes through the proxy that the environment names, and past it where NO_PROXY says so", async () => {
    let tunnels = 0;
    const proxy = await listen((_, response) => response.writeHead(500).end());
    proxy.server.on("connect", (request, socket) => {
      tunnels++;
      const [host, port] = (request.url ?? "").split(":");
      const on = connect(Number(port), host ?? "", () => {
        socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        on.pipe(socket).pipe(on);
      });
      for (const end of [on, socket]) end.on("error", () => {});
    });
    try {
      vi.stubEnv("HTTP_PROXY", proxy.address);
      expect(await fetchBase()).toMatchObject({ ok: true });
      expect(tunnels).toBeGreaterThan(0);
      const before = tunnels;
      vi.stubEnv("NO_PROXY", "127.0.0.1");
      vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "other"));
      expect(await fetchBase()).toMatchObject({ ok: true });
      expect(tunnels).toBe(before);
      vi.stubEnv("HTTP_PROXY", "not an address");
      vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "third"));
      expect(await failure()).toMatchObject({ code: "models/hub-unreachable", message: expect.stringMatching(/HTTP_PROXY is not the address of a proxy/) });
    } finally {
      await proxy.close();
    }
  });
});

describe("the token", () => {
  test("goes to the hub and not to where it sends weights; no message and no child has it", async () => {
    vi.stubEnv("HF_TOKEN", TOKEN);
    expect(await fetchBase()).toMatchObject({ ok: true });
    expect(hub.asked.filter((a) => a.origin === "hub").map((a) => a.headers.authorization)).toEqual([...FILES].map(() => `Bearer ${TOKEN}`));
    expect(requestsOf("model.safetensors", "storage")).toHaveLength(1);
    expect(requestsOf("model.safetensors", "storage")[0]?.headers.authorization).toBeUndefined();
    expect(JSON.stringify(events) + readFileSync(join(dir, "seen.json"), "utf8")).not.toContain(TOKEN);
  });

  test("that the hub refuses is named by its variable, and so is one that is not there", async () => {
    hub.mischief = ({ headers }, response) => {
      response.writeHead(401).end(`no entry with ${headers.authorization}`);
      return true;
    };
    expect(await failure()).toMatchObject({ code: "models/hub-refused", exit: 6, hint: expect.stringMatching(/^Set HF_TOKEN/) });
    vi.stubEnv("HF_TOKEN", TOKEN);
    const refused = await failure();
    expect(refused).toMatchObject({ code: "models/hub-refused", exit: 6, hint: expect.stringMatching(/token in HF_TOKEN is valid/) });
    expect(JSON.stringify(refused)).not.toContain(TOKEN);
    expect(requestsOf("config.json", "hub")).toHaveLength(2); // Asked once each: a no is a no.
    expect(models()).toEqual([]);
  });

  test("is not sent over a network unencrypted, which is said", async () => {
    vi.stubEnv("HF_TOKEN", TOKEN);
    vi.stubEnv("HF_ENDPOINT", hub.endpoint.replace("127.0.0.1", "0.0.0.0")); // Ourselves too, by a name that is not known to be.
    expect(await fetchBase()).toMatchObject({ ok: true });
    expect(hub.asked.filter((a) => a.headers.authorization !== undefined)).toEqual([]);
    expect(events).toContainEqual({ type: "log", level: "warning", message: expect.stringMatching(/^HF_TOKEN is not sent to 0\.0\.0\.0/) });
  });

  test("may not stand in the endpoint", async () => {
    vi.stubEnv("HF_ENDPOINT", "https://user:a-password@hub.example");
    const told = await failure();
    expect(told).toMatchObject({ code: "models/hub-endpoint", exit: 6 });
    expect(JSON.stringify(told)).not.toContain("a-password");
  });
});

describe("a transfer that breaks", () => {
  const half = WEIGHTS.length / 2;
  const breakOff = (response: import("node:http").ServerResponse, body: Buffer) => {
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(0, half), () => setTimeout(() => response.destroy(), 30));
    return true;
  };

  test("goes on where it stopped", async () => {
    hub.mischief = ({ origin, nth, body }, response) => origin === "storage" && nth === 1 && breakOff(response, body);
    expect(await fetchBase()).toMatchObject({ ok: true });
    expect(requestsOf("model.safetensors", "storage").map((a) => a.headers.range)).toEqual([undefined, `bytes=${half}-`]);
  });

  test("goes on in the next run, which asks for nothing that is there", async () => {
    hub.mischief = ({ origin, nth, body }, response) => {
      if (origin !== "storage") return false;
      if (nth === 1) return breakOff(response, body);
      response.destroy();
      return true;
    };
    expect(await failure()).toMatchObject({
      code: "models/hub-unreachable",
      exit: 6,
      message: expect.stringMatching(/model\.safetensors .*the connection broke/),
    });
    expect(readdirSync(join(dir, "cache", "models", fetched() ?? "")).sort()).toEqual(["config.json", "model.safetensors.part"]);
    hub.mischief = () => false;
    hub.asked.length = 0;
    expect(await fetchBase()).toMatchObject({ ok: true });
    expect(requestsOf("config.json", "hub")).toEqual([]);
    expect(requestsOf("model.safetensors", "storage").map((a) => a.headers.range)).toEqual([`bytes=${half}-`]);
    expect(fetched()).toBeUndefined();
  });

  test("starts over where the server knows no parts, or what is here was damaged", async () => {
    hub.mischief = ({ origin, nth, body }, response) => {
      if (origin !== "storage") return false;
      if (nth === 1) return breakOff(response, body);
      if (nth === 2) give(body, undefined, response);
      return nth === 2;
    };
    expect(await fetchBase()).toMatchObject({ ok: true });

    vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache2"));
    hub.mischief = ({ origin, body }, response) => origin === "storage" && !response.headersSent && breakOff(response, body);
    const abort = new AbortController();
    const stopped = fetchBase({ signal: abort.signal, onProgress: (e) => e.type === "progress" && e.done > half && abort.abort() });
    expect(await stopped).toMatchObject({ ok: false, error: { exit: 130 } });
    const root = join(dir, "cache2", "models");
    const folder = readdirSync(root).find((n) => n.startsWith(".fetched-")) ?? "";
    writeFileSync(join(root, folder, "model.safetensors.part"), Buffer.alloc(1000, "x"));
    hub.mischief = () => false;
    expect(await fetchBase()).toMatchObject({ ok: true });
  });

  test("because nobody speaks any more is given up after the stall, more than once tried", async () => {
    hub.mischief = ({ origin, body }, response) => {
      if (origin !== "storage") return false;
      response.writeHead(200, { "content-length": body.length });
      response.write(body.subarray(0, 0));
      response.flushHeaders();
      return true;
    };
    expect(await failure({ timing: { stall: 150, pause: 5 } })).toMatchObject({
      code: "models/hub-unreachable",
      exit: 6,
      message: expect.stringMatching(/said nothing for 0\.15 s/),
      hint: expect.stringMatching(/HTTPS_PROXY.*source: default/),
    });
    expect(requestsOf("model.safetensors", "storage")).toHaveLength(3);
  });

  test("because it was interrupted says so, at once", async () => {
    hub.mischief = ({ origin }) => origin === "storage"; // Never answers.
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 300);
    const started = performance.now();
    expect(await failure({ signal: abort.signal, timing: { stall: 60_000, pause: 5 } })).toMatchObject({ code: "models/interrupted", exit: 130 });
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe("a server that gives something else", () => {
  test.each([
    ["other bytes of the same number", (body: Buffer) => Buffer.alloc(body.length, "x"), /do not have the digest/],
    ["fewer bytes, and says so", (body: Buffer) => body.subarray(0, 100), /it has 100 bytes and not 300000/],
    ["more bytes, and says so", (body: Buffer) => Buffer.concat([body, body]), /it has 600000 bytes and not 300000/],
  ])("%s", async (_, change, why) => {
    hub.mischief = ({ origin, body }, response) => {
      if (origin === "storage") give(change(body), undefined, response);
      return origin === "storage";
    };
    expect(await failure()).toMatchObject({ code: "models/wrong-bytes", exit: 6, message: expect.stringMatching(why) });
    expect(readdirSync(join(dir, "cache", "models", fetched() ?? ""))).toEqual(["config.json"]);
    expect(cachedBase(familyOf(FILES), "hub")).toBeUndefined();
  });

  test("bytes without end are not kept", async () => {
    hub.mischief = ({ origin }, response) => {
      if (origin !== "storage") return false;
      response.writeHead(200); // Chunked: it says nothing of a length.
      const more = () => {
        if (!response.destroyed) response.write(Buffer.alloc(1 << 16), () => setImmediate(more));
      };
      more();
      return true;
    };
    expect(await failure()).toMatchObject({ code: "models/wrong-bytes", message: expect.stringMatching(/more than the 300000 bytes/) });
    expect(readdirSync(join(dir, "cache", "models", fetched() ?? ""))).not.toContain("model.safetensors");
  });

  test.each([
    ["nothing of that name", (r: import("node:http").ServerResponse) => r.writeHead(404).end(), "models/hub-missing", 1],
    ["trouble of its own, again and again", (r: import("node:http").ServerResponse) => r.writeHead(503).end(), "models/hub-unreachable", 3],
    ["the way to itself", (r: import("node:http").ServerResponse) => r.writeHead(302, { location: "?again" }).end(), "models/hub-unreachable", 6],
    [
      "the way to a file of this machine",
      (r: import("node:http").ServerResponse) => r.writeHead(302, { location: "file:///etc/passwd" }).end(),
      "models/hub-unreachable",
      1,
    ],
  ])("%s", async (_, answer, code, times) => {
    hub.mischief = (_asked, response) => {
      answer(response);
      return true;
    };
    expect(await failure()).toMatchObject({ code, exit: 6 });
    expect(requestsOf("config.json", "hub")).toHaveLength(times);
    expect(models()).toEqual([]);
  });
});

describe("without the hub", () => {
  test("HF_HUB_OFFLINE asks nobody, and uses what is here", async () => {
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await failure()).toMatchObject({ code: "models/hub-offline", exit: 6, hint: expect.stringMatching(/Unset HF_HUB_OFFLINE/) });
    expect(hub.asked).toEqual([]);
    expect(models()).toEqual([]);
    vi.stubEnv("HF_HUB_OFFLINE", "");
    const made = await fetchBase();
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await fetchBase()).toEqual(made);
  });

  test("a hub that is not there is named, with what to do", async () => {
    const gone = await listen(() => {});
    await gone.close();
    vi.stubEnv("HF_ENDPOINT", gone.address);
    expect(await failure()).toMatchObject({
      code: "models/hub-unreachable",
      exit: 6,
      message: expect.stringMatching(/^config\.json of Owner\/Tiny-Model could not be fetched from the model hub \(127\.0\.0\.1:\d+: nobody listens there\)$/),
    });
    expect(models()).toEqual([]);
  });
});

describe("for real", () => {
  test("a model in the hub's form becomes a GGUF that llama.cpp loads and reads tokens with", async () => {
    vi.stubEnv("MCP_FORGE_PYTHON", python.given);
    vi.stubEnv("MCP_FORGE_CACHE_DIR", python.cache);
    const found = await ensurePython({ signal: new AbortController().signal });
    if (!found.ok) throw new Error(found.error.message);
    vi.stubEnv("MCP_FORGE_PYTHON", found.value.python);
    vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
    const folder = join(dir, "repository");
    const path = [join(packageRoot(), "python"), join(packageRoot(), "python", "tests")].join(delimiter);
    execFileSync(found.value.python, [join(packageRoot(), "python", "tests", "hub_support.py"), folder], {
      env: { ...process.env, PYTHONPATH: path },
      stdio: "pipe",
    });
    const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
    await hub.close();
    hub = await startHub(REPOSITORY, REVISION, files);
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);

    const made = await fetchBase({}, familyOf(files));
    if (!made.ok) throw new Error(`${made.error.message} ${made.error.details}`);
    expect(made.value.digest).toBe(await digestFile(made.value.ggufPath));
    const engine = await openLlama({ model: made.value.ggufPath, signal: new AbortController().signal });
    if (!engine.ok) throw new Error(engine.error.message);
    try {
      // 1 and 2 are the control tokens of ChatML in this vocabulary; a digit is a token of its own.
      const tokens = await engine.value.tokenize("<|im_start|>12<|im_end|>");
      if (!tokens.ok) throw new Error(tokens.error.message);
      expect([tokens.value[0], tokens.value.length, tokens.value.at(-1)]).toEqual([1, 4, 2]);
    } finally {
      await engine.value.close();
    }
  }, 120_000);
});

describe("the family's data", () => {
  test("a recipe names the source, and its revision and digests are in the keys", async () => {
    const file = join(dir, "forge.yaml");
    writeFileSync(file, "version: 1\nname: tiny\ntools:\n  - stub: weather\nmodel: { family: smollm2, source: hub }\n");
    const loaded = await loadRecipe(file, {});
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    const pipeline = buildPipeline(loaded.value);
    if (!pipeline.ok) throw new Error(pipeline.error.message);
    const train = JSON.stringify(pipeline.value.nodes.find((n) => n.id === "train"));
    expect(train).toContain("12fd25f77366fa6b3b4b768ec3050bf629380bac");
    expect(train).toContain("5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c");
  });

  test("every family with a source on the hub has its licence's text with it", () => {
    expect(readFileSync(licenceText(smollm2()), "utf8")).toBe(readFileSync(join(packageRoot(), "LICENSE"), "utf8"));
  });

  test.each(["weights.bin", "modeling_tiny.py", "../config.json", "pytorch_model.pt"])("a file %s is none that may be fetched", (name) => {
    const source = smollm2().sources.hub as HubSource;
    const files = { ...source.files, [name]: { sha256: "0".repeat(64), bytes: 1 } };
    expect(validate({ ...smollm2(), sources: { ...smollm2().sources, hub: { ...source, files } } })).toBe(false);
    expect(validate({ ...smollm2(), sources: { ...smollm2().sources, hub: source } })).toBe(true);
  });
});
