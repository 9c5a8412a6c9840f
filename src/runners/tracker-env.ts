/**
 * The Python environments of the trackers of experiments that a recipe may name in `train.report_to`, one each and apart from the steps' own, so
 * that none decides training's versions: forge's, made on first need from python/requirements-NAME.lock, or the one that MCP_FORGE_TRACKER_PYTHON names.
 *
 * Guarantees: one is used only when it is finished (made.ts), and a named one only with the tracker in it; what cannot be made says what to do instead.
 */
import { hexOf } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { cacheDir } from "../platform/paths.ts";
import { childEnv, runProcess } from "../platform/process.ts";
import { safeText } from "../platform/redact.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { buildOfPins, PINS_STEPS } from "./python/build.ts";
import { interpreter, pythonFolder } from "./python/folder.ts";
import { finished, type Making, makeOnce, type Python, type PythonOptions } from "./python/made.ts";
import { readRequirements } from "./python/requirements.ts";

/** What a tracker's environment takes, and what is imported of it. */
const TRACKERS = {
  tensorboard: { size: "about 0.15 GB", imports: "tensorboard.summary.writer.event_file_writer, tensorboard.plugins.text.metadata" },
  wandb: { size: "about 0.1 GB", imports: "wandb" },
  mlflow: { size: "about 0.1 GB", imports: "mlflow.tracking" },
} as const;

export type Tracker = keyof typeof TRACKERS;

/** Free bytes that a build needs: the environment, and pip's downloads and unpacked copies beside it. */
const NEEDED_BYTES = 0.4e9;

/** The environments are looked for, checked or built once a process, for each place they may be. */
const ready = new Map<string, Promise<Result<Python>>>();

/** An interpreter that has the tracker. Builds its environment when there is none; failures exit with 6. */
export async function ensureTracker(tracker: Tracker, o: PythonOptions = {}): Promise<Result<Python>> {
  const named = process.env.MCP_FORGE_TRACKER_PYTHON;
  const place = `${tracker}\n${named ?? ""}\n${cacheDir()}`;
  const found = ready.get(place) ?? (named ? checkNamed(interpreter(named), tracker, o) : locate(tracker, o));
  ready.set(place, found);
  const result = await found;
  if (!result.ok) ready.delete(place); // What was wrong may be mended by the next call.
  return result;
}

const INSTEAD = (tracker: Tracker): string =>
  `remove \`${tracker}\` from \`train.report_to\` (training comes to the same without it), or name an interpreter that has it: export MCP_FORGE_TRACKER_PYTHON=PATH`;

async function locate(tracker: Tracker, o: PythonOptions): Promise<Result<Python>> {
  const making = makingOf(tracker);
  const there = finished(making.prefix);
  if (there !== undefined) return there;
  const made = await makeOnce(making, o);
  if (made.ok || made.error.exit === EXIT.interrupted) return made;
  const { hint, ...failure } = made.error;
  // What mends MCP_FORGE_PYTHON mends nothing here.
  const way = failure.code === "offline/missing" ? "run the same once without --offline" : hint;
  const own = way === undefined || way.includes("MCP_FORGE_PYTHON") ? "" : `${way.replace(/[.\s]*$/, "")}. Or `;
  return err({ ...failure, message: `the environment of ${tracker} cannot be made: ${failure.message}`, hint: `${own}${INSTEAD(tracker)}` });
}

function makingOf(tracker: Tracker): Making {
  const { size, imports } = TRACKERS[tracker];
  const requirements = readRequirements(`requirements-${tracker}.lock`);
  return {
    name: `environment of ${tracker}`,
    prefix: `${hexOf(requirements.digest).slice(0, 16)}-${tracker}-py`,
    size,
    steps: PINS_STEPS,
    mark: { requirements: requirements.digest },
    build: (dir, python, o) => buildOfPins(dir, python, requirements, { ...o, neededBytes: NEEDED_BYTES, imports, withDependencies: true }),
  };
}

async function checkNamed(python: string, tracker: Tracker, o: PythonOptions): Promise<Result<Python>> {
  const r = await runProcess(python, ["-c", `import ${TRACKERS[tracker].imports}`], {
    cwd: pythonFolder(),
    env: childEnv(),
    stdin: "",
    timeoutMs: 60_000,
    ...(o.signal && { signal: o.signal }),
  });
  if (!r.ok && r.error.exit === EXIT.interrupted) return r;
  if (r.ok && r.value.exitCode === 0) return ok({ python });
  return err({
    code: "python/named-unusable",
    message: `MCP_FORGE_TRACKER_PYTHON is ${safeText(python, 500)}, ${r.ok ? `which lacks ${tracker}` : "which cannot be started"}`,
    hint: `${safeText(python, 500)} -m pip install ${tracker}, or unset MCP_FORGE_TRACKER_PYTHON to let forge make an environment`,
    exit: EXIT.environment,
  });
}
