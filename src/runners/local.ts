/**
 * Runs a step of python/forge_steps as a process on this machine: writes its spec, validates every event it
 * emits, keeps its stderr in a log, and turns however it ends into figures or one Failure.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { StageEvent } from "../engine/stage.ts";
import { EXIT } from "../platform/exit.ts";
import { writeFileAtomic } from "../platform/fs.ts";
import type { JsonObject } from "../platform/json.ts";
import { packageRoot } from "../platform/paths.ts";
import { childEnv, spawnChild } from "../platform/process.ts";
import { redact, safeText } from "../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { StepEvent } from "../schemas/generated/step-event.ts";
import { validate } from "../schemas/generated/step-event.validate.js";
import { pythonFolder } from "./python/folder.ts";
import { ensurePython, type Python, type PythonOptions } from "./python-env.ts";

export interface StepOptions {
  /** Folder for the spec; it outlives the step. */
  readonly scratch: string;
  /** The step's stderr is appended here. */
  readonly logFile: string;
  /** Aborting it asks the step to save what can be resumed and leave; it is killed when it takes longer than `graceMs`. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: StageEvent) => void;
  /** Every artifact that the step reports (a checkpoint, say). */
  readonly onArtifact?: (name: string, path: string) => void;
  /** The process that was started. */
  readonly onStart?: (pid: number) => void;
  /** Default 10,000. */
  readonly graceMs?: number;
  /** Gives the interpreter; default that of forge's own environment. */
  readonly python?: (o: PythonOptions) => Promise<Result<Python>>;
  /** Whether training's process keeps the memory that it frees (`KEPT_MEMORY`). Default true. */
  readonly keepsMemory?: boolean;
  /** Further variables of the step's environment: a secret goes this way, and in no file. */
  readonly env?: Readonly<Record<string, string>>;
  /** Folder that holds `forge_steps`; default the package's own. For tests. */
  readonly pythonPath?: string;
}

const GRACE_MS = 10_000;
/** No event of ours comes near; what does is not ours. */
const MAX_EVENT_BYTES = 1 << 20;
/** Lines of stderr shown with a failure. */
const TAIL_LINES = 15;

/**
 * Runs `python -m forge_steps STEP --spec FILE`. The value is the figures of its `result` event.
 * Failures: the environment's (exit 6), the step's own `error` event, `step/protocol` for an event that is none,
 * `step/died` for an end without a word, `step/killed` for one by SIGKILL that we did not send (killed.ts), `step/interrupted` (exit 130) after an abort.
 */
export async function runStep(step: string, spec: JsonObject, o: StepOptions): Promise<Result<JsonObject>> {
  const python = await (o.python ?? ensurePython)({ signal: o.signal, ...(o.onEvent && { onProgress: o.onEvent }) });
  if (!python.ok) return python;
  mkdirSync(o.scratch, { recursive: true });
  mkdirSync(dirname(o.logFile), { recursive: true });
  const specFile = join(o.scratch, `${step}.spec.json`);
  writeFileAtomic(specFile, `${JSON.stringify(spec, null, 2)}\n`);

  const tail: string[] = [];
  const heard: { figures?: JsonObject; error?: Failure } = {};
  const log = (line: string) => appendFileSync(o.logFile, `${redact(line)}\n`);
  const stop = new AbortController();
  const protocolError = (what: string) => {
    heard.error ??= {
      code: "step/protocol",
      message: `the step \`${step}\` said something that is no event of the step protocol`,
      details: safeText(what, 500),
      exit: EXIT.failed,
    };
    stop.abort();
  };
  const onStdoutLine = (line: string, cut: boolean) => {
    if (line.trim() === "") return;
    const event = cut ? undefined : parseEvent(line);
    if (event === undefined) protocolError(line);
    else take(event);
  };
  const take = (event: StepEvent): void => {
    switch (event.type) {
      case "progress":
        o.onEvent?.({
          type: "progress",
          done: event.done,
          total: event.total,
          unit: event.unit,
          ...(event.eta_s !== undefined && { etaSeconds: event.eta_s }),
          ...(event.message !== undefined && { message: event.message }),
        });
        break;
      case "metric":
        o.onEvent?.({ type: "metric", name: event.name, value: event.value, ...(event.step !== undefined && { step: event.step }) });
        break;
      case "log":
        log(`[${event.level}] ${event.message}`);
        o.onEvent?.({ type: "log", level: event.level, message: redact(event.message) });
        break;
      case "artifact":
        o.onArtifact?.(event.name, event.path);
        break;
      case "result":
        // Parsed from JSON just now, so a JSON value it is.
        heard.figures = event.figures as JsonObject;
        break;
      case "error":
        heard.error ??= { code: event.code, message: redact(event.message), ...(event.hint !== undefined && { hint: event.hint }), exit: exitOf(event.code) };
        break;
    }
  };

  const child = await spawnChild(python.value.python, ["-m", "forge_steps", step, "--spec", specFile], {
    cwd: pythonFolder(),
    env: { ...stepEnv(step === "train" && o.keepsMemory !== false, o.pythonPath ?? join(packageRoot(), "python")), ...o.env },
    signal: AbortSignal.any([o.signal, stop.signal]),
    graceMs: o.graceMs ?? GRACE_MS,
    maxLineBytes: MAX_EVENT_BYTES,
    maxBytes: 64 << 10,
    onStdoutLine,
    onStderrLine: (line) => {
      log(line);
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
    },
  });
  if (!child.ok) return o.signal.aborted ? err(interrupted(step)) : child;
  o.onStart?.(child.value.pid);
  const ended = await child.value.ended;
  if (ended.exitCode === 0 && heard.figures !== undefined && heard.error === undefined) return ok(heard.figures);
  if (o.signal.aborted) return err(interrupted(step));
  const details = safeText(tail.join("\n").trim());
  const failure = heard.error?.code === "step/stopped" ? stoppedByOthers(step) : (heard.error ?? died(step, ended.exitCode, ended.signal));
  return err({ ...failure, ...(failure.details === undefined && details !== "" && { details }) });
}

