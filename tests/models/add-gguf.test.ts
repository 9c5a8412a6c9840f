/** `forge models add FILE.gguf`: whole files only, an interruption that ends at once, and the command that mends a family of one. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type AddOptions, addModel } from "../../src/models/add/index.ts";
import { cachedBase, ensureBase } from "../../src/models/base.ts";
import { addAgain } from "../../src/models/folder.ts";
import { copyListed } from "../../src/models/listed-files.ts";
import { digestFile, digestFileUntil } from "../../src/platform/hash.ts";
import { gguf, tensorNames, writeModel } from "./own-model.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-gguf-"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const output = () => join(dir, "models", "mine.json");
function add(bytes: Buffer, o: Partial<AddOptions> = {}) {
  writeFileSync(join(dir, "own.gguf"), bytes);
  return addModel(join(dir, "own.gguf"), { signal: new AbortController().signal, output: output(), ...o });
}
const refused = async (bytes: Buffer, o: Partial<AddOptions> = {}) => {
  const r = await add(bytes, o);
  if (r.ok) throw new Error("it succeeded");
  expect(existsSync(output())).toBe(false);
  return r.error;
};
const added = async (bytes = gguf(), o: Partial<AddOptions> = {}) => {
  const r = await add(bytes, o);
  if (!r.ok) throw new Error(`${r.error.code}: ${r.error.message}`);
  return r.value.family;
};

describe("a file", () => {
  test("that is whole is described, with or without an output of its own", async () => {
    expect(await added()).toMatchObject({ licence: "LicenseRef-llama3.2", parameters: 160, template: "chatml.jinja", architecture: "llama" });
    expect(await added(gguf([...tensorNames(2), "output.weight"]), { force: true })).toMatchObject({ parameters: 168 });
    const qwen3 = [...tensorNames(1), "blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight"];
    const words = { "general.architecture": "qwen3", "qwen3.block_count": 1, "qwen3.context_length": 64 };
    expect(await added(gguf(qwen3, words), { force: true })).toMatchObject({ architecture: "qwen3" });
    rmSync(output());
    expect((await refused(gguf(tensorNames(1), words))).message).toContain("missing (blk.0.attn_q_norm.weight)");
  });

  test.each(tensorNames(2))("that lacks %s is refused", async (name) => {
    const error = await refused(gguf(tensorNames(2).filter((n) => n !== name)));
    expect(error).toMatchObject({ code: "models/unsupported", exit: 4, message: expect.stringContaining(`some of its weights are missing (${name})`) });
  });

  test("of more blocks than it says, of none that it says, or of a part is refused", async () => {
    expect((await refused(gguf(tensorNames(3)))).message).toContain("weights that are not loaded (blk.2.attn_norm.weight)");
    expect((await refused(gguf(tensorNames(2), { "llama.block_count": undefined }))).message).toContain("does not say how many blocks");
    expect((await refused(gguf(tensorNames(2), { "llama.block_count": 4_000_000_000 }))).message).toContain("does not say how many blocks");
    const part = await refused(gguf(tensorNames(1), { "split.count": 2 }));
    expect(part).toMatchObject({ message: expect.stringContaining("one of 2 parts"), hint: expect.stringContaining("as one file") });
  });

  test.skipIf(process.platform === "win32")("that is a pipe is not opened", async () => {
    expect(spawnSync("mkfifo", [join(dir, "pipe.gguf")]).status).toBe(0);
    const r = await addModel(join(dir, "pipe.gguf"), { signal: new AbortController().signal, output: output() });
    expect(r).toMatchObject({ ok: false, error: { exit: 4, message: expect.stringContaining("neither a folder nor a file") } });
  });
});

describe("an interruption", () => {
  test("ends the reading of a large file at once, and nothing is written", async () => {
    const whole = gguf();
    writeFileSync(join(dir, "own.gguf"), whole);
    truncateSync(join(dir, "own.gguf"), 4 * 2 ** 30); // a hole: it takes seconds to read and no room
    const stop = new AbortController();
    const before = performance.now();
    const r = await addModel(join(dir, "own.gguf"), { signal: stop.signal, output: output(), onFile: () => setTimeout(() => stop.abort(), 20) });
    expect(r).toMatchObject({ ok: false, error: { code: "models/interrupted", exit: 130 } });
    expect(performance.now() - before).toBeLessThan(1500);
    expect(existsSync(output())).toBe(false);
  });

  test("that came before the file is written, too", async () => {
    expect(await refused(gguf(), { signal: AbortSignal.abort() })).toMatchObject({ exit: 130 });
    const folder = writeModel(join(dir, "folder"));
    expect(await addModel(folder, { signal: AbortSignal.abort(), output: output() })).toMatchObject({ ok: false, error: { exit: 130 } });
    expect(existsSync(output())).toBe(false);
  });

  test("leaves digests what they are", async () => {
    const path = join(dir, "x");
    writeFileSync(path, Buffer.alloc(3 << 20, 7));
    expect(await digestFileUntil(path, new AbortController().signal)).toBe(await digestFile(path));
  });
});

test("the command that mends it names the file and says again what was said", async () => {
  const family = await added(gguf(), { name: "it-s-mine", licence: "MIT", template: "smollm2" });
  const source = family.sources.default;
  if (source?.kind !== "folder") throw new Error("no folder");
  const again = addAgain(family, source);
  expect(again).toMatch(/^forge models add \S*own\.gguf --name it-s-mine --licence MIT --template smollm2 --output \S*mine\.json --force$/);
  writeFileSync(join(dir, "own.gguf"), gguf([...tensorNames(2), "output.weight"]));
  const taken = await ensureBase(family, "default", { signal: new AbortController().signal });
  expect(taken).toMatchObject({ ok: false, error: { hint: expect.stringContaining(again) } });
});

test("what goes into the base model's metadata and licence decides where it lies in the cache", async () => {
  const family = await added();
  const taken = await ensureBase(family, "default", { signal: new AbortController().signal });
  if (!taken.ok) throw new Error(taken.error.message);
  expect(cachedBase(family, "default")).toEqual(taken.value);
  expect(cachedBase({ ...family, title: "Another" }, "default")).toBeUndefined();
  expect(cachedBase({ ...family, hub_id: "Owner/Own" }, "default")).toBeUndefined();
});

test("what was half fetched long ago and forgotten is removed", async () => {
  const root = join(dir, "cache", "models");
  for (const name of [".fetched-old-default-0", ".fetched-new-default-0"]) {
    mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, name, "model.safetensors"), "x");
  }
  const longAgo = Date.now() / 1000 - 40 * 86_400;
  for (const path of [join(root, ".fetched-old-default-0", "model.safetensors"), join(root, ".fetched-old-default-0")]) utimesSync(path, longAgo, longAgo);
  expect((await ensureBase(await added(), "default", { signal: new AbortController().signal })).ok).toBe(true);
  expect(readdirSync(root).filter((n) => n.startsWith(".fetched-"))).toEqual([".fetched-new-default-0"]);
});

test("a file of another size is not copied", async () => {
  writeFileSync(join(dir, "a.json"), "{}");
  const sha256 = (await digestFile(join(dir, "a.json"))).slice(7);
  const copy = (bytes: number) => copyListed({ "a.json": { sha256, bytes } }, dir, join(dir, "to"));
  expect(await copy(3)).toEqual({ ok: false, error: { name: "a.json", problem: "other" } });
  expect(readdirSync(join(dir, "to"))).toEqual([]);
  expect(await copy(2)).toMatchObject({ ok: true });
  expect(readFileSync(join(dir, "to", "a.json"), "utf8")).toBe("{}");
});
