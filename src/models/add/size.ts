/**
 * Asks the model hub what a family's size is today: the same looking, the same checks and the same refusals as `forge models add`, by the template and the thinking that the
 * family's file names. What is found has to be the model that the file describes.
 */
import { EXIT } from "../../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { Family } from "../../schemas/generated/family.ts";
import { checkFamily } from "../family-check.ts";
import { disagreement, licenceOfSize, type Size, sizeName, sizeWord, surprises, templateOf, trainingOfSize } from "../registry.ts";
import { unfit } from "./files.ts";
import type { HubLookOptions } from "./hub.ts";
import { familyOfHub } from "./index.ts";

/** The branch of a repository that a size means before it is pinned. */
const BRANCH = "main";

/** The model as a family file has it, at the commit that the hub names now. Failures exit with 4 (another model, or one that cannot be used), 6 or 130. */
export async function findSize(size: Size, o: HubLookOptions): Promise<Result<Family>> {
  const { family, source } = size;
  const looked = await familyOfHub(source.repository, BRANCH, sizeName(size), {
    ...o,
    template: templateOf(size),
    thinking: family.thinking !== null,
    otherwiseLicence: licenceOfSize(size),
  });
  if (!looked.ok) return err(inWordsOf(size, looked.error));
  const hub = looked.value.sources.default;
  if (hub?.kind !== "hub") throw new Error("a model of the hub has its weights elsewhere");
  // A repository that was renamed since answers under its old name, too; the family's file says the one that counts.
  const found: Family = {
    ...looked.value,
    hub_id: source.repository,
    sources: { default: { ...hub, repository: source.repository } },
    training: trainingOfSize(size),
  };
  const other = disagreement(size, found);
  if (other !== undefined)
    return err(
      unfit(
        "other-model",
        `what the model hub has as ${source.repository} is not ${sizeWord(size)} as this version of forge knows it: ${other}`,
        `Check HF_ENDPOINT. To use it as it is now: forge models add ${source.repository}, then \`model: { hf_id: ${source.repository} }\`.`,
      ),
    );
  const fit = checkFamily(found);
  if (!fit.ok) return err(unfit("unsupported", `forge cannot use ${source.repository}: ${fit.error.message}`));
  for (const warning of surprises(size, found)) o.onWarning?.(warning);
  return ok(found);
}

/** The hints of `models add` speak of its flags; here there are none. */
function inWordsOf(size: Size, failure: Failure): Failure {
  const { repository, gated } = size.source;
  const word = sizeWord(size);
  switch (failure.code) {
    case "models/hub-refused":
      return {
        ...failure,
        hint: `${gated === true ? "It is gated: accept its licence" : "It may be gated: accept its terms"} at https://huggingface.co/${repository} with your account, and set HF_TOKEN to a token of that account (export HF_TOKEN=hf_…).`,
      };
    case "models/hub-offline":
      return {
        ...failure,
        message: `${word} is not pinned in the lockfile: ${failure.message}`,
        hint: "Pin it once with a network: forge models pin RECIPE; or take over the lockfile of somebody who has.",
        exit: EXIT.environment,
      };
    case "models/hub-missing":
      return { ...failure, hint: `Check that HF_ENDPOINT names a hub or mirror that has ${repository}.` };
    case "models/unsupported":
    case "models/no-thinking":
    case "models/template-needed":
    case "models/no-weights":
    case "models/misfit":
      return {
        ...failure,
        message: `${word}: ${failure.message}`,
        hint: `${repository} is no longer as this version of forge knows it. Pin another size, or a model of your own: forge models add.`,
      };
    default:
      return failure;
  }
}
