/** What a running stage last said of itself, and the words for it. Pure: time comes from the events. */
import type { RunEvent } from "../../engine/events.ts";
import { bar, bytes, duration } from "../words.ts";
import { sparkline } from "./sparkline.ts";

type Progress = Extract<RunEvent, { type: "stage-progress" }>;
type Metric = Extract<RunEvent, { type: "stage-metric" }>;

/** Metrics that are worth a place in the line, in this order. */
const SHOWN = ["loss", "eval_loss", "tokens_per_second"] as const;
/** Cells of the loss's curve. */
const CURVE = 20;
/** What a curve of fewer steps shows is noise. */
const LEAST_STEPS = 4;

export class StageProgress {
  readonly #startedAt: number;
  /** Where the present unit began: the rate is taken from here. */
  #origin: { readonly at: number; readonly done: number } | undefined;
  #last: Progress | undefined;
  readonly #metrics = new Map<string, number>();
  readonly #losses: number[] = [];

  /** @param startedAt ISO time of the start */
  constructor(startedAt: string) {
    this.#startedAt = Date.parse(startedAt);
  }

  update(event: Progress | Metric): void {
    if (event.type === "stage-metric") {
      if (event.value !== null) this.#metrics.set(event.name, event.value);
      if (event.value !== null && event.name === "loss") this.#losses.push(event.value);
      return;
    }
    const began = this.#last === undefined || this.#last.unit !== event.unit || event.done < this.#last.done;
    if (began) this.#origin = { at: Date.parse(event.time), done: event.done };
    this.#last = event;
  }

  get known(): boolean {
    return this.#last !== undefined;
  }

  /** Seconds since the start, at the time `now` (milliseconds since 1970). */
  elapsed(now: number): number {
    return Math.max(0, (now - this.#startedAt) / 1000);
  }

  /** Seconds since it last said something. */
  silence(now: number): number {
    return Math.max(0, (now - (this.#last === undefined ? this.#startedAt : Date.parse(this.#last.time))) / 1000);
  }

  /** The loss so far as a line of cells; empty where none, or too little of it, was told. */
  curve(unicode = true): string {
    return this.#losses.length < LEAST_STEPS ? "" : sparkline(this.#losses, CURVE, unicode);
  }

  /** Units a second since the unit began; undefined until there is something to go by. */
  get rate(): number | undefined {
    if (this.#last === undefined || this.#origin === undefined) return undefined;
    const seconds = (Date.parse(this.#last.time) - this.#origin.at) / 1000;
    const done = this.#last.done - this.#origin.done;
    return seconds >= 1 && done > 0 ? done / seconds : undefined;
  }

  /** Seconds left: the stage's own estimate, else from the rate. */
  get left(): number | undefined {
    if (this.#last === undefined) return undefined;
    if (this.#last.etaSeconds !== undefined) return this.#last.etaSeconds;
    const rate = this.rate;
    return rate === undefined ? undefined : Math.max(0, this.#last.total - this.#last.done) / rate;
  }

  /** `120/480 samples, loss 0.310, 1.1 samples/s, 5 min 20 s left`; with a bar of `width` cells in front when asked. */
  words(width = 0): string {
    const last = this.#last;
    if (last === undefined) return "";
    const inBytes = /^(bytes|byte|b)$/i.test(last.unit);
    const amount = (n: number): string => (inBytes ? bytes(n) : String(Math.round(n * 10) / 10));
    const parts = [
      last.total > 0
        ? `${amount(last.done)}${inBytes ? " of " : "/"}${amount(last.total)}${inBytes ? "" : ` ${last.unit}`}`
        : `${amount(last.done)}${inBytes ? "" : ` ${last.unit}`}`,
    ];
    for (const name of SHOWN) {
      const value = this.#metrics.get(name);
      if (value !== undefined)
        parts.push(
          name !== "tokens_per_second"
            ? `${name === "loss" ? "loss" : "held-out loss"} ${value.toFixed(3)}`
            : `${value.toFixed(value < 10 ? 2 : 0)} ${name.replace("_per_second", "/s")}`,
        );
    }
    const rate = this.rate;
    if (rate !== undefined && !this.#metrics.has("tokens_per_second"))
      parts.push(inBytes ? `${bytes(rate)}/s` : `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} ${last.unit}/s`);
    const left = this.left;
    if (left !== undefined && last.done < last.total && left >= 1) parts.push(`${duration(Math.ceil(left))} left`);
    if (last.message) parts.push(last.message);
    return `${width > 0 && last.total > 0 ? `${bar(last.done, last.total, width)} ` : ""}${parts.join(", ")}`;
  }
}
