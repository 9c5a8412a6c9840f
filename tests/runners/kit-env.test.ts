/** The environment of synthetic-data-kit: apart from the steps' own, made once, and what is said where it cannot be made or a named one will not do. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ensureKitPython, kitVersion } from "../../src/runners/kit-env.ts";
import { readRequirements } from "../../src/runners/python/requirements.ts";

const LOCK = "requirements-synthetic-data-kit.lock";
const FAKE = join(import.meta.dirname, "../models/fake-kit.mjs");

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-kit-env-"));
  // Checked once a process for each place; another cache folder is another place.
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  vi.stubEnv("MCP_FORGE_KIT_PYTHON", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
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

describe("its lock file", () => {
  test("pins the kit and what is imported of it, and nothing of training's", () => {
    const { versions } = readRequirements(LOCK);
    for (const name of ["synthetic-data-kit", "openai", "requests", "rich", "pyyaml"]) expect(versions.get(name), name).toMatch(/^\d+(\.\d+)+$/);
    for (const name of ["torch", "transformers", "datasets", "flask"]) expect(versions.has(name), name).toBe(false);
    expect(kitVersion()).toBe(versions.get("synthetic-data-kit"));
  });
  test("has the versions of requirements.lock where both name a package", () => {
    const { versions: steps } = readRequirements();
    const { versions } = readRequirements(LOCK);
    const shared = [...versions].filter(([name]) => steps.has(name));
    expect(shared.length).toBeGreaterThan(10);
    expect(shared).toEqual(shared.map(([name]) => [name, steps.get(name)]));
  });
});

describe("what cannot be made", () => {
  const left = () => (existsSync(join(dir, "cache", "python")) ? readdirSync(join(dir, "cache", "python")).filter((n) => n.includes("-kit-")) : []);
  const INSTEAD = /`augment: \{ by: teacher \}`.*MCP_FORGE_KIT_PYTHON=PATH/;
  test("for want of a Python says what there is instead, and nothing of MCP_FORGE_PYTHON", async () => {
    fakePython("exit 127");
    const r = await ensureKitPython();
    expect(r).toMatchObject({ ok: false, error: { code: "python/not-found", exit: 6, hint: expect.stringMatching(INSTEAD) } });
    expect(!r.ok && r.error.message).toMatch(/^the environment of synthetic-data-kit cannot be made: no Python was found/);
    expect(!r.ok && r.error.hint).not.toContain("MCP_FORGE_PYTHON");
  });
  test("for want of a network says that first, leaves nothing, and is tried anew", async () => {
    const inner = 'echo "Max retries exceeded with url: /simple/openai/ (Caused by NameResolutionError)" >&2; exit 1';
    fakePython(
      `case "$*" in *version_info*) echo 3.11.2 ;; *"-m venv"*) mkdir -p "$6/bin"; printf '#!/bin/sh\\n${inner}\\n' > "$6/bin/python"; chmod +x "$6/bin/python" ;; esac`,
    );
    const r = await ensureKitPython();
    expect(r).toMatchObject({ ok: false, error: { code: "python/no-network", exit: 6, hint: expect.stringMatching(INSTEAD) } });
    expect(!r.ok && r.error.hint).toMatch(/^Check the network/);
    expect(left()).toEqual([]);
    fakePython("exit 127");
    expect(await ensureKitPython()).toMatchObject({ error: { code: "python/not-found" } });
  });
  test("offline says so", async () => {
    vi.stubEnv("MCP_FORGE_OFFLINE", "1");
    expect(await ensureKitPython()).toMatchObject({ ok: false, error: { code: "offline/missing", message: expect.stringContaining("about 0.1 GB") } });
  });
});

test("a finished one in the cache is used, and no other environment", async () => {
  fakePython("exit 127");
  const place = (kind: string) => join(dir, "cache", "python", `${readRequirements(LOCK).digest.slice(7, 23)}-${kind}-py3.11`);
  for (const kind of ["cpu", "kit"]) {
    mkdirSync(join(place(kind), "bin"), { recursive: true });
    symlinkSync(process.execPath, join(place(kind), "bin", "python"));
    writeFileSync(join(place(kind), kind === "kit" ? "half" : "forge-environment.json"), "{}");
  }
  expect(await ensureKitPython()).toMatchObject({ ok: false });
  writeFileSync(join(place("kit"), "forge-environment.json"), "{}");
  expect(await ensureKitPython()).toEqual({ ok: true, value: { python: join(place("kit"), "bin", "python") } });
});

describe("MCP_FORGE_KIT_PYTHON", () => {
  const name = (versions: string, python = FAKE) => {
    vi.stubEnv("MCP_FORGE_KIT_PYTHON", python);
    vi.stubEnv("MCP_FORGE_FAKE_KIT", JSON.stringify({ versions }));
    vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, versions.replaceAll(" ", "_")));
    return ensureKitPython();
  };
  test("is used as it is when it has the kit in the pinned version", async () => {
    expect(await name(`3.12.1 ${kitVersion()} 1.97.0`)).toEqual({ ok: true, value: { python: FAKE } });
  });
  test.each([
    ["3.11.7 - 3.57.0", "lacks synthetic-data-kit"],
    ["3.11.7 0.0.5 -", "lacks openai"],
    ["3.11.7 - -", "lacks synthetic-data-kit and openai"],
    ["3.11.7 0.0.4 3.57.0", "has synthetic-data-kit 0.0.4; forge works with 0.0.5"],
    ["3.8.10 0.0.5 3.57.0", "Python 3.8.10: not supported"],
    ["hello", "no working Python"],
  ])("is refused when it says `%s`", async (versions, why) => {
    expect(await name(versions)).toMatchObject({
      ok: false,
      error: {
        code: "python/named-unusable",
        exit: 6,
        message: expect.stringContaining(why),
        hint: expect.stringContaining("pip install synthetic-data-kit==0.0.5"),
      },
    });
  });
  test("must name a program", async () => {
    expect(await name("x", join(dir, "nothing"))).toMatchObject({ error: { message: expect.stringContaining("cannot be started") } });
  });
});
