/**
 * The chain of single steps of docs/cli.md on a real base model: every file that one step writes is what the next one reads,
 * and the last one is a bundle that verifies. So little data teaches little; the gates of the evaluation ask for nothing.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { packageRoot } from "../../../src/platform/paths.ts";

/** Goes through the chain with a family; `bytes`: its GGUF is at least so large. */
export function stepsChain(family: string, bytes: number): void {
  const room = mkdtempSync(join(realpathSync(tmpdir()), "forge-steps-"));
  try {
    chain(room, family, bytes);
  } finally {
    rmSync(room, { recursive: true, force: true });
  }
}

function run(room: string, args: readonly string[]): void {
  const ended = spawnSync(process.execPath, [join(packageRoot(), "dist", "forge.js"), ...args], {
    cwd: room,
    env: { ...process.env, NO_COLOR: "1" },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  expect(ended.status, `forge ${args.join(" ")}\n${ended.stdout}${ended.stderr}`).toBe(0);
}

const NOTHING = ["tool-call-parse-rate", "schema-conformance-rate", "tool-selection-accuracy", "loop-completion-rate", "error-handling-rate"];

function chain(room: string, family: string, bytes: number): void {
  const forge = (...args: string[]): void => run(room, args);
  const lines = (file: string): number => readFileSync(join(room, file), "utf8").trim().split("\n").length;
  const json = (file: string) => JSON.parse(readFileSync(join(room, file), "utf8"));
  forge("tools", "inspect", "--stub", "weather", "--output", "tools.json");
  forge("generate", "--tools", "tools.json", "--stub", "weather", "--samples", "48", "--seed", "3", "--output", "train.jsonl");
  expect(lines("train.jsonl")).toBeGreaterThanOrEqual(40);
  forge("qa", "--data", "train.jsonl", "--tools", "tools.json", "--fix", "--min-samples-per-tool", "2", "--output", "clean.jsonl");
  forge("train", "--data", "clean.jsonl", "--tools", "tools.json", "--model", family, "--output", "adapter");
  forge("export", "--model", "adapter", "--output", "model.gguf", "--format", "q8_0");
  expect(statSync(join(room, "model.gguf")).size).toBeGreaterThan(bytes);
  const free = NOTHING.flatMap((name) => [`--${name}`, "0"]);
  forge("validate", "--model", "model.gguf", "--tools", "tools.json", "--stub", "weather", "--samples", "12", ...free, "--output", "validation.json");
  expect(json("validation.json").figures.tool_selection_accuracy.n).toBeGreaterThan(5);
  forge(
    "benchmark",
    "--model",
    "model.gguf",
    "--tools",
    "tools.json",
    "--stub",
    "weather",
    "--samples",
    "12",
    "--no-tool-correctness",
    "0",
    "--output",
    "b.json",
  );
  expect(json("b.json").latency.first_turn.p50).toBeGreaterThan(0);
  forge(
    "pack",
    "--model",
    "model.gguf",
    "--tools",
    "tools.json",
    "--validation",
    "validation.json",
    "--benchmark",
    "b.json",
    "--unproven",
    "--output",
    "dist/my",
  );
  forge("verify-bundle", "dist/my");
  expect(existsSync(join(room, "dist", "my", "model.gguf"))).toBe(true);
  expect(readdirSync(room).filter((name) => name.startsWith("forge") || name.startsWith("."))).toEqual([]);
}
