/**
 * The listeners of a run: one event stream, several ways to show it. This file chooses; it holds nothing
 * that an unchanged run does not need (the live renderer and its library are loaded when the first stage
 * starts).
 */
import type { RunEvent } from "../../engine/events.ts";
import { jsonText } from "../json.ts";
import type { Terminal } from "../terminal.ts";
import type { RunRenderer } from "./listener.ts";
import { plainRenderer } from "./plain.ts";

export interface RenderOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** JSON lines on stdout for scripts; live on a terminal; else one line at a time. */
export function chooseRenderer(terminal: Terminal, o: RenderOptions): RunRenderer {
  if (o.json === true) return jsonRenderer(terminal);
  if (terminal.live && o.quiet !== true && o.verbose !== true) return deferred(terminal);
  return plainRenderer(terminal, o);
}

/** Every event as one line of JSON on stdout; words for people go to stderr. */
function jsonRenderer(terminal: Terminal): RunRenderer {
  return {
    onEvent: (event) => terminal.out(jsonText(event, 0)),
    say: (line) => terminal.err(`${line}\n`),
    finish: () => Promise.resolve(),
  };
}

/** Collects events until a stage really starts; then loads the live renderer and hands them over. */
function deferred(terminal: Terminal): RunRenderer {
  const waiting: RunEvent[] = [];
  let live: RunRenderer | undefined;
  let loading: Promise<void> | undefined;
  const start = async (): Promise<void> => {
    const { liveRenderer } = await import("./live.ts");
    live = await liveRenderer(terminal);
    for (const event of waiting.splice(0)) live.onEvent(event);
  };
  return {
    onEvent(event) {
      if (live !== undefined) live.onEvent(event);
      else waiting.push(event);
      if (event.type === "lock-waiting") terminal.out(`waiting for ${event.holder}\n`);
      if (event.type === "stage-started") loading ??= start();
    },
    say(line) {
      if (live !== undefined) live.say(line);
      else terminal.err(`${line}\n`);
    },
    async finish() {
      await loading;
      await live?.finish();
      if (live !== undefined) return;
      for (const event of waiting) if (event.type === "notice" && event.level === "warning") terminal.err(`warning: ${event.message}\n`);
    },
  };
}
