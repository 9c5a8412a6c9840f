/**
 * How many GPUs training may use on this machine, and whether a recipe asks for more: told without starting a process, so that a run is refused
 * before its data is made. The training step asks PyTorch, which has the last word (python/forge_steps/ranks.py).
 */
import { readdirSync } from "node:fs";
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

/** How many there are; undefined where only the driver knows (under WSL). */
export function countGpus(env: NodeJS.ProcessEnv = process.env, dev = "/dev"): number | undefined {
  if (detectAccelerator(dev) === "cpu") return 0;
  const total = readdirSync(dev).filter((name) => /^nvidia\d+$/.test(name)).length;
  return total === 0 ? undefined : visibleGpus(total, env.CUDA_VISIBLE_DEVICES);
}

/** Why training cannot have the GPUs that a recipe asks for, and what to do; undefined where it can, and where nobody knows. */
export function tooFewGpus({ gpus }: Pick<Train, "gpus">, there: number | undefined, env: NodeJS.ProcessEnv = process.env): Failure | undefined {
  // One is what training uses where it is, and a CPU where it is not.
  if (gpus === undefined || gpus === "all" || gpus === 1 || there === undefined || gpus <= there) return undefined;
  const shown = env.CUDA_VISIBLE_DEVICES;
  const has =
    shown === undefined ? `this machine has ${there === 0 ? "none" : there}` : `CUDA_VISIBLE_DEVICES (${shown}) shows ${there === 0 ? "none" : there}`;
  const fewer = there === 0 ? "remove `gpus` to train on the CPU (`processes: 2` shares its cores between two processes)" : `set \`gpus: ${there}\` or \`all\``;
  return {
    code: "train/gpus",
    message: `training is to use ${gpus} NVIDIA GPUs, and ${has}`,
    hint: `${fewer}, or run the recipe where there are more; the model is the same`,
    exit: EXIT.environment,
  };
}
