/**
 * Runs a step that the kernel may kill: its out-of-memory killer sends SIGKILL, which lets no process say or save anything. Training that is killed so is
 * started again from its last checkpoint, and told how often that was (`killed` in its spec), for which it takes less memory than before
 * (python/forge_steps/memory_cut.py). Kills that somebody else sent are not told: they say nothing of memory.
 *
 * Guarantees: a step that we asked to stop, and one that says itself what went wrong, is never started again. One that was killed is so a bounded number of
 * times; where the kernel keeps count and counted none, somebody else killed it, and it goes on once, no more. Every restart is told in one line.
 */
import { EXIT } from "../platform/exit.ts";
import type { JsonObject } from "../platform/json.ts";
import { memoryLimits, oomKills, residentBytes } from "../platform/memory-limits.ts";
import { err, type Failure, type Result } from "../platform/result.ts";
import { runStep, type StepOptions } from "./local.ts";

/** Restarts for want of memory. Rows of 2,560 tokens are halved five times until they hold the shortest samples there are, and then layers are recomputed. */
const MOST_RESTARTS = 8;
/** Restarts after a kill that nothing says was for memory. */
const MOST_UNEXPLAINED = 1;
/** Milliseconds between looks at what the step holds. */
const LOOK_EVERY_MS = 1000;
/** A step that held so much of all memory was killed for it, whoever did it (earlyoom and systemd-oomd do before the kernel does). */
const NEARLY_ALL = 0.8;

/** What is seen from outside of one start of a step. */
export interface Watch {
  /** The process to look at; its children count. */
  follow(pid: number): void;
  /** Why it was killed, once it was. */
  verdict(): Verdict;
  end(): void;
}

export interface Verdict {
  /** `memory`: it ran out. `other`: the kernel killed none, so somebody did. `unknown`: nobody here keeps count. */
  readonly cause: "memory" | "other" | "unknown";
  /** What was seen, for people: "the kernel's out-of-memory killer; it held 7.9 GB of 8.0 GB". */
  readonly words: string;
}

/**
 * `runStep`, started again after kills. The value and the failures are those of `runStep`; `step/killed` then names what was seen, and exits with 6 where it
 * was memory that ran out.
 */
export async function runThroughKills(step: string, spec: JsonObject, o: StepOptions, watch: () => Watch = watchKernel): Promise<Result<JsonObject>> {
  let forMemory = 0;
  let unexplained = 0;
  while (true) {
    const seen = watch();
    const result = await runStep(step, forMemory === 0 ? spec : { ...spec, killed: forMemory }, { ...o, onStart: (pid) => seen.follow(pid) });
    const verdict = !result.ok && result.error.code === "step/killed" && !o.signal.aborted ? seen.verdict() : undefined;
    seen.end();
    if (result.ok || verdict === undefined) return result;
    const other = verdict.cause === "other";
    if (other) unexplained += 1;
    else forMemory += 1;
    if (unexplained > MOST_UNEXPLAINED || forMemory > MOST_RESTARTS) return err(gaveUp(step, other ? unexplained : forMemory, verdict, result.error));
    const again = other ? `(${unexplained} of ${MOST_UNEXPLAINED} times at most)` : `and with less memory (${forMemory} of ${MOST_RESTARTS} times at most)`;
    o.onEvent?.({
      type: "log",
      level: "warning",
      message: `${result.error.message} (${verdict.words}); it is started again, from its last checkpoint ${again}`,
    });
  }
}

/** `times`: how often it was killed for that cause. */
function gaveUp(step: string, times: number, { cause, words }: Verdict, { message, details }: Failure): Failure {
  const again = "What was done is kept: the same command goes on from the last checkpoint";
  const hint =
    cause === "other"
      ? `Look for what ends processes here (a limit of the batch system, a watchdog, somebody's \`kill -9\`). ${again}.`
      : `Close other programs, use fewer or shorter tools, a smaller family, fewer processes or a lower \`train.row_tokens\`, or give the container more memory. ${again}.`;
  return {
    code: "step/killed",
    message: `${message} (${words}), for the ${ordinal(times)} time: the step \`${step}\` is not started again`,
    hint,
    ...(details !== undefined && { details }),
    exit: cause === "other" ? EXIT.failed : EXIT.environment,
  };
}

/** What the kernel says: its count of kills before and after, and what the step held when it was last looked at. */
export function watchKernel(): Watch {
  const before = oomKills();
  let held: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    follow(pid) {
      timer = setInterval(() => {
        held = residentBytes(pid) ?? held;
      }, LOOK_EVERY_MS);
      timer.unref();
    },
    verdict: () => judge(before, oomKills(), held, memoryLimits().total),
    end: () => clearInterval(timer),
  };
}

/** The verdict of two counts, what the step held (undefined: not known) and all memory there is, in bytes. */
export function judge(before: number | undefined, after: number | undefined, held: number | undefined, total: number): Verdict {
  const figures = held === undefined ? "" : `; it held ${gb(held)} of ${gb(total)}`;
  if (before !== undefined && after !== undefined && after > before) return { cause: "memory", words: `by the kernel's out-of-memory killer${figures}` };
  if (held !== undefined && held >= NEARLY_ALL * total) return { cause: "memory", words: `nearly all memory was in use${figures}` };
  if (before !== undefined && after !== undefined) return { cause: "other", words: `the kernel's count of out-of-memory kills has not changed${figures}` };
  return { cause: "unknown", words: `probably for want of memory${figures}` };
}

const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
const ordinal = (n: number): string => `${n}${n === 1 ? "st" : n === 2 ? "nd" : n === 3 ? "rd" : "th"}`;
