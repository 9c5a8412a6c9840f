/**
 * The Python environments that training runs in, by the backend that the recipe names: that of the steps for `transformers`; for the others one of
 * their own, made on first need from python/requirements-BACKEND.lock, or the one that MCP_FORGE_QLORA_PYTHON or MCP_FORGE_UNSLOTH_PYTHON names.
 *
 * Guarantees: as those of python-env.ts; what cannot be made says what else trains.
 */
import { hexOf } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import type { JsonObject } from "../platform/json.ts";
import { cacheDir } from "../platform/paths.ts";
import { err, type Failure, type Result } from "../platform/result.ts";
import type { Train } from "../schemas/generated/forge.ts";
import { type Accelerator, detectAccelerator } from "./python/accelerator.ts";
import { buildEnvironment, NEEDED_BYTES, SIZE_IN_WORDS, STEPS } from "./python/build.ts";
import { interpreter } from "./python/folder.ts";
import { finished, type Making, makeOnce, type Python, type PythonOptions } from "./python/made.ts";
import { DECISIVE_PACKAGES, readRequirements } from "./python/requirements.ts";
import { checkNamed, ensurePython, pythonIsReady, pythonRuntime, runtimeOf } from "./python-env.ts";

type Backend = NonNullable<Train["backend"]>;
type Own = Exclude<Backend, "transformers">;

/** What each takes beside the steps' packages: what decides what it puts out, the variable that names an interpreter, and the room it needs. */
const OWN: Readonly<Record<Own, { readonly packages: readonly string[]; readonly variable: string; readonly size: Readonly<Record<Accelerator, string>> }>> = {
  qlora: { packages: ["bitsandbytes"], variable: "MCP_FORGE_QLORA_PYTHON", size: { cpu: "about 1.5 GB", cuda: "about 6 GB" } },
  unsloth: {
    packages: ["unsloth", "unsloth-zoo", "trl", "triton", "xformers", "bitsandbytes"],
    variable: "MCP_FORGE_UNSLOTH_PYTHON",
    size: { cpu: SIZE_IN_WORDS.cpu, cuda: "about 8 GB" },
  },
};
/** Free bytes that a build needs beyond that of the steps' environment. */
const BESIDE = 3e9;

/** The environments are looked for, checked or built once a process, for each place they may be. */
const ready = new Map<string, Promise<Result<Python>>>();

/** An interpreter that a backend can train in. Builds its environment when there is none; failures exit with 6. */
export async function ensureBackend(backend: Backend, o: PythonOptions = {}): Promise<Result<Python>> {
  if (backend === "transformers") return ensurePython(o);
  const named = process.env[OWN[backend].variable];
  const place = `${backend}\n${named ?? ""}\n${cacheDir()}`;
  const found = ready.get(place) ?? (named ? namedOne(backend, named, o) : locate(backend, o));
  ready.set(place, found);
  const result = await found;
  if (!result.ok) ready.delete(place); // What was wrong may be mended by the next call.
  return result;
}

/** Whether there is one already; a named one is taken at its word. Builds nothing. */
export const backendIsReady = (backend: Backend): boolean =>
  backend === "transformers" ? pythonIsReady() : Boolean(process.env[OWN[backend].variable]) || finished(making(backend).prefix) !== undefined;

/** What its environment takes when it is made, in words. */
export const backendSize = (backend: Backend): string => (backend === "transformers" ? SIZE_IN_WORDS : OWN[backend].size)[detectAccelerator()];

/** What of its environment can change what comes out, as `pythonRuntime` says it of the steps'. Starts no process. */
export const backendRuntime = (backend: Backend): JsonObject =>
  backend === "transformers"
    ? pythonRuntime()
    : runtimeOf(process.env[OWN[backend].variable], readRequirements(`requirements-${backend}.lock`), [...DECISIVE_PACKAGES, ...OWN[backend].packages]);

async function locate(backend: Own, o: PythonOptions): Promise<Result<Python>> {
  const wanted = making(backend);
  const there = finished(wanted.prefix);
  if (there !== undefined) return there;
  const made = await makeOnce(wanted, o);
  return made.ok || made.error.exit === EXIT.interrupted ? made : err(cannotBeMade(backend, made.error));
}

function making(backend: Own): Making {
  const requirements = readRequirements(`requirements-${backend}.lock`);
  const accelerator = detectAccelerator();
  const imports = "torch, transformers, peft, gguf, bitsandbytes";
  return {
    name: `environment of the backend ${backend}`,
    prefix: `${hexOf(requirements.digest).slice(0, 16)}-${backend}-${accelerator}-py`,
    size: backendSize(backend),
    steps: STEPS,
    mark: { requirements: requirements.digest, accelerator, backend },
    build: (dir, python, o) => buildEnvironment(dir, python, requirements, accelerator, { ...o, imports, neededBytes: NEEDED_BYTES[accelerator] + BESIDE }),
  };
}

/** The same failure, and what to do without the environment. What mends MCP_FORGE_PYTHON mends nothing here. */
function cannotBeMade(backend: Own, { hint, ...failure }: Failure): Failure {
  const own = hint === undefined || hint.includes("MCP_FORGE_PYTHON") ? "" : `${hint.replace(/[.\s]*$/, "")}. Or `;
  const instead = `name an interpreter that has its packages (export ${OWN[backend].variable}=PATH), or use \`train.backend: transformers\`, which makes another model`;
  return { ...failure, message: `the environment of the backend ${backend} cannot be made: ${failure.message}`, hint: `${own}${instead}` };
}

const namedOne = (backend: Own, python: string, o: PythonOptions): Promise<Result<Python>> =>
  checkNamed(interpreter(python), o, {
    variable: OWN[backend].variable,
    names: [...DECISIVE_PACKAGES, ...OWN[backend].packages],
    pins: readRequirements(`requirements-${backend}.lock`).versions,
  });
