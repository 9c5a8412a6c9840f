/**
 * How many GPUs training may use on this machine, and whether a recipe asks for more: told without starting a process, so that a run is refused
 * before its data is made. The training step asks PyTorch, which has the last word (python/forge_steps/ranks.py).
 */
import { existsSync, readdirSync } from "node:fs";
import { EXIT } from "../platform/exit.ts";
import type { Failure } from "../platform/result.ts";
import type { Train } from "../recipe/types.ts";
import { detectAccelerator } from "../runners/python/accelerator.ts";

/**
 * Of so many GPUs those that CUDA_VISIBLE_DEVICES lets a program see, by CUDA's own rule: everything after an entry that names none is hidden.
 * UUIDs (`GPU-…`, `MIG-…`) are taken to be right.
 */
export function visibleGpus(total: number, shown: string | undefined): number {
  if (shown === undefined) return total;
  const entries = shown.split(",").map((entry) => entry.trim());
  const end = entries.findIndex((entry) => !/^(GPU|MIG)-/.test(entry) && !(/^\d+$/.test(entry) && Number(entry) < total));
  return new Set(end === -1 ? entries : entries.slice(0, end)).size;
}

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
