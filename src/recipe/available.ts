/** Families whose data file this version ships (src/models/families; a test compares), the smallest first that need no hub. Others are a project's own, in files. */
export const FAMILIES: readonly string[] = [
  ...["smollm2", "nano"],
  ...["deepseek-r1", "gemma-3", "glm-4", "llama-3.1", "llama-3.2", "mistral", "phi-4", "qwen-2.5", "qwen-3"],
];

/** What those families have under their names: each source that is a model of its own, and its repository on the hub. `default` where a recipe names no source for it. A test compares them with the data files, too. */
export const MODELS: readonly (readonly [family: string, source: string, repository: string])[] = [
  ["smollm2", "default", "HuggingFaceTB/SmolLM2-135M-Instruct"],
  ["smollm2", "360m", "HuggingFaceTB/SmolLM2-360M-Instruct"],
  ["smollm2", "1.7b", "HuggingFaceTB/SmolLM2-1.7B-Instruct"],
  ["deepseek-r1", "llama-8b", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"],
  ["deepseek-r1", "qwen-1.5b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"],
  ["deepseek-r1", "qwen-7b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"],
  ["deepseek-r1", "qwen-14b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B"],
  ["gemma-3", "270m", "google/gemma-3-270m-it"],
  ["gemma-3", "1b", "google/gemma-3-1b-it"],
  ["glm-4", "9b", "zai-org/GLM-4-9B-0414"],
  ["glm-4", "32b", "zai-org/GLM-4-32B-0414"],
  ["llama-3.1", "8b", "meta-llama/Llama-3.1-8B-Instruct"],
  ["llama-3.2", "1b", "meta-llama/Llama-3.2-1B-Instruct"],
  ["llama-3.2", "3b", "meta-llama/Llama-3.2-3B-Instruct"],
  ["mistral", "nemo", "mistralai/Mistral-Nemo-Instruct-2407"],
  ["mistral", "small", "mistralai/Mistral-Small-24B-Instruct-2501"],
  ["nano", "default", "mcp-forge/nano"],
  ["phi-4", "14b", "microsoft/phi-4"],
  ["qwen-2.5", "0.5b", "Qwen/Qwen2.5-0.5B-Instruct"],
  ["qwen-2.5", "1.5b", "Qwen/Qwen2.5-1.5B-Instruct"],
  ["qwen-2.5", "3b", "Qwen/Qwen2.5-3B-Instruct"],
  ["qwen-2.5", "7b", "Qwen/Qwen2.5-7B-Instruct"],
  ["qwen-2.5", "14b", "Qwen/Qwen2.5-14B-Instruct"],
  ["qwen-3", "0.6b", "Qwen/Qwen3-0.6B"],
  ["qwen-3", "1.7b", "Qwen/Qwen3-1.7B"],
  ["qwen-3", "4b", "Qwen/Qwen3-4B"],
  ["qwen-3", "8b", "Qwen/Qwen3-8B"],
  ["qwen-3", "14b", "Qwen/Qwen3-14B"],
];
