/** Weights that come with forge: checked, converted once, offline; a damaged package says so. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cachedBase, ensureBase } from "../../src/models/base.ts";
import { basePin, type Family, getFamily, type PackageSource } from "../../src/models/family.ts";
import { digestFile } from "../../src/platform/hash.ts";
import { untilSettled } from "../../src/platform/snapshot.ts";
import { validate } from "../../src/schemas/generated/family.validate.js";
import { examine } from "../../src/stages/doctor.ts";

const FILES = { "config.json": '{"model_type": "qwen3"}', "model.safetensors": "weights ".repeat(1000), "tokenizer.json": "{}" };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-packaged-"));
  mkdirSync(join(dir, "models", "small"), { recursive: true });
  for (const [name, text] of Object.entries({ ...FILES, "modeling.py": "raise SystemExit" })) writeFileSync(join(dir, "models", "small", name), text);
  vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "fake-convert.mjs"));
  vi.stubEnv("MCP_FORGE_FAKE_SEEN", join(dir, "seen.json"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  vi.stubEnv("MCP_FORGE_LLAMA_CPP", undefined);
  vi.stubEnv("MCP_FORGE_OFFLINE", "1");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const source: PackageSource = {
  kind: "package",
  folder: "small",
  files: Object.fromEntries(
    Object.entries(FILES).map(([name, text]) => [name, { sha256: createHash("sha256").update(text).digest("hex"), bytes: Buffer.byteLength(text) }]),
  ),
  quantization: "BF16",
};

function family(): Family {
  const found = getFamily("smollm2");
  if (!found.ok) throw new Error(found.error.message);
  return { ...found.value, name: "small", title: "Small", tokenizer: "qwen2", sources: { default: source } };
}

const take = () => ensureBase(family(), "default", { signal: new AbortController().signal, packaged: join(dir, "models") });

test("become a base model once, of the listed files and no others", async () => {
  expect(validate(family())).toBe(true);
  const made = await take();
  if (!made.ok) throw new Error(made.error.message);
  expect(made.value.digest).toBe(await digestFile(made.value.ggufPath));
  expect(readFileSync(made.value.ggufPath, "latin1")).toBe(
    Object.entries(FILES)
      .map(([name, text]) => `${name}\n${text}`)
      .join(""),
  );
  const { spec } = JSON.parse(readFileSync(join(dir, "seen.json"), "utf8")) as { spec: object };
  expect(spec).toMatchObject({ pre_tokenizer: "qwen2", metadata: { "general.name": "Small" } });
  rmSync(join(dir, "seen.json"));
  expect(await take()).toEqual(made);
  expect(cachedBase(family(), "default")).toEqual(made.value);
  expect(readdirSync(dir)).not.toContain("seen.json");
  expect(readdirSync(join(dir, "models", "small")).sort()).toEqual([...Object.keys(FILES), "modeling.py"].sort());
});

/** Writes other bytes of the same length into a file, as a bad disk would, with the times of before. */
function flip(file: string): void {
  const { atime, mtime } = statSync(file);
  const bytes = readFileSync(file);
  bytes[100] = (bytes[100] as number) ^ 1;
  writeFileSync(file, bytes);
  utimesSync(file, atime, mtime);
}

test("are refused where the cache holds other bytes, by doctor too, and taken again when they are removed", { timeout: 30_000 }, async () => {
  const made = await take();
  if (!made.ok) throw new Error(made.error.message);
  const folder = dirname(made.value.ggufPath);
  const checked = join(folder, "checked.json");
  await untilSettled();
  expect(await take()).toEqual(made);
  const { mtimeMs, ino } = statSync(checked);
  expect(await take()).toEqual(made); // by a stat: what was found is not written again
  expect(statSync(checked)).toMatchObject({ mtimeMs, ino });

  flip(made.value.ggufPath);
  const refused = { code: "models/damaged", message: expect.stringContaining("Small"), hint: `Remove ${folder}; forge fetches it again.`, exit: 6 };
  expect(await take()).toMatchObject({ ok: false, error: refused });
  expect(await take()).toMatchObject({ ok: false, error: refused });
  const report = await examine({ projectDir: dir, needs: { family: family(), exports: ["q8_0"] } });
  expect(report.findings.find((f) => f.check === "model")).toMatchObject({ status: "missing", fix: refused.hint });

  flip(made.value.ggufPath); // put right
  expect(await take()).toEqual(made);
  flip(made.value.ggufPath);
  rmSync(folder, { recursive: true });
  expect(await take()).toEqual(made);
});

test("are pinned by their bytes", () => {
  const pin = basePin(family(), "default");
  expect(pin.ok && pin.value).toEqual({
    family: "small",
    source: "default",
    files: Object.fromEntries(Object.entries(source.files).map(([n, f]) => [n, f.sha256])),
  });
});

test.each([
  ["missing from", () => rmSync(join(dir, "models", "small", "model.safetensors"))],
  ["not what it should be in", () => writeFileSync(join(dir, "models", "small", "model.safetensors"), "other")],
])("that are %s the package are a clear failure, and nothing is kept", async (words, damage) => {
  damage();
  const made = await take();
  expect(made).toMatchObject({
    ok: false,
    error: { code: "models/wrong-bytes", message: expect.stringContaining(words), hint: "Install mcp-forge again.", exit: 6 },
  });
  expect(cachedBase(family(), "default")).toBeUndefined();
  expect(readdirSync(join(dir, "cache", "models")).filter((n) => n !== ".mcp-forge")).toEqual([]);
});
