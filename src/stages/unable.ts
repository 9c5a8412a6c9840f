/** What keeps the stages of a run from working on this machine whatever is fetched, found before the first of them begins. */
import type { PlanOptions } from "../engine/plan.ts";
import { cannotTrain } from "../models/backend.ts";
import { countGpus, tooFewGpus, wrongDevice } from "../models/gpus.ts";
import type { Failure } from "../platform/result.ts";
import type { Pipeline } from "./pipeline.ts";

/** The part of a run's flags that says which stages would run. */
export type Asked = Pick<PlanOptions, "until" | "only" | "force" | "from" | "because" | "locked">;

/**
 * Why training cannot run here although this run may come to it: MCP_FORGE_DEVICE names what is not there, its backend needs what the machine has not, or it is to
 * use more GPUs than there are. Undefined where it can, and where what was trained elsewhere is at hand. Plans only where there is something to find.
 */
export async function unableToTrain(pipeline: Pipeline, asked: Asked): Promise<Failure | undefined> {
  const { backend, loaded, recipe } = pipeline.context;
  const there = countGpus();
  const device = wrongDevice(recipe.train, there);
  const refused = cannotTrain(backend);
  const why = device ?? refused ?? tooFewGpus(recipe.train, there);
  if (why === undefined || pipeline.given?.has("train") === true) return undefined;
  const { planRun } = await import("../engine/plan.ts");
  const plan = await planRun({ nodes: pipeline.nodes, projectRoot: pipeline.projectRoot, lockfile: pipeline.lockfile, variant: pipeline.variant, ...asked });
  if (!plan.ok) return undefined; // Whoever runs it is told why by the run itself.
  const train = plan.value.nodes.find((n) => n.id === "train");
  const mayRun = train?.status === "run" || train?.status === "maybe";
  if (!mayRun) return undefined;
  // What a variable of the environment says stands on no line of the recipe.
  return device ?? { ...why, place: loaded.placeOf(["train", refused === undefined ? "gpus" : "backend"]) };
}
