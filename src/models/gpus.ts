/**
 * Which GPUs training may use on this machine, whether a recipe asks for more, and whether the device that MCP_FORGE_DEVICE names can be there: told
 * without starting a process, so that a run is refused before its data is made. The training step asks PyTorch, which has the last word (python/forge_steps/ranks.py).
 */
import { existsSync, readdirSync } from "node:fs";
import { EXIT } from "../platform/exit.ts";
import { safeText } from "../platform/redact.ts";
import type { Failure } from "../platform/result.ts";
import type { Train } from "../recipe/types.ts";
import { detectAccelerator } from "../runners/python/accelerator.ts";

/**
 * Of so many GPUs those that CUDA_VISIBLE_DEVICES lets a program see, in its order, each by its number or as it is named there. By CUDA's own rule everything
 * after an entry that names none is hidden. UUIDs (`GPU-…`, `MIG-…`) are taken to be right.
 */
export function shownGpus(total: number, shown: string | undefined): readonly string[] {
  if (shown === undefined) return Array.from({ length: total }, (_, n) => String(n));
  const entries = shown.split(",").map((entry) => entry.trim());
  const end = entries.findIndex((entry) => !/^(GPU|MIG)-/.test(entry) && !(/^\d+$/.test(entry) && Number(entry) < total));
  return [...new Set(end === -1 ? entries : entries.slice(0, end))];
}

/** How many those are. */
export const visibleGpus = (total: number, shown: string | undefined): number => shownGpus(total, shown).length;

/** How many there are; undefined where only the driver knows (under WSL), and where only PyTorch does (of AMD, by a Python of the user's own). */
export function countGpus(env: NodeJS.ProcessEnv = process.env, dev = "/dev"): number | undefined {
  if (otherDevice(env) !== undefined) return 0;
  if (detectAccelerator(dev) === "cpu") return env.MCP_FORGE_PYTHON && hasAmd(dev) ? undefined : 0;
  const total = readdirSync(dev).filter((name) => /^nvidia\d+$/.test(name)).length;
  return total === 0 ? undefined : visibleGpus(total, env.CUDA_VISIBLE_DEVICES);
}

/** The device that is asked for in place of a CUDA GPU (python/forge_steps/device.py). */
function otherDevice(env: NodeJS.ProcessEnv): string | undefined {
  return env.MCP_FORGE_DEVICE === "cpu" || env.MCP_FORGE_DEVICE === "mps" ? env.MCP_FORGE_DEVICE : undefined;
}

/** The devices that MCP_FORGE_DEVICE may name; `NAMES` of python/forge_steps/device.py. */
const DEVICES: readonly string[] = ["cpu", "cuda", "mps"];

/**
 * Why training cannot run on the device that MCP_FORGE_DEVICE names, as far as that can be told without PyTorch: it would say so itself, but only once the data is
 * made. Undefined where it can, and where nobody knows. `there`: as `countGpus` counts; `processes`: `train.processes`; `system`: as Node names it.
 */
export function wrongDevice(
  { processes = 1 }: Pick<Train, "processes">,
  there: number | undefined,
  env: NodeJS.ProcessEnv = process.env,
  system: string = process.platform,
): Failure | undefined {
  const named = env.MCP_FORGE_DEVICE;
  if (!named) return undefined;
  const failure = (message: string, hint: string): Failure => ({ code: "step/device", message, hint, exit: EXIT.environment });
  if (!DEVICES.includes(named)) {
    return failure(
      `MCP_FORGE_DEVICE is "${safeText(named, 40)}", which is no device`,
      "set it to cpu, cuda or mps, or unset it: a CUDA GPU trains where there is one, else the CPU",
    );
  }
  // On Windows no device files are there to be counted.
  if (named === "cuda" && there === 0 && system !== "win32") {
    const shown = env.CUDA_VISIBLE_DEVICES;
    const why =
      shown === undefined ? "this machine has no GPU that PyTorch can use by that name" : `CUDA_VISIBLE_DEVICES (${safeText(shown, 40)}) shows no GPU`;
    return failure(`MCP_FORGE_DEVICE is cuda, and ${why}`, "unset it to train on the CPU; `forge doctor` says what it finds");
  }
  if (named === "mps" && system !== "darwin") return failure("MCP_FORGE_DEVICE is mps, and only a Mac has such a device", "unset it, or set it to cpu or cuda");
  if (named === "mps" && processes > 1)
    return failure(`\`train.processes\` is ${processes}, and an Apple GPU takes one process`, "remove `train.processes`, or set MCP_FORGE_DEVICE=cpu");
  return undefined;
}

/** Whether AMD's compute driver is there (ROCm's `/dev/kfd`). */
const hasAmd = (dev: string): boolean => existsSync(`${dev}/kfd`);

/** In words for `forge doctor`, what computes where there is no NVIDIA GPU, or MCP_FORGE_DEVICE names another device. `machine`: as Node names it. */
export function withoutNvidia(env: NodeJS.ProcessEnv = process.env, machine = `${process.platform} ${process.arch}`, dev = "/dev"): string {
  if (otherDevice(env) === "mps") return "training runs on Apple's GPU (MCP_FORGE_DEVICE=mps), which forge's makers never ran it on";
  if (otherDevice(env) === "cpu") return "training runs on the CPU (MCP_FORGE_DEVICE=cpu)";
  const none = "no NVIDIA GPU found (nvidia-smi): training runs on the CPU";
  if (machine === "darwin arm64") return `${none}; MCP_FORGE_DEVICE=mps tries Apple's GPU`;
  if (!hasAmd(dev)) return none;
  return env.MCP_FORGE_PYTHON
    ? "no NVIDIA GPU found (nvidia-smi): training runs on the AMD GPU (/dev/kfd) where MCP_FORGE_PYTHON has PyTorch for ROCm, else on the CPU"
    : `${none}; an AMD GPU (/dev/kfd) trains where MCP_FORGE_PYTHON names a Python that has PyTorch for ROCm`;
}

/** Why training cannot have the GPUs that a recipe asks for, and what to do; undefined where it can, and where nobody knows. */
export function tooFewGpus({ gpus }: Pick<Train, "gpus">, there: number | undefined, env: NodeJS.ProcessEnv = process.env): Failure | undefined {
  // One is what training uses where it is, and a CPU where it is not.
  if (gpus === undefined || gpus === "all" || gpus === 1 || there === undefined || gpus <= there) return undefined;
  const [shown, other] = [env.CUDA_VISIBLE_DEVICES, otherDevice(env)];
  const count = there === 0 ? "none" : there;
  const seen = shown === undefined ? `this machine has ${count}` : `CUDA_VISIBLE_DEVICES (${shown}) shows ${count}`;
  const has = other === undefined ? seen : `MCP_FORGE_DEVICE=${other} uses none`;
  const fewer = there === 0 ? "remove `gpus` to train on the CPU (`processes: 2` shares its cores between two processes)" : `set \`gpus: ${there}\` or \`all\``;
  return {
    code: "train/gpus",
    message: `training is to use ${gpus} NVIDIA GPUs, and ${has}`,
    hint: `${fewer}, or run the recipe where there are more; the model is the same`,
    exit: EXIT.environment,
  };
}
