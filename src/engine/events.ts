/**
 * Everything that a run can say, as one discriminated union (generated from schemas/run-event.schema.json), and the
 * stream that numbers, redacts, keeps and hands out the events. Nothing in the engine speaks in another way.
 *
 * Guarantees: `seq` counts from 1 without gaps; no registered secret or known key shape leaves through an event; what
 * is kept in events.jsonl equals what listeners got; a listener that throws breaks neither the run nor the file; after
 * `close` nothing is emitted. Milestones are in the file at once, progress within 0.2 s.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { redact } from "../platform/redact.ts";
import type { RunEvent } from "../schemas/generated/run-event.ts";

export type { EventFailure, EventNode, EventVerdict, RunEvent } from "../schemas/generated/run-event.ts";

type WithoutStamp<E> = E extends RunEvent ? Omit<E, "seq" | "time"> : never;
/** An event before it is numbered and dated. */
export type NewRunEvent = WithoutStamp<RunEvent>;
export type RunListener = (event: RunEvent) => void;

const QUIET: ReadonlySet<string> = new Set(["run-started", "stage-cached", "gate-judged", "run-finished"] satisfies RunEvent["type"][]);

/** Whether an event is one of a run that does nothing and has nothing to tell. */
export const isQuiet = ({ type }: RunEvent): boolean => QUIET.has(type);

/** Kinds that come in floods; they may wait a little before they reach the disk. */
const FREQUENT = new Set<RunEvent["type"]>(["stage-progress", "stage-metric", "stage-log", "stage-cached"]);
const FLUSH_MS = 200;

/** Words of an event that are the recipe's or ours: never a secret, and needed to tell events apart. */
const NAMES = new Set(["type", "time", "run", "node", "stage", "kind", "level", "unit", "figure", "code"]);

function withoutSecrets<T>(value: T, name = ""): T {
  if (typeof value === "string") return (NAMES.has(name) ? value : redact(value)) as T;
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, name)) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutSecrets(item as unknown, key)])) as T;
}

export class EventStream {
  readonly #listeners: readonly RunListener[];
  #seq = 0;
  #fd: number | undefined;
  #pending = "";
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(listeners: readonly RunListener[]) {
    this.#listeners = listeners;
  }

  /** From now on events are kept in this file, those from before included. Throws the file system's error. */
  open(path: string): void {
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = openSync(path, "a");
  }

  emit(event: NewRunEvent): void {
    if (this.#closed) return;
    let stamped = { seq: ++this.#seq, time: new Date().toISOString(), ...event } as RunEvent;
    let line = JSON.stringify(stamped);
    // Told by the whole line, which is quick; taken out of its texts, so that it stays what it is.
    if (redact(line) !== line) {
      stamped = withoutSecrets(stamped);
      line = JSON.stringify(stamped);
    }
    this.#pending += `${line}\n`;
    for (const listener of this.#listeners) {
      try {
        listener(stamped);
      } catch {
        // A broken renderer must not fail a training run of an hour.
      }
    }
    if (!FREQUENT.has(event.type)) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS).unref();
  }

  close(): void {
    this.#flush();
    this.#closed = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#fd === undefined || this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    try {
      writeSync(this.#fd, text);
    } catch {
      // A full disk fails the stage that needs it, with a clear message; the diary alone is no reason to stop.
    }
  }
}
