/** Recipes that cannot have a family to whose vocabulary tokens are added (`thinking.add`): refused before hours of training, not after. */
import { EXIT } from "../platform/exit.ts";
import type { Failure } from "../platform/result.ts";
import { exportChoice } from "../recipe/formats.ts";
import type { PipelineContext } from "./context.ts";

/** Why, and where the recipe says it; undefined where it can, or nothing is added. */
export function cannotAddTokens({ family, backend, loaded, recipe }: PipelineContext): Failure | undefined {
  if (family.thinking?.add === undefined) return undefined;
  const { open, close } = family.thinking;
  const added = `${open} and ${close} are added to the vocabulary of \`${family.name}\``;
  const lora = recipe.exports.findIndex((e) => exportChoice(e).format === "lora");
  if (lora >= 0)
    return {
      code: "recipe/added-tokens",
      message: `\`lora\` cannot be exported: ${added}, the base's own file has no rows for them, and an adapter as a GGUF has no place for any`,
      hint: "Remove `lora` from `exports`: the other formats hold them.",
      exit: EXIT.usage,
      place: loaded.placeOf(["exports", lora]),
    };
  if (backend !== "unsloth") return undefined;
  return {
    code: "recipe/added-tokens",
    message: `the backend unsloth cannot train this: ${added}, and it does not train their rows`,
    hint: "Write `train: { backend: transformers }`, or qlora.",
    exit: EXIT.usage,
    place: loaded.placeOf(["train", "backend"]),
  };
}
