/** Steps as processes: what they say is checked, and however they end there is one figure set or one failure. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StageEvent } from "../../src/engine/stage.ts";
import { runStep, type StepOptions } from "../../src/runners/local.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-step-"));
  vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "fake-python.mjs"));
  vi.stubEnv("MCP_FORGE_FAKE_SEEN", join(dir, "seen"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const play = (name: string, o: Partial<StepOptions> = {}) => {
  vi.stubEnv("MCP_FORGE_FAKE_STEP", name);
  return runStep(
    "train",
    { v: 1, seed: 7 },
    { scratch: join(dir, "scratch"), logFile: join(dir, "log", "train.log"), signal: new AbortController().signal, ...o },
  );
};
const failureOf = async (name: string) => {
  const r = await play(name);
  if (r.ok) throw new Error(`${name} succeeded`);
  return r.error;
};

test("a step's events arrive in the stage's words, its figures as the value, its stderr in the log", async () => {
  vi.stubEnv("OPENAI_API_KEY", "sk-must-not-be-seen");
  const events: StageEvent[] = [];
  const artifacts: string[] = [];
  const r = await play("good", { onEvent: (e) => events.push(e), onArtifact: (name, path) => artifacts.push(`${name} ${path}`) });
  if (!r.ok) throw new Error(r.error.message);
  expect(r.value).toMatchObject({ final_loss: 0.25, lang: "1", secret: null });
  expect(r.value.argv).toEqual(["-m", "forge_steps", "train", "--spec", join(dir, "scratch", "train.spec.json")]);
  expect(events.filter((e) => e.type !== "log")).toEqual([
    { type: "progress", done: 1, total: 2, unit: "samples", etaSeconds: 3, message: "half" },
    { type: "metric", name: "loss", value: 0.5, step: 1 },
  ]);
  expect(artifacts).toEqual(["checkpoint /x"]);
  expect(readFileSync(join(dir, "log", "train.log"), "utf8")).toContain("free text");
  expect(JSON.parse(readFileSync(join(dir, "scratch", "train.spec.json"), "utf8"))).toEqual({ v: 1, seed: 7 });
});

test("only training is said to go on from a checkpoint when it was killed, and a device that is not there is the environment's failure", async () => {
  vi.stubEnv("MCP_FORGE_FAKE_STEP", "killed");
  const o = { scratch: join(dir, "scratch"), logFile: join(dir, "log"), signal: new AbortController().signal };
  const hint = async (step: string) => {
    const r = await runStep(step, { v: 1 }, o);
    return r.ok ? undefined : r.error.hint;
  };
  expect(await hint("train")).toMatch(/run the same command again; training goes on from its last checkpoint\.$/);
  expect(await hint("export")).toMatch(/run the same command again\.$/);
  for (const code of ["step/device", "train/device", "train/no-gpu"]) {
    vi.stubEnv("MCP_FORGE_FAKE_CODE", code);
    expect(await failureOf("refused")).toMatchObject({ code, exit: 6 });
  }
});

test("a step's own error keeps its code and hint, and shows the end of its stderr", async () => {
  expect(await failureOf("error")).toEqual({
    code: "train/not-finite",
    message: "the loss is no longer a number",
    hint: "Lower it.",
    details: "Traceback: something deep",
    exit: 1,
  });
});

test("a step that somebody else told to stop says so, and what to do", async () => {
  expect(await failureOf("stopped")).toMatchObject({
    code: "step/stopped",
    message: "the step `train` was told to stop by another process than forge (SIGTERM)",
    hint: "Run the same command again; it goes on from the last checkpoint.",
    exit: 1,
  });
});

test.each([
  ["babble", "step/protocol"],
  ["foreign", "step/protocol"],
  ["silent", "step/died"],
  ["killed", "step/killed"],
  ["liar", "step/died"],
])("a step that plays `%s` fails with %s", async (name, code) => {
  expect((await failureOf(name)).code).toBe(code);
});

test("an interrupted step is asked, may save, and the failure says interrupted", async () => {
  const abort = new AbortController();
  const saved: string[] = [];
  const r = await play("polite", { signal: abort.signal, onEvent: (e) => e.type === "progress" && abort.abort(), onArtifact: (_, path) => saved.push(path) });
  expect(r).toMatchObject({ ok: false, error: { code: "step/interrupted", exit: 130 } });
  expect(saved).toEqual(["/saved"]);
});

test("a step that does not leave is killed after the grace", async () => {
  const abort = new AbortController();
  const started = performance.now();
  const r = await play("deaf", { signal: abort.signal, graceMs: 300, onEvent: (e) => e.type === "progress" && abort.abort() });
  expect(r).toMatchObject({ ok: false, error: { exit: 130 } });
  expect(performance.now() - started).toBeLessThan(5000);
  const pid = Number(/asked (\d+)/.exec(readFileSync(join(dir, "seen"), "utf8"))?.[1]);
  expect(pid).toBeGreaterThan(0);
  expect(() => process.kill(pid, 0)).toThrow();
});

test("an abort before the start starts nothing", async () => {
  const r = await play("polite", { signal: AbortSignal.abort() });
  expect(r).toMatchObject({ ok: false, error: { exit: 130 } });
  expect(existsSync(join(dir, "seen"))).toBe(false);
});
