/** A scripted model and a small toolset, for the logic of evaluation. */
import type { Completion, CompletionRequest, LlamaEngine } from "../../src/models/llama/types.ts";
import { EXIT } from "../../src/platform/exit.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { err, ok } from "../../src/platform/result.ts";
import type { EvaluationCase } from "../../src/schemas/generated/case.ts";
import type { ToolDefinition } from "../../src/schemas/generated/toolset.ts";
import type { ToolResult, ToolSession } from "../../src/tools/types.ts";

export const tool = (name: string, properties: object, required: string[]): ToolDefinition => ({
  name,
  description: `Does ${name}.`,
  input_schema: { type: "object", properties, required, additionalProperties: false },
  source: "stub",
  origin: "stub:test",
});

export const toolset = {
  tools: [
    tool("get_weather", { location: { type: "string" } }, ["location"]),
    tool("get_forecast", { location: { type: "string" }, days: { type: "integer", minimum: 1, maximum: 14 } }, ["location"]),
  ],
};

export const call = (name: string, args: JsonObject): string => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;

/** A model that answers a prompt by its last turn's text; it keeps the prompts that it saw. */
export function scripted(answer: (lastTurn: string, prompt: string) => string | null): LlamaEngine & { readonly prompts: CompletionRequest[] } {
  const prompts: CompletionRequest[] = [];
  return {
    prompts,
    async complete(request) {
      prompts.push(request);
      const turns = request.prompt.split("<|im_start|>user\n");
      const last = (turns.at(-1) ?? "").split("<|im_end|>")[0] ?? "";
      const text = answer(last, request.prompt);
      if (text === null) return err({ code: "llama/worker-ended", message: "the llama.cpp process ended", exit: EXIT.failed });
      const cut = text.split(" ").slice(0, request.maxTokens).join(" ");
      const value: Completion = { text: cut, tokens: 10, promptTokens: 100, ms: 20, firstTokenMs: 5, stopped: cut === text ? "eos" : "limit" };
      return ok(value);
    },
    tokenize: async () => ok([]),
    close: async () => {},
  };
}

/** A session whose tools answer by a function; `null`: the call is refused. */
export function session(
  answer: (name: string, args: JsonObject) => Partial<ToolResult> | null,
): Pick<ToolSession, "canExecute" | "call"> & { readonly calls: [string, JsonObject][] } {
  const calls: [string, JsonObject][] = [];
  return {
    calls,
    canExecute: (name) => answer(name, {}) !== null,
    async call(name, args) {
      calls.push([name, args]);
      return { text: "", isError: false, timedOut: false, ms: 1, executed: true, ...answer(name, args) };
    },
  };
}

export const oneCase = (id: string, question: string, expect: EvaluationCase["expect"], more: Partial<EvaluationCase> = {}): EvaluationCase => ({
  id,
  messages: [{ role: "user", content: question }],
  expect,
  ...more,
});