function parseEvent(line: string): StepEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return validate(value) ? (value as StepEvent) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * In training glibc keeps memory that is freed, in large pages: a fifth to a quarter less time a step (docs/measurements.md). Only
 * there, since it returns by itself what has grown too large (python/forge_steps/heap.py). Other C libraries do not read these.
 */
const KEPT_MEMORY = {
  MALLOC_MMAP_THRESHOLD_: String(2 ** 32),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 34),
  MALLOC_TOP_PAD_: String(2 ** 26),
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
};

/** The environment of a step: only what is listed, our package on the path, and C libraries that give memory back. */
function stepEnv(keepsMemory: boolean, pythonPath: string): Record<string, string> {
  return childEnv({
    ...(keepsMemory ? KEPT_MEMORY : {}),
    PYTHONPATH: pythonPath,
    PYTHONUTF8: "1",
    PYTHONUNBUFFERED: "1",
    PYTHONHASHSEED: "0",
    // glibc keeps an arena a thread otherwise, and training's large blocks make each grow.
    MALLOC_ARENA_MAX: "2",
    // OpenMP's threads wait for each other by spinning; with one other busy process on two cores that made training ten
    // times slower (120 s against 12 s for the same step). Sleeping at once costs a fifth where the cores are free: so
    // they spin for some 30 microseconds (libgomp, which torch's wheels carry) and then sleep.
    OMP_WAIT_POLICY: "PASSIVE",
    GOMP_SPINCOUNT: "30000",
  });
}

const ENVIRONMENT_CODES = new Set([
  "step/package-missing",
  "step/no-space",
  "step/out-of-memory",
  "model/damaged",
  "step/device",
  "train/device",
  "train/gpus",
  "train/no-gpu",
]);
const exitOf = (code: string) => (ENVIRONMENT_CODES.has(code) ? EXIT.environment : EXIT.failed);

const interrupted = (step: string): Failure => ({
  code: "step/interrupted",
  message: `the step \`${step}\` was interrupted`,
  hint: "Run the same command again; it goes on from the last checkpoint.",
  exit: EXIT.interrupted,
});

/** Not by us: by a batch system at its time limit, by earlyoom, by somebody. */
const stoppedByOthers = (step: string): Failure => ({
  code: "step/stopped",
  message: `the step \`${step}\` was told to stop by another process than forge (SIGTERM)`,
  hint: "Run the same command again; it goes on from the last checkpoint.",
  exit: EXIT.failed,
});

function died(step: string, exitCode: number | null, signal: string | null): Failure {
  if (signal === "SIGKILL") {
    const goesOn = step === "train" ? "; training goes on from its last checkpoint" : "";
    const hint = `The system's memory was probably used up: close other programs and run the same command again${goesOn}.`;
    return { code: "step/killed", message: `the step \`${step}\` was killed by the system`, hint, exit: EXIT.failed };
  }
  const how = signal !== null ? `by ${signal}` : `with exit status ${exitCode}`;
  return { code: "step/died", message: `the step \`${step}\` ended ${how} without a result`, exit: EXIT.failed };
}
