/**
 * What is built and published: quick to start, complete, small, free of CUDA and of install scripts, and silent
 * about the machine that it was built on. (tests/slow/package.slow.test.ts installs it for real.)
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openLlama } from "../../src/models/llama/client.ts";
import { packageRoot } from "../../src/platform/paths.ts";

const root = packageRoot();
const dist = join(root, "dist");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
  bin: Record<string, string>;
  dependencies?: Record<string, string>;
  optionalDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  scripts: Record<string, string>;
};

beforeAll(() => {
  if (!existsSync(join(dist, "forge.js"))) execFileSync(process.execPath, [join(root, "scripts", "build.mjs")], { stdio: "inherit" });
}, 120_000);

/** Median milliseconds of a Node process with these arguments. */
function median(args: string[], runs: number): number {
  const times = Array.from({ length: runs }, () => {
    const started = performance.now();
    const { status } = spawnSync(process.execPath, args, { stdio: "ignore" });
    expect(status).toBe(0);
    return performance.now() - started;
  });
  return times.sort((a, b) => a - b)[Math.floor(runs / 2)] as number;
}

describe("the command", () => {
  it("is executable, under both names, and linked where npm's scripts look", () => {
    expect(manifest.bin).toEqual({ forge: "dist/forge.js", "mcp-forge": "dist/forge.js" });
    expect(statSync(join(dist, "forge.js")).mode & 0o111).toBe(0o111);
    for (const name of ["forge", "mcp-forge"]) {
      const { stdout, status } = spawnSync(join(root, "node_modules", ".bin", name), ["--version"], { encoding: "utf8" });
      expect([stdout.trim(), status]).toEqual([manifest.version, 0]);
    }
  });

  it("says its version within twice the time that Node takes to do nothing", () => {
    const version = [join(dist, "forge.js"), "--version"];
    median(version, 1);
    // A busy machine is noisy: the best of three comparisons counts.
    const ratios = Array.from({ length: 3 }, () => median(version, 7) / median(["-e", "0"], 7));
    expect(Math.min(...ratios)).toBeLessThan(2);
  }, 60_000);

  it("imports nothing but Node before it knows what is asked, and whether anything changed", () => {
    const text = readFileSync(join(dist, "forge.js"), "utf8");
    const imports = [...text.matchAll(/^import .* from "([^"]+)"/gm)].map((m) => m[1] as string);
    expect(imports.filter((name) => !name.startsWith("node:"))).toEqual([]);
    expect(text.length).toBeLessThan(16_000);
  });
});

describe("what is published", () => {
  it("needs nothing but CPU builds of llama.cpp, of the version that the worker was bundled from", () => {
    expect(manifest.dependencies ?? {}).toEqual({});
    const { "node-llama-cpp": version } = manifest.devDependencies;
    for (const [name, wanted] of Object.entries(manifest.optionalDependencies)) {
      expect(name).toMatch(/^@node-llama-cpp\/(linux|mac|win)-(x64|arm64)(-metal)?$/);
      expect(wanted).toBe(version);
    }
    expect(Object.keys(manifest.scripts).filter((s) => /^(pre|post)?install$/.test(s))).toEqual([]);
  });

  it("is complete, without tests, and small", () => {
    const out = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const [pack] = JSON.parse(out) as [{ unpackedSize: number; files: { path: string }[] }];
    const files = pack.files.map((f) => f.path);
    for (const path of [
      "dist/forge.js",
      "dist/llama-worker.js",
      "dist/THIRD-PARTY.txt",
      "dist/llama.cpp/conversion/base.py",
      "dist/llama.cpp/gguf-py/gguf/__init__.py",
      "dist/llama.cpp/LICENSE",
      "python/forge_steps/__main__.py",
      "python/requirements.lock",
      "schemas/forge.schema.json",
      "templates/chat/smollm2.jinja",
      "head-starts/smollm2/adapter_model.safetensors",
      "head-starts/smollm2/README.md",
      "models/nano/model.safetensors",
      "models/nano/README.md",
      "templates/licences/Apache-2.0.txt",
      "forge.yaml",
      "LICENSE",
      "README.md",
    ])
      expect(files).toContain(path);
    expect(
      files.filter((f) => /(^|\/)tests?\/|\.test\.|^src\/|__pycache__|\.tgz$|^dist\/(?!forge\.js|llama-worker\.js|chunks\/|llama\.cpp\/|THIRD-PARTY)/.test(f)),
    ).toEqual([]);
    expect(pack.unpackedSize).toBeLessThan(28e6);
  });

  it("names no place of the machine that built it", () => {
    const texts = [join(dist, "forge.js"), join(dist, "llama-worker.js"), ...readdirSync(join(dist, "chunks")).map((f) => join(dist, "chunks", f))];
    for (const file of texts) {
      const text = readFileSync(file, "utf8");
      for (const place of [`${root}/`, `${homedir()}/`].filter((p) => p.length > 2)) expect([file, text.includes(place)]).toEqual([file, false]);
    }
  });

  it("carries the licence of everything that it bundles", () => {
    const text = readFileSync(join(dist, "THIRD-PARTY.txt"), "utf8");
    for (const name of ["node-llama-cpp", "yaml", "execa", "commander", "@modelcontextprotocol/sdk", "@huggingface/jinja"]) {
      expect(text).toMatch(new RegExp(`^${name.replaceAll(/[/.]/g, "\\$&")} \\d+\\.\\d+\\.\\d+ \\((MIT|ISC|Apache-2\\.0)\\)$`, "m"));
    }
    expect(text).toContain("Gilad S.");
  });

  it("has a worker that can neither download nor compile", () => {
    const text = readFileSync(join(dist, "llama-worker.js"), "utf8");
    expect(text).toContain("this build of node-llama-cpp neither downloads nor compiles");
    expect(text).not.toContain("node_modules/ipull/");
    expect(text).not.toContain("node_modules/simple-git/");
  });
});

it("locks no address of a registry, and every package of every platform", () => {
  const text = readFileSync(join(root, "package-lock.json"), "utf8");
  expect(text).not.toMatch(/"resolved"/);
  const { packages } = JSON.parse(text) as { packages: Record<string, { optionalDependencies?: Record<string, string> }> };
  const missing = Object.entries(packages).flatMap(([at, p]) =>
    Object.keys(p.optionalDependencies ?? {}).filter((name) => !(`node_modules/${name}` in packages) && !(`${at}/node_modules/${name}` in packages)),
  );
  expect(missing).toEqual([]);
});

it("loads llama.cpp's library in the bundled worker, which then refuses what is no model", async () => {
  const dir = mkdtempSync(join(tmpdir(), "forge-worker-"));
  try {
    const model = join(dir, "none.gguf");
    writeFileSync(model, "this is no model");
    const opened = await openLlama({ model });
    expect(opened.ok).toBe(false);
    if (opened.ok) return;
    expect(opened.error.code).toBe("llama/cannot-load");
    expect(`${opened.error.message} ${opened.error.details}`).not.toMatch(/NoBinary|prebuilt|binary/i);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
