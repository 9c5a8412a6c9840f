/** The Python environment: which interpreter, which build of torch, what failures say, and what a fingerprint sees. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { converterDigest } from "../../src/models/llama-files.ts";
import { detectAccelerator } from "../../src/runners/python/accelerator.ts";
import { isCpuBuild, pipFailure } from "../../src/runners/python/build.ts";
import { findPython } from "../../src/runners/python/find.ts";
import { readRequirements } from "../../src/runners/python/requirements.ts";
import { ensurePython, pythonRuntime } from "../../src/runners/python-env.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-env-"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  vi.stubEnv("MCP_FORGE_PYTHON", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

describe("finding an interpreter", () => {
  const probe = (found: Record<string, string>) => async (command: string) => found[command];
  test("python3 comes before newer ones by name", async () => {
    expect(await findPython(probe({ python3: "3.11.2", "python3.13": "3.13.1" }))).toEqual({ ok: true, value: { command: "python3", version: "3.11.2" } });
  });
  test("one that is too old or too new is passed over", async () => {
    expect(await findPython(probe({ python3: "3.9.9", "python3.12": "3.12.0" }))).toMatchObject({ value: { command: "python3.12" } });
    expect(await findPython(probe({ python3: "3.15.0", python: "3.10.0" }))).toMatchObject({ value: { command: "python" } });
  });
  test("none at all, and none that will do, are told apart", async () => {
    expect(await findPython(probe({}))).toMatchObject({ ok: false, error: { code: "python/not-found", exit: 6 } });
    const old = await findPython(probe({ python3: "3.8.18", python: "2.7.18" }));
    expect(old).toMatchObject({ ok: false, error: { code: "python/unsupported", exit: 6 } });
    expect(!old.ok && old.error.message).toContain("python3 is 3.8.18, python is 2.7.18");
  });
});

/** A PATH with one fake `python3` (a shell script) and the system's own tools. */
function fakePython(script: string): void {
  const bin = join(dir, "bin");
  mkdirSync(bin, { recursive: true });
  for (const name of ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"]) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${name === "python3" ? script : "exit 127"}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  vi.stubEnv("PATH", [bin, "/usr/bin", "/bin"].join(delimiter));
}

describe("a failed build", () => {
  const left = () => (existsSync(join(dir, "cache", "python")) ? readdirSync(join(dir, "cache", "python")).filter((n) => /-py|virtualenv/.test(n)) : []);
  test("without Python leaves nothing", async () => {
    fakePython("exit 127");
    expect(await ensurePython()).toMatchObject({ ok: false, error: { code: "python/not-found", exit: 6 } });
    expect(left()).toEqual([]);
  });
  test("with neither venv nor pip says so and leaves nothing", async () => {
    fakePython(
      'case "$*" in *version_info*) echo 3.11.2 ;; *"-m venv"*) mkdir -p "$6"; echo "ensurepip is not available" >&2; exit 1 ;; *) echo "No module named pip" >&2; exit 1 ;; esac',
    );
    expect(await ensurePython()).toMatchObject({ ok: false, error: { code: "python/no-pip", exit: 6, details: expect.stringContaining("ensurepip") } });
    expect(left()).toEqual([]);
  });
  test("without a network says so and leaves nothing", async () => {
    // venv works, and the environment's pip reaches nobody.
    const inner = 'echo "Max retries exceeded with url: /simple/torch/ (Caused by NameResolutionError)" >&2; exit 1';
    fakePython(
      `case "$*" in *version_info*) echo 3.11.2 ;; *"-m venv"*) mkdir -p "$6/bin"; printf '#!/bin/sh\\n${inner}\\n' > "$6/bin/python"; chmod +x "$6/bin/python" ;; esac`,
    );
    expect(await ensurePython()).toMatchObject({ ok: false, error: { code: "python/no-network", exit: 6 } });
    expect(left()).toEqual([]);
  });
  test("is tried anew by the next call", async () => {
    fakePython("exit 127");
    await ensurePython();
    fakePython("echo 3.8.1");
    expect(await ensurePython()).toMatchObject({ error: { code: "python/unsupported" } });
  });
});

describe("an environment in the cache", () => {
  const place = () => join(dir, "cache", "python", `${readRequirements().digest.slice(7, 23)}-${detectAccelerator()}-py3.11`);
  test("is used when it is finished, and not when its build was killed", async () => {
    fakePython("exit 127");
    mkdirSync(join(place(), "bin"), { recursive: true });
    symlinkSync(process.execPath, join(place(), "bin", "python"));
    expect(await ensurePython()).toMatchObject({ ok: false });
    writeFileSync(join(place(), "forge-environment.json"), "{}");
    expect(await ensurePython()).toEqual({ ok: true, value: { python: join(place(), "bin", "python") } });
  });
  test("does not count when the Python it was made from is gone", async () => {
    fakePython("exit 127");
    mkdirSync(join(place(), "bin"), { recursive: true });
    symlinkSync(join(dir, "gone"), join(place(), "bin", "python"));
    writeFileSync(join(place(), "forge-environment.json"), "{}");
    expect(await ensurePython()).toMatchObject({ ok: false });
  });
});

describe("MCP_FORGE_PYTHON", () => {
  const name = (answer: object) => {
    vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "fake-python.mjs"));
    vi.stubEnv("MCP_FORGE_FAKE_ANSWER", JSON.stringify(answer));
    // Checked once a process for each place; another cache folder is another place.
    vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, JSON.stringify(answer).length.toString()));
  };
  test("is used as it is, with a word when its versions are not the pinned ones", async () => {
    name({});
    const said: string[] = [];
    const r = await ensurePython({ onProgress: (e) => e.type === "log" && said.push(e.message) });
    expect(r).toEqual({ ok: true, value: { python: join(import.meta.dirname, "fake-python.mjs") } });
    expect(said.join()).toContain("torch 1.0 (tested with 2.13.0)");
  });
  test("must name a program", async () => {
    vi.stubEnv("MCP_FORGE_PYTHON", join(dir, "nothing"));
    expect(await ensurePython()).toMatchObject({ ok: false, error: { code: "python/named-unusable", exit: 6 } });
  });
  test("must be new enough and have the packages", async () => {
    name({ python: "3.8.10" });
    expect(await ensurePython()).toMatchObject({ error: { message: expect.stringContaining("3.8.10") } });
    name({ packages: { peft: null, torch: null } });
    expect(await ensurePython()).toMatchObject({ error: { message: expect.stringContaining("lacks torch, peft") } });
  });
});

