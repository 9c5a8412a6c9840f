/** The environments of trackers: what is said where one cannot be made or a named one will not do, and what of the environment a tracker gets. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { trackerEnv, trackersOf } from "../../src/models/tracking.ts";
import { redact } from "../../src/platform/redact.ts";
import { readRequirements } from "../../src/runners/python/requirements.ts";
import { ensureTracker } from "../../src/runners/tracker-env.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-tracker-env-"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  vi.stubEnv("MCP_FORGE_TRACKER_PYTHON", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

test("each tracker's package is pinned", () => {
  for (const [tracker, name] of [
    ["tensorboard", "tensorboard"],
    ["wandb", "wandb"],
    ["mlflow", "mlflow-skinny"],
  ] as const)
    expect([...readRequirements(`requirements-${tracker}.lock`).versions.keys()]).toEqual([name]);
});

test("without a network it is refused before anything is trained, and says what to do instead", async () => {
  vi.stubEnv("MCP_FORGE_OFFLINE", "1");
  const o = { signal: new AbortController().signal, emit: () => {} };
  const r = await trackersOf({ report_to: ["wandb"] }, o);
  expect(r).toMatchObject({ ok: false, error: { code: "offline/missing", exit: 6 } });
  expect(!r.ok && r.error.message).toMatch(/^the environment of wandb cannot be made: .*0\.1 GB/);
  expect(!r.ok && r.error.hint).toMatch(/^run the same once without --offline\. Or remove `wandb` from `train\.report_to`.*MCP_FORGE_TRACKER_PYTHON=PATH$/);
  // Nothing is asked for where the recipe names none.
  expect(await trackersOf({}, o)).toMatchObject({ ok: true });
});

test("a named interpreter without the package is refused with the command that mends it", async () => {
  const python = join(dir, "python");
  writeFileSync(python, "#!/bin/sh\nexit 1\n");
  chmodSync(python, 0o755);
  vi.stubEnv("MCP_FORGE_TRACKER_PYTHON", python);
  const r = await ensureTracker("mlflow");
  expect(r).toMatchObject({ ok: false, error: { code: "python/named-unusable", exit: 6, hint: expect.stringContaining(`${python} -m pip install mlflow`) } });
});

test("a tracker gets its own variables alone, keys are masked, and nothing goes out without one", () => {
  const env = {
    WANDB_API_KEY: "0123456789abcdef",
    WANDB_PROJECT: "p",
    MLFLOW_TRACKING_URI: "https://host",
    MLFLOW_TRACKING_TOKEN: "secret-token-1",
    OTHER: "x",
  };
  expect(trackerEnv("tensorboard", env)).toEqual({});
  expect(trackerEnv("wandb", env)).toEqual({ WANDB_API_KEY: "0123456789abcdef", WANDB_PROJECT: "p" });
  expect(trackerEnv("mlflow", env)).toEqual({ MLFLOW_TRACKING_URI: "https://host", MLFLOW_TRACKING_TOKEN: "secret-token-1" });
  expect(redact("wandb: 0123456789abcdef, mlflow: secret-token-1")).toBe("wandb: [redacted], mlflow: [redacted]");
  expect(trackerEnv("wandb", {})).toEqual({ WANDB_MODE: "offline" });
  expect(trackerEnv("wandb", { ...env, MCP_FORGE_OFFLINE: "1" }).WANDB_MODE).toBe("offline");
  expect(trackerEnv("mlflow", { ...env, MCP_FORGE_OFFLINE: "1" }).MLFLOW_TRACKING_URI).toBeUndefined();
});
