/**
 * One line at a time, for pipes, logs and CI: a line when a stage starts, begins a phase (fetching a model,
 * installing torch) and ends; progress at most every ten seconds a stage; a sign of life when a stage has
 * been silent for half a minute, so that nobody takes a log for a hang. Nothing is printed while nothing runs, so that an unchanged run stays at its
 * closing line.
 */
import type { Terminal } from "../terminal.ts";
import { duration, lastTimeWords } from "../words.ts";
import { dispatch, type EventHandlers, type RunRenderer } from "./listener.ts";
import { gateWords, reasonWords } from "./phrases.ts";
import { StageProgress } from "./progress.ts";

const PROGRESS_EVERY_MS = 10_000;
/** Phases may change in quick succession; a line a second is enough. */
const PHASE_EVERY_MS = 1000;
const SILENCE_MS = 30_000;

interface Running {
  readonly progress: StageProgress;
  /** When a line about it was last printed (milliseconds since 1970). */
  told: number;
  phase?: string;
}

export function plainRenderer(terminal: Pick<Terminal, "out" | "err" | "paint">, o: { readonly quiet?: boolean; readonly verbose?: boolean }): RunRenderer {
  const running = new Map<string, Running>();
  const unchanged: string[] = [];
  let began = false;
  const line = (node: string, text: string): void => {
    if (o.quiet !== true) terminal.out(`${terminal.paint("dim", `${node}:`)} ${text}\n`);
  };
  const flushUnchanged = (): void => {
    if (unchanged.length > 0) line("unchanged", unchanged.splice(0).join(", "));
  };

  let pulse: NodeJS.Timeout | undefined;
  const beat = (): void => {
    for (const [node, stage] of running) {
      if (Date.now() - stage.told < SILENCE_MS) continue;
      stage.told = Date.now();
      line(node, `still at work after ${duration(stage.progress.elapsed(Date.now()))}`);
    }
  };

  const handlers: EventHandlers = {
    "run-started": () => undefined,
    "run-finished": () => undefined,
    "lock-waiting": (event) => line("lock", `waiting for ${event.holder}`),
    "stage-cached": (event) => {
      unchanged.push(event.node);
      if (began) flushUnchanged();
    },
    "stage-started": (event) => {
      began = true;
      flushUnchanged();
      running.set(event.node, { progress: new StageProgress(event.time), told: Date.parse(event.time) });
      pulse ??= setInterval(beat, SILENCE_MS / 6).unref();
      const why = reasonWords(event.reasons, o.verbose === true ? Number.POSITIVE_INFINITY : 2);
      const took = lastTimeWords(event);
      const last = took === "" ? "" : ` (last time ${took})`;
      line(event.node, `started${last}${why === "" ? "" : `: ${why}`}`);
    },
    "stage-progress": (event) => {
      const stage = running.get(event.node);
      if (stage === undefined) return;
      stage.progress.update(event);
      const now = Date.parse(event.time);
      const phase = event.message !== undefined && event.message !== stage.phase && (stage.phase === undefined || now - stage.told >= PHASE_EVERY_MS);
      if (!phase && now - stage.told < PROGRESS_EVERY_MS) return;
      stage.phase = event.message;
      stage.told = now;
      line(event.node, stage.progress.words());
    },
    "stage-metric": (event) => running.get(event.node)?.progress.update(event),
    "stage-log": (event) => {
      if (event.level === "warning" || event.level === "error") terminal.err(`${event.node}: ${event.level}: ${event.message}\n`);
      else if (event.level === "info" || o.verbose === true) line(event.node, event.message);
    },
    "stage-finished": (event) => {
      running.delete(event.node);
      line(
        event.node,
        `done in ${duration(event.seconds)}${event.summary ? `: ${event.summary}` : ""}${event.unchanged === true ? " (same output as before)" : ""}`,
      );
    },
    "stage-failed": (event) => {
      running.delete(event.node);
      line(event.node, `${event.interrupted ? "stopped" : "failed"} after ${duration(event.seconds)}${event.interrupted ? ", what was done is kept" : ""}`);
    },
    "node-skipped": (event) => {
      if (o.verbose === true) line(event.node, `not reached: ${event.reason}`);
    },
    "gate-judged": (event) => {
      if (!event.passed && o.quiet === true) terminal.err(`${event.node}: ${gateWords(event)}\n`);
      else if (began || !event.passed) line(event.node, gateWords(event));
    },
    "view-written": (event) => {
      if (event.kept !== undefined) terminal.err(`${event.path} had been edited by hand: that copy is now ${event.kept}\n`);
      else if (o.verbose === true) line(event.node, `wrote ${event.path}`);
    },
    notice: (event) => {
      if (event.level === "warning") terminal.err(`warning: ${event.message}\n`);
      else line(event.node ?? "note", event.message);
    },
  };
  return { onEvent: (event) => dispatch(handlers, event), say: (text) => terminal.err(`${text}\n`), finish: async () => clearInterval(pulse) };
}
