/**
 * The live display of a terminal, on listr2: every node of the run in order, the running ones with a
 * bar, rate, loss and time left, the finished ones with what came out and how long it took. It owns no
 * logic: each task does nothing but wait for the events that end it.
 */
import { writeSync } from "node:fs";
import { type DefaultRenderer, Listr, ListrTaskState, type ListrTaskWrapper, type SimpleRenderer } from "listr2";
import type { RunEvent } from "../../engine/events.ts";
import type { Terminal } from "../terminal.ts";
import { cut, duration } from "../words.ts";
import { dispatch, type EventHandlers, type RunRenderer } from "./listener.ts";
import { gateWords, reasonWords } from "./phrases.ts";
import { StageProgress } from "./progress.ts";
import { showsUnicode } from "./sparkline.ts";

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

interface Row {
  readonly title: string;
  task?: Task;
  /** What to do with the task once listr2 has handed it over. */
  readonly queue: ((task: Task) => void)[];
  readonly end: () => void;
  readonly fail: (error: Error) => void;
  readonly ended: Promise<void>;
  progress?: StageProgress;
  note?: string;
}

const TICK_MS = 500;
const BAR = 18;
/** After so many seconds without news the line says how long the stage has been at work. */
const SILENCE_S = 5;

export function liveRenderer(terminal: Terminal): Promise<RunRenderer> {
  const rows = new Map<string, Row>();
  const afterwards: string[] = [];
  const { paint } = terminal;
  const bottom = newRow("");
  let run: Promise<unknown> = Promise.resolve();
  const width = (): number => Math.max(30, (process.stdout.columns || terminal.columns) - 6);

  const redraw = (row: Row): void => {
    const { progress } = row;
    if (progress === undefined) return;
    const now = Date.now();
    const soFar = progress.silence(now) >= SILENCE_S ? `${progress.known ? ", " : ""}at work for ${duration(Math.floor(progress.elapsed(now)))}` : "";
    const first = `${progress.words(BAR)}${soFar}`;
    const lines = [cut(first, width()), ...(row.note === undefined ? [] : [paint("dim", cut(row.note, width()))])];
    withTask(row, (task) => {
      task.output = lines.join("\n");
    });
  };
  const ticker = setInterval(() => {
    for (const row of rows.values()) redraw(row);
  }, TICK_MS);

  // listr2 holds what is written to stdout while it draws, the restored cursor of an early exit included.
  const restore = (): void => {
    try {
      writeSync(process.stdout.fd, "\u001b[?25h\n");
    } catch {
      // The terminal is gone.
    }
  };
  process.once("exit", restore);

  const open = (nodes: Extract<RunEvent, { type: "run-started" }>["nodes"]): void => {
    for (const node of nodes) rows.set(node.id, newRow(node.title));
    const list = new Listr(
      [...rows.values(), bottom].map((row) => ({
        ...(row === bottom ? {} : { title: paint("dim", row.title) }),
        task: (_: unknown, task: Task) => {
          // listr2 starts every task at once; until its stage starts, ours is a waiting one.
          if (row !== bottom) task.task.state$ = ListrTaskState.WAITING;
          row.task = task;
          for (const step of row.queue.splice(0)) step(task);
          return row.ended;
        },
        rendererOptions: row === bottom ? { bottomBar: 1 } : { outputBar: 1 },
      })),
      {
        concurrent: true,
        exitOnError: false,
        registerSignalListeners: false,
        renderer: "default",
        rendererOptions: { collapseErrors: true, collapseSkips: true, formatOutput: "truncate" },
      },
    );
    run = list.run().catch(() => undefined);
  };

  const close = (id: string, state: ListrTaskState, title: string): void => {
    const row = rows.get(id);
    if (row === undefined) return;
    row.progress = undefined;
    withTask(row, (task) => {
      task.title = title;
      if (state === ListrTaskState.FAILED) row.fail(new Error(title));
      else {
        if (state === ListrTaskState.SKIPPED) task.task.message$ = { skip: title };
        task.task.state$ = state;
        row.end();
      }
    });
  };

  const handlers: EventHandlers = {
    "run-started": (event) => open(event.nodes),
    "run-finished": () => undefined,
    "lock-waiting": () => undefined,
    "stage-cached": (event) =>
      close(event.node, ListrTaskState.COMPLETED, `${event.title}  ${paint("dim", `unchanged${event.summary ? `: ${event.summary}` : ""}`)}`),
    "stage-started": (event) => {
      const row = rows.get(event.node);
      if (row === undefined) return;
      row.progress = new StageProgress(event.time);
      const why = reasonWords(event.reasons);
      withTask(row, (task) => {
        task.title = `${event.title}${why === "" ? "" : `  ${paint("dim", why)}`}`;
        task.task.state$ = ListrTaskState.STARTED;
      });
    },
    "stage-progress": (event) => rows.get(event.node)?.progress?.update(event),
    "stage-metric": (event) => rows.get(event.node)?.progress?.update(event),
    "stage-log": (event) => {
      const row = rows.get(event.node);
      if (event.level === "warning" || event.level === "error") afterwards.push(`${event.node}: ${event.level}: ${event.message}`);
      else if (event.level === "info" && row !== undefined) row.note = event.message;
    },
    "stage-finished": (event) => {
      const curve = rows.get(event.node)?.progress?.curve(showsUnicode()) ?? "";
      close(
        event.node,
        ListrTaskState.COMPLETED,
        `${event.title}  ${event.summary}${curve === "" ? "" : `  ${curve}`}  ${paint("dim", duration(event.seconds))}`,
      );
    },
    "stage-failed": (event) =>
      close(
        event.node,
        ListrTaskState.FAILED,
        `${event.title}  ${event.interrupted ? "stopped, what was done is kept" : event.failure.message}  ${paint("dim", duration(event.seconds))}`,
      ),
    "node-skipped": (event) => close(event.node, ListrTaskState.SKIPPED, paint("dim", `${event.title}  ${event.reason}`)),
    "gate-judged": (event) =>
      close(
        event.node,
        event.passed ? ListrTaskState.COMPLETED : ListrTaskState.FAILED,
        `${event.title}  ${paint(event.passed ? "dim" : "red", gateWords(event))}`,
      ),
    "view-written": (event) => {
      if (event.kept !== undefined) afterwards.push(`${event.path} had been edited by hand: that copy is now ${event.kept}`);
    },
    notice: (event) => {
      afterwards.push(event.level === "warning" ? `warning: ${event.message}` : event.message);
    },
  };

  return Promise.resolve({
    onEvent: (event) => dispatch(handlers, event),
    say: (line) =>
      withTask(bottom, (task) => {
        task.output = paint("yellow", line);
      }),
    async finish() {
      clearInterval(ticker);
      process.off("exit", restore);
      for (const row of [...rows.values(), bottom]) withTask(row, row.end);
      await run;
      for (const line of afterwards) terminal.err(`${line}\n`);
    },
  });
}

function newRow(title: string): Row {
  let end = (): void => undefined;
  let fail = (_: Error): void => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  // Without this a task that fails before listr2 has taken it over would count as unhandled.
  ended.catch(() => undefined);
  return { title, queue: [], end, fail, ended };
}

/** listr2 hands tasks over asynchronously; what comes before is done then. */
function withTask(row: Row, step: (task: Task) => void): void {
  if (row.task === undefined) row.queue.push(step);
  else step(row.task);
}
