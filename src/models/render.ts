/**
 * Makes the renderer of a family (rendering.ts), once it is known that nothing is lost by it: a template of the model's own is tried first
 * (official/round-trip.ts), whoever says that it was, since a family file or a bundle may come from anywhere.
 */
import { EXIT } from "../platform/exit.ts";
import { FailureError } from "../platform/result.ts";
import { provenProblem } from "./official/proven.ts";
import { type ChatFamily, type Renderer, rendererOf } from "./rendering.ts";

export { type ChatFamily, type RenderedTool, type Renderer, rowsOf, type Segment, templateFile, type UsedTemplate } from "./rendering.ts";

/** Throws when a template of ours is missing or broken: it is part of the package; and a FailureError where the model's own cannot be used. */
export function createRenderer(family: ChatFamily): Renderer {
  const problem = provenProblem(family);
  if (problem === undefined) return rendererOf(family);
  throw new FailureError({
    code: "models/official-template",
    message: `the model's own chat template cannot be used: it ${problem}`,
    hint: "Pin the model anew with forge's template: forge models add … --template ours --force",
    exit: EXIT.usage,
  });
}
