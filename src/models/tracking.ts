/**
 * Tells a training's learning curve to the trackers of experiments that the recipe names, each by a Python step of its own (track.py) that follows the
 * file which training writes.
 *
 * Guarantees: what a tracker does, or fails to do, changes nothing in the training and never ends it (a warning says so); its keys come from the
 * environment by name, go to its own process alone, and stand in no log. An environment that is missing is made, or refused, before training begins.
 */
import { join } from "node:path";
import type { StageEvent } from "../engine/stage.ts";
import type { JsonObject } from "../platform/json.ts";
import { isOffline } from "../platform/offline.ts";
import { registerSecret } from "../platform/redact.ts";
import { ok, type Result } from "../platform/result.ts";
import { runStep } from "../runners/local.ts";
import { ensureTracker, type Tracker } from "../runners/tracker-env.ts";

export interface TrackedRun {
  /** The file that training writes its curve to. */
  readonly curve: string;
  /** What the run is called: the same for one that goes on. */
  readonly run: string;
  readonly project: string;
  /** Where trackers write what they keep on this machine. */
  readonly folder: string;
  /** What the run was made with. */
  readonly config: JsonObject;
  readonly scratch: string;
  readonly logFile: string;
  readonly signal: AbortSignal;
  readonly emit: (event: StageEvent) => void;
}

export interface Tracking {
  /** Waits until the trackers have told all there is; those of a training that failed are stopped. Never fails. */
  readonly end: (trained: boolean) => Promise<void>;
}

/** Variables that a tracker's own library reads; those that may hold a secret are masked wherever they would appear. */
const VARIABLES: Readonly<Record<Tracker, { readonly plain: readonly string[]; readonly secret: readonly string[] }>> = {
  tensorboard: { plain: [], secret: [] },
  wandb: { plain: ["WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL"], secret: ["WANDB_API_KEY"] },
  mlflow: {
    plain: ["MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_USERNAME"],
    secret: ["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"],
  },
};

/** How long a tracker may take to tell the rest once training has ended. */
const PATIENCE_MS = 60_000;

/** The trackers' variables as they are set here. */
export function trackerEnv(tracker: Tracker, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const { plain, secret } = VARIABLES[tracker];
  const found: Record<string, string> = {};
  for (const name of [...plain, ...secret]) {
    const value = env[name];
    if (value === undefined || value === "") continue;
    if (secret.includes(name)) registerSecret(value);
    found[name] = value;
  }
  // Nobody is asked, and nothing leaves the machine unless a key says so.
  if (tracker === "wandb" && (isOffline(env) || (found.WANDB_API_KEY === undefined && found.WANDB_MODE === undefined))) found.WANDB_MODE = "offline";
  if (tracker === "mlflow" && isOffline(env)) delete found.MLFLOW_TRACKING_URI;
  return found;
}

/** Makes the environments of the trackers in `report_to` ready; the failure of one is the caller's, as nothing is lost yet. */
export async function trackersOf(
  { report_to = [] }: { readonly report_to?: readonly Tracker[] },
  o: { readonly signal: AbortSignal; readonly emit: (event: StageEvent) => void },
): Promise<Result<{ readonly start: (run: TrackedRun) => Tracking }>> {
  const pythons = new Map<Tracker, string>();
  for (const tracker of report_to) {
    const python = await ensureTracker(tracker, { signal: o.signal, onProgress: o.emit });
    if (!python.ok) return python;
    pythons.set(tracker, python.value.python);
  }
  return ok({ start: (run) => startAll(pythons, run) });
}

function startAll(pythons: ReadonlyMap<Tracker, string>, run: TrackedRun): Tracking {
  const stop = new AbortController();
  const running = [...pythons].map(([tracker, python]) => follow(tracker, python, run, stop.signal));
  return {
    async end(trained) {
      if (!trained) stop.abort();
      const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
      await Promise.all(running);
      clearTimeout(timer);
    },
  };
}

/** One tracker from beginning to end. Never rejects. */
async function follow(tracker: Tracker, python: string, run: TrackedRun, stopped: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([run.signal, stopped]);
  const warn = (why: string): void => {
    if (!run.signal.aborted)
      run.emit({ type: "log", level: "warning", message: `the learning curve was not told to ${tracker} to its end: ${why}. Training goes on without it` });
  };
  try {
    const spec = { v: 1, to: tracker, curve: run.curve, run: run.run, project: run.project, folder: join(run.folder, tracker), config: run.config };
    const told = await runStep("track", spec, {
      scratch: join(run.scratch, `track-${tracker}`),
      logFile: run.logFile,
      signal,
      python: () => Promise.resolve(ok({ python })),
      env: trackerEnv(tracker),
      onEvent: (event) => {
        if (event.type === "log") run.emit(event);
      },
    });
    if (!told.ok && told.error.code !== "step/interrupted") warn(told.error.message);
    else if (!told.ok && stopped.aborted) warn(`it took longer than ${PATIENCE_MS / 1000} s, or training failed`);
  } catch (e) {
    warn(e instanceof Error ? e.message : String(e));
  }
}
