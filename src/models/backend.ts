/**
 * What trains a recipe's model: named by the recipe, else by the family's data file, else `transformers`; never by what this machine has, as that
 * would make two models of one recipe. It is part of the keys. Where it cannot run, the run is refused before it begins.
 */
import { EXIT } from "../platform/exit.ts";
import type { Failure } from "../platform/result.ts";
import type { Train } from "../recipe/types.ts";
import { type Accelerator, detectAccelerator } from "../runners/python/accelerator.ts";
import type { Family } from "../schemas/generated/family.ts";

export type Backend = NonNullable<Train["backend"]>;

/** All there are, the default first (a test compares them with the recipe's schema). */
export const BACKENDS: readonly Backend[] = ["transformers", "qlora", "unsloth"];

/** The one that trains this family by this recipe. */
export const backendOf = ({ training }: Pick<Family, "training">, { backend }: Pick<Train, "backend">): Backend =>
  backend ?? training.backend ?? "transformers";

/**
 * Why a backend cannot run on this machine, and what to do; undefined where it can. Starts no process. `named`: the device that MCP_FORGE_DEVICE names; whether
 * that is there at all `wrongDevice` says.
 */
export function cannotTrain(
  backend: Backend,
  accelerator: Accelerator = detectAccelerator(),
  named: string | undefined = process.env.MCP_FORGE_DEVICE,
): Failure | undefined {
  if (backend === "qlora" && named === "mps")
    return {
      code: "train/device",
      message: "the backend qlora has no kernels for Apple's GPU (MCP_FORGE_DEVICE=mps)",
      hint: "unset MCP_FORGE_DEVICE to train on the CPU, or use transformers (`train.backend`: another model comes out)",
      exit: EXIT.environment,
    };
  const other = named === "cpu" || named === "mps";
  if (backend !== "unsloth" || (accelerator === "cuda" && !other)) return undefined;
  return {
    code: "train/no-gpu",
    message: `the backend unsloth needs a CUDA GPU; ${other ? `MCP_FORGE_DEVICE=${named} uses none` : "here is none"}`,
    hint:
      other && accelerator === "cuda"
        ? "unset MCP_FORGE_DEVICE, or use transformers or qlora (`train.backend`: another model comes out)"
        : "use transformers or qlora (`train.backend`: another model comes out), or run the recipe where there is one; `--until qa` does what comes before",
    exit: EXIT.environment,
  };
}

/** The stages' settings: nothing for the default, so that its keys are what they were before there were others. */
export const backendSettings = (backend: Backend): { readonly backend?: Backend } => (backend === "transformers" ? {} : { backend });
