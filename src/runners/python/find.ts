/** Finds a Python interpreter to build forge's environment with. */
import { EXIT } from "../../platform/exit.ts";
import { childEnv, runProcess } from "../../platform/process.ts";
import { err, ok, type Result } from "../../platform/result.ts";

/** Oldest and newest Python that the pinned packages have wheels for. */
export const OLDEST: readonly [number, number] = [3, 10];
export const NEWEST: readonly [number, number] = [3, 14];

/** `python3` first: what the user means by Python; then the rest, newest first. */
const CANDIDATES = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

export interface Interpreter {
  /** The command as it was found. */
  readonly command: string;
  /** `3.11.7`. */
  readonly version: string;
}

export type Probe = (command: string) => Promise<string | undefined>;

/** The version that a command reports, or undefined when it is no working Python. */
export const probeVersion: Probe = async (command) => {
  const script = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
  const r = await runProcess(command, ["-I", "-c", script], { env: childEnv(), stdin: "", timeoutMs: 10_000, maxBytes: 4096 });
  const text = r.ok && r.value.exitCode === 0 ? r.value.stdout.trim() : "";
  return /^\d+\.\d+\.\d+$/.test(text) ? text : undefined;
};

const parse = (version: string): [number, number] => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return [major, minor];
};
const older = (a: readonly [number, number], b: readonly [number, number]): boolean => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

/** The supported versions, in words. */
export const SUPPORTED = `${OLDEST.join(".")} to ${NEWEST.join(".")}`;

/** Whether the pinned packages can be installed for a version of Python. */
export const supports = (version: string): boolean => !older(parse(version), OLDEST) && !older(NEWEST, parse(version));

/** The first working Python of a supported version; the failure says what was found instead (`python/not-found`, `python/unsupported`). */
export async function findPython(probe: Probe = probeVersion): Promise<Result<Interpreter>> {
  const seen: Interpreter[] = [];
  for (const command of CANDIDATES) {
    const version = await probe(command);
    if (version === undefined) continue;
    if (supports(version)) return ok({ command, version });
    seen.push({ command, version });
  }
  const hint = `Install Python ${SUPPORTED} (Debian: apt-get install python3 python3-venv), or set MCP_FORGE_PYTHON to an environment that has the packages.`;
  if (seen.length === 0)
    return err({ code: "python/not-found", message: `no Python was found on the PATH; training needs Python ${SUPPORTED}`, hint, exit: EXIT.environment });
  const found = seen.map((s) => `${s.command} is ${s.version}`).join(", ");
  return err({
    code: "python/unsupported",
    message: `no Python of a supported version was found (${found}); training needs ${SUPPORTED}`,
    hint,
    exit: EXIT.environment,
  });
}
