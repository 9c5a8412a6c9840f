/**
 * Models that people name by a family, which come with no file of ours: what the hub calls them. They are of kinds that forge can train
 * (docs/models.md), and one command away; nothing is fetched by these names.
 */

/** Names as people (and other tools) write them, to the model of that family that is meant where no size is said. */
export const WELL_KNOWN: Readonly<Record<string, string>> = {
  "deepseek-r1": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
  "gemma-3": "google/gemma-3-1b-it",
  "gemma-3-270m": "google/gemma-3-270m-it",
  "glm-4": "zai-org/GLM-4-9B-0414",
  "glm-4-32b": "zai-org/GLM-4-32B-0414",
  "llama-3.1": "meta-llama/Llama-3.1-8B-Instruct",
  "llama-3.2": "meta-llama/Llama-3.2-3B-Instruct",
  "mistral-nemo": "mistralai/Mistral-Nemo-Instruct-2407",
  "phi-4": "microsoft/phi-4",
  "qwen-2.5": "Qwen/Qwen2.5-14B-Instruct",
  "qwen-2.5-0.5b": "Qwen/Qwen2.5-0.5B-Instruct",
  "qwen-3": "Qwen/Qwen3-8B",
  "qwen-3-0.6b": "Qwen/Qwen3-0.6B",
  "smollm2-360m": "HuggingFaceTB/SmolLM2-360M-Instruct",
  "smollm2-1.7b": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
};

/** The hub's name of a model that is written any of the usual ways: `qwen2.5`, `Qwen-2.5`, `qwen_2.5`. */
export function wellKnown(family: string): string | undefined {
  const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9.]/g, "");
  return Object.entries(WELL_KNOWN).find(([name]) => plain(name) === plain(family))?.[1];
}

/** What to do to train it. */
export const wellKnownHint = (hub: string): string => `that is ${hub}: \`forge models add ${hub}\`, then \`model: { hf_id: ${hub} }\``;
