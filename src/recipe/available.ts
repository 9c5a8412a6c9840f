/** Families whose data file this version ships (src/models/families; a test compares), the smallest first that need no hub. Others are a project's own, in files. */
export const FAMILIES: readonly string[] = [
  ...["smollm2", "nano"],
  ...["deepseek-r1", "gemma-3", "glm-4", "llama-3.1", "llama-3.2", "mistral", "phi-4", "qwen-2.5", "qwen-3"],
];
