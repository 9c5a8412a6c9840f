#!/usr/bin/env node
/**
 * Stands in for a Python with forge's packages: answers the version check, and plays the step that
 * MCP_FORGE_FAKE_STEP names. Written in the step protocol alone, so it needs nothing installed.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";

const emit = (event) => process.stdout.write(`${JSON.stringify({ v: 1, ...event })}\n`);
if (process.argv[2] === "-c") {
  const packages = Object.fromEntries(process.argv.slice(4).map((n) => [n, "1.0"]));
  const changes = JSON.parse(process.env.MCP_FORGE_FAKE_ANSWER ?? "{}");
  console.log(JSON.stringify({ python: "3.11.7", ...changes, packages: { ...packages, ...changes.packages } }));
  process.exit(0);
}
const seen = process.env.MCP_FORGE_FAKE_SEEN;
/** How often the system has killed it, as its spec has it. */
const killed = () => JSON.parse(readFileSync(process.argv[6], "utf8")).killed ?? 0;
const plays = {
  good() {
    emit({ type: "progress", done: 1, total: 2, unit: "samples", eta_s: 3, message: "half" });
    emit({ type: "metric", name: "loss", value: 0.5, step: 1 });
    emit({ type: "artifact", name: "checkpoint", path: "/x" });
    process.stderr.write("free text\n");
    emit({
      type: "result",
      figures: { final_loss: 0.25, argv: process.argv.slice(2), lang: process.env.PYTHONUTF8, secret: process.env.OPENAI_API_KEY ?? null },
    });
  },
  error() {
    process.stderr.write("Traceback: something deep\n");
    emit({ type: "error", code: "train/not-finite", message: "the loss is no longer a number", hint: "Lower it." });
    process.exitCode = 1;
  },
  refused() {
    emit({ type: "error", code: process.env.MCP_FORGE_FAKE_CODE, message: "it cannot be had here" });
    process.exitCode = 1;
  },
  stopped() {
    emit({ type: "error", code: "step/stopped", message: "train was stopped before it was done" });
    process.exitCode = 3;
  },
  babble: () => process.stdout.write("hello, I am a library\n") && setInterval(() => {}, 1000),
  foreign: () => emit({ type: "result", figures: {}, extra: 1 }) && setInterval(() => {}, 1000),
  silent: () => process.exit(7),
  killed() {
    appendFileSync(seen, "started\n");
    process.kill(process.pid, "SIGKILL");
  },
  "killed-twice"() {
    if (killed() < 2) process.kill(process.pid, "SIGKILL");
    else emit({ type: "result", figures: { killed: killed() } });
  },
  "killed-thrice"() {
    const before = existsSync(seen) ? readFileSync(seen, "utf8").split("\n").length - 1 : 0;
    appendFileSync(seen, `${JSON.stringify(JSON.parse(readFileSync(process.argv[6], "utf8")).killed ?? null)}\n`);
    if (before < 3) process.kill(process.pid, "SIGKILL");
    else emit({ type: "result", figures: {} });
  },
  "lost-a-process"() {
    if (killed() > 0) return emit({ type: "result", figures: { killed: killed() } });
    emit({ type: "error", code: "step/killed", message: "process 2 of the 2 that train was killed by the system" });
    process.exitCode = 1;
  },
  "deaf-and-killed"() {
    process.on("SIGTERM", () => process.kill(process.pid, "SIGKILL"));
    emit({ type: "progress", done: 0, total: 1, unit: "samples" });
    setInterval(() => {}, 1000);
  },
  liar() {
    emit({ type: "result", figures: {} });
    process.exitCode = 3;
  },
  polite() {
    process.on("SIGTERM", () => {
      appendFileSync(seen, "asked\n");
      emit({ type: "artifact", name: "checkpoint", path: "/saved" });
      emit({ type: "error", code: "step/stopped", message: "stopped" });
      process.exit(3);
    });
    emit({ type: "progress", done: 0, total: 1, unit: "samples" });
    setInterval(() => {}, 1000);
  },
  deaf() {
    process.on("SIGTERM", () => appendFileSync(seen, `asked ${process.pid}\n`));
    emit({ type: "progress", done: 0, total: 1, unit: "samples" });
    setInterval(() => {}, 1000);
  },
};
plays[process.env.MCP_FORGE_FAKE_STEP]();
