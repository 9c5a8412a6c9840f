/**
 * How the model of a bundle is talked to: by the family of its prompt, where that comes with forge; else by what the bundle says itself,
 * which names one of forge's chat templates and the words that are control tokens. A bundle's own Jinja is run where the bundle says that it is the model's own
 * template, within bounds, and once a round trip has shown that it loses nothing (models/official).
 */
import { completeFamilies, getFamily, isComplete, officialOf } from "../models/family.ts";
import { chatTemplates, problemOfWords } from "../models/known.ts";
import { provenProblem } from "../models/official/proven.ts";
import type { ChatFamily } from "../models/render.ts";
import { EXIT } from "../platform/exit.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { Family } from "../schemas/generated/family.ts";
import type { PromptTemplate } from "../schemas/generated/prompt-template.ts";

/** `title`: the base model's name, of a family that comes with forge. */
export function chatFamilyOf(prompt: PromptTemplate): Result<ChatFamily & { readonly title?: string }> {
  const { template, special_tokens, official: stated, chat_template: text } = prompt;
  if (template === undefined || special_tokens === undefined)
    return isComplete(prompt.family)
      ? getFamily(prompt.family)
      : err({
          code: "models/unknown-family",
          message: `the bundle does not say how its model is talked to, and forge knows no family \`${prompt.family.slice(0, 100)}\` by heart`,
          hint: `Take a fresh copy from whoever made it; what it says may be left out of bundles of ${completeFamilies().join(" and ")} only.`,
          exit: EXIT.usage,
        });
  if (!chatTemplates().includes(template))
    return err({
      code: "bundle/unknown-template",
      message: `the bundle is written with the chat template \`${template}\`, which this version does not have`,
      hint: "use the version of MCP-Forge that made the bundle",
      exit: EXIT.failed,
    });
  // Control words that are not named would not be neutralised in foreign text.
  const wrong = problemOfWords(template, special_tokens, prompt.stop_tokens);
  if (wrong === undefined) {
    if (stated === undefined) return ok({ template, special_tokens });
    const family = { template, special_tokens, official: { ...stated, text } };
    const problem = provenProblem(family);
    if (problem === undefined) return ok(family);
    return err({
      code: "bundle/official-template",
      message: `the bundle's chat template, the base model's own, cannot be used: it ${problem}`,
      hint: "take a fresh copy from whoever made it",
      exit: EXIT.failed,
    });
  }
  return err({
    code: "bundle/control-words",
    message: `the bundle's prompt_template.json contradicts itself: ${wrong.message}`,
    hint: "take a fresh copy from whoever made it",
    exit: EXIT.failed,
  });
}

/** What a bundle says of a family that does not come with forge; nothing of one that does. */
export function chatFamilyWords(family: Family): Pick<PromptTemplate, "template" | "special_tokens" | "official"> {
  if (isComplete(family.name)) return {};
  const own = { template: family.template, special_tokens: [...family.special_tokens] };
  const official = officialOf(family);
  if (official === undefined) return own;
  // The text itself is the bundle's `chat_template`.
  const { text: _, ...words } = official;
  return { ...own, official: words };
}
