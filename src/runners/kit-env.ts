/**
 * The Python environment of Meta's synthetic-data-kit, apart from the steps' own so that neither decides the other's versions: forge's, made on
 * first need from python/requirements-synthetic-data-kit.lock, or the one that MCP_FORGE_KIT_PYTHON names.
 *
 * Guarantees: one is used only when it is finished (made.ts), and a named one only with the pinned version of the kit; what cannot be made says
 * what there is instead.
 */
import { hexOf } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { cacheDir } from "../platform/paths.ts";
import { childEnv, runProcess } from "../platform/process.ts";
import { safeText } from "../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { buildOfPins, PINS_STEPS } from "./python/build.ts";
import { supports } from "./python/find.ts";
import { interpreter, pythonFolder } from "./python/folder.ts";
import { finished, type Making, makeOnce, type Python, type PythonOptions } from "./python/made.ts";
import { readRequirements } from "./python/requirements.ts";

const KIT = "synthetic-data-kit";
/** Free bytes that a build needs: the environment takes 0.1 GB, pip's downloads and unpacked copies as much again. */
const NEEDED_BYTES = 0.3e9;
/** Of the environment, in words. */
export const KIT_SIZE = "about 0.1 GB";
/** What is imported of the kit. */
const IMPORTS = "yaml, synthetic_data_kit.generators.cot_generator, synthetic_data_kit.models.llm_client";

/** The pinned version of the kit: it decides how a request is put, and how a reply is read. */
export const kitVersion = (): string => readRequirements("requirements-synthetic-data-kit.lock").versions.get(KIT) ?? "unknown";

/** The environment is looked for, checked or built once a process, for each place it may be. */
const ready = new Map<string, Promise<Result<Python>>>();

/** An interpreter that has the kit. Builds its environment when there is none; failures exit with 6. */
export async function ensureKitPython(o: PythonOptions = {}): Promise<Result<Python>> {
  const named = process.env.MCP_FORGE_KIT_PYTHON;
  const place = `${named ?? ""}\n${cacheDir()}`;
  const found = ready.get(place) ?? (named ? checkNamed(interpreter(named), o) : locate(o));
  ready.set(place, found);
  const result = await found;
  if (!result.ok) ready.delete(place); // What was wrong may be mended by the next call.
  return result;
}

/** Whether there is one already; a named one is taken at its word. Builds nothing. */
export const kitIsReady = (): boolean => Boolean(process.env.MCP_FORGE_KIT_PYTHON) || finished(kits().prefix) !== undefined;

async function locate(o: PythonOptions): Promise<Result<Python>> {
  const making = kits();
  const there = finished(making.prefix);
  if (there !== undefined) return there;
  const made = await makeOnce(making, o);
  return made.ok || made.error.exit === EXIT.interrupted ? made : err(cannotBeMade(made.error));
}

function kits(): Making {
  const requirements = readRequirements("requirements-synthetic-data-kit.lock");
  return {
    name: `environment of ${KIT}`,
    prefix: `${hexOf(requirements.digest).slice(0, 16)}-kit-py`,
    size: KIT_SIZE,
    steps: PINS_STEPS,
    mark: { requirements: requirements.digest },
    build: (dir, python, o) => buildOfPins(dir, python, requirements, { ...o, neededBytes: NEEDED_BYTES, imports: IMPORTS }),
  };
}

const INSTEAD = `use \`augment: { by: teacher }\`, which needs no Python, or name an interpreter that has ${KIT} and openai: export MCP_FORGE_KIT_PYTHON=PATH`;

/** The same failure, and what to do without the environment. What mends MCP_FORGE_PYTHON mends nothing here. */
function cannotBeMade({ hint, ...failure }: Failure): Failure {
  const own = hint === undefined || hint.includes("MCP_FORGE_PYTHON") ? "" : `${hint.replace(/[.\s]*$/, "")}. Or `;
  return { ...failure, message: `the environment of ${KIT} cannot be made: ${failure.message}`, hint: `${own}${INSTEAD}` };
}

/** MCP_FORGE_KIT_PYTHON is used as it is, when it is a supported Python that has the kit in the version whose inside forge knows. */
async function checkNamed(python: string, o: PythonOptions): Promise<Result<Python>> {
  const script =
    "import sys, importlib.metadata as m\n" +
    "def v(n):\n  try: return m.version(n)\n  except m.PackageNotFoundError: return '-'\n" +
    "print('%d.%d.%d' % sys.version_info[:3], *[v(n) for n in sys.argv[1:]])";
  const r = await runProcess(python, ["-c", script, KIT, "openai"], {
    cwd: pythonFolder(),
    env: childEnv(),
    stdin: "",
    timeoutMs: 30_000,
    ...(o.signal && { signal: o.signal }),
  });
  const refuse = (message: string): Result<Python> =>
    err({
      code: "python/named-unusable",
      message: `MCP_FORGE_KIT_PYTHON is ${safeText(python, 500)}, ${message}`,
      hint: `${safeText(python, 500)} -m pip install ${KIT}==${kitVersion()}, or unset MCP_FORGE_KIT_PYTHON to let forge make an environment`,
      exit: EXIT.environment,
    });
  if (!r.ok) return r.error.exit === EXIT.interrupted ? r : refuse("which cannot be started");
  const [version = "", kit, openai] = r.value.stdout.trim().split(" ");
  if (r.value.exitCode !== 0 || !/^\d+\.\d+\.\d+$/.test(version)) return refuse("which is no working Python");
  if (!supports(version)) return refuse(`which is Python ${version}: not supported`);
  if (kit === "-" || openai === "-") return refuse(`which lacks ${[kit === "-" && KIT, openai === "-" && "openai"].filter(Boolean).join(" and ")}`);
  return kit === kitVersion() ? ok({ python }) : refuse(`which has ${KIT} ${safeText(kit ?? "", 40)}; forge works with ${kitVersion()}`);
}