describe("what a fingerprint sees", () => {
  test("the pinned versions, the same before and after the environment is made", () => {
    expect(pythonRuntime()).toMatchObject({ packages: { torch: "2.13.0", transformers: "5.17.0", peft: "0.21.2", gguf: "0.19.0" } });
  });
  test("a named environment with the same packages counts as the same", () => {
    const ours = pythonRuntime();
    const site = join(dir, "v", "lib", "python3.11", "site-packages");
    mkdirSync(site, { recursive: true });
    const add = (n: string, v: string) => mkdirSync(join(site, `${n}-${v}.dist-info`));
    for (const [n, v] of readRequirements().versions) add(n.replaceAll("-", "_"), n === "torch" ? `${v}+cpu` : v);
    vi.stubEnv("MCP_FORGE_PYTHON", join(dir, "v", "bin", "python"));
    expect(pythonRuntime()).toEqual(ours);
    mkdirSync(join(dir, "v", "bin"), { recursive: true });
    writeFileSync(join(dir, "v", "bin", "python"), "");
    vi.stubEnv("PATH", `${join(dir, "nowhere")}:${join(dir, "v", "bin")}`);
    for (const named of ["python", relative(process.cwd(), join(dir, "v", "bin", "python"))]) {
      vi.stubEnv("MCP_FORGE_PYTHON", named);
      expect(pythonRuntime(), named).toEqual(ours);
    }
    rmSync(join(site, `peft-${readRequirements().versions.get("peft")}.dist-info`), { recursive: true });
    add("peft", "0.0.1");
    expect(pythonRuntime()).not.toEqual(ours);
  });
});

test("a checkout of llama.cpp counts by what its converter is", () => {
  const [one, two] = [join(dir, "one"), join(dir, "two")];
  for (const checkout of [one, two]) {
    mkdirSync(join(checkout, "gguf-py", "gguf"), { recursive: true });
    writeFileSync(join(checkout, "convert_hf_to_gguf.py"), "import gguf\n");
    writeFileSync(join(checkout, "gguf-py", "gguf", "constants.py"), "X = 1\n");
  }
  expect(converterDigest(two)).toBe(converterDigest(one));
  writeFileSync(join(two, "gguf-py", "gguf", "constants.py"), "X = 2\n");
  expect(converterDigest(two)).not.toBe(converterDigest(one));
});

test("every requirement is pinned, and none names a registry", () => {
  const { versions } = readRequirements();
  expect(versions.size).toBeGreaterThan(40);
  for (const n of ["torch", "transformers", "peft", "gguf", "accelerate", "sentencepiece", "tokenizers"]) expect(versions.get(n)).toMatch(/^\d+(\.\d+)+$/);
});

test("pip's report and output are read", () => {
  expect(isCpuBuild('WARNING: x\n{"install":[{"metadata":{"name":"torch","version":"2.13.0+cpu"}}]}')).toBe(true);
  expect(isCpuBuild('{"install":[{"metadata":{"name":"torch","version":"2.13.0"}}]}')).toBe(false);
  expect(isCpuBuild("no JSON")).toBe(false);
  expect(pipFailure("OSError: [Errno 28] No space left on device").code).toBe("python/no-space");
  expect(pipFailure("ERROR: No matching distribution found for torch").code).toBe("python/no-network");
  expect(pipFailure("ERROR: something else").code).toBe("python/install-failed");
});

test("a GPU is told by its device file", () => {
  writeFileSync(join(dir, "nvidia-uvm"), "");
  expect(detectAccelerator(dir)).toBe("cpu");
  writeFileSync(join(dir, "nvidia0"), "");
  expect(detectAccelerator(dir)).toBe("cuda");
  expect(detectAccelerator(join(dir, "nowhere"))).toBe("cpu");
});
