/** The bundle's README.md: how to run it, what was measured, what it cannot do, whose it is. */
import { MOST_THOUGHT_TOKENS } from "../models/thinking.ts";
import type { Agent } from "../schemas/generated/agent.ts";
import { type FigureRow, type ModelMeasures, OPENAI_TOOLS } from "./types.ts";

export interface ReadmeInput {
  readonly agent: Agent;
  readonly figures: readonly FigureRow[];
  /** Of each of the agent's models. */
  readonly measures: readonly ModelMeasures[];
  readonly examplePrompt: string;
  /** Whether the figures are known to be of the model file in the bundle. */
  readonly measuredHere: boolean;
  /** Calls are written with spaces in their JSON, which Ollama leaves out of earlier ones. */
  readonly spaced: boolean;
}

/** Foreign text inside Markdown: one line, nothing that is read as markup, HTML or a table. */
const plain = (text: string): string => text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]<>#|]/g, (c) => `\\${c}`);
const inCode = (text: string): string => `\`${text.replace(/[`\s]+/g, " ").trim()}\``;
const percent = (v: number): string => `${(v * 100).toFixed(1)} %`;
const shell = (text: string): string => `'${text.replace(/\s+/g, " ").replaceAll("'", "'\\''")}'`;

const THINKS = `The model thinks before it acts: what it writes between \`<think>\` and \`</think>\` is no answer, and calls are read after it alone. Ollama (0.9 or newer) and llama-server hand a thought over beside the content; another program has to take it off. A thought is given ${MOST_THOUGHT_TOKENS} tokens where the model was measured and in \`forge try\`: leave a request as many, and those of the answer.`;

export function readme({ agent, figures, measures, examplePrompt, measuredHere, spaced }: ReadmeInput): string {
  const model = agent.models[0]?.file ?? "model.gguf";
  const sections = [
    `# ${plain(agent.name)}`,
    ...(agent.unproven === undefined
      ? []
      : [`> **UNPROVEN.** ${plain(agent.unproven.warning)}\n${agent.unproven.reasons.map((r) => `> - ${plain(r)}`).join("\n")}`]),
    `A small language model (${plain(agent.base_model.name)}, fine-tuned) that calls the ${agent.toolset.tools.length} tools below and runs locally. Made by MCP-Forge.`,
    `## Tools\n\n${agent.toolset.tools.map((t) => `- ${inCode(t.name)}: ${plain(t.description).slice(0, 300)}`).join("\n")}\n\nThe model knows exactly these definitions (${inCode(agent.toolset.hash)}); a server whose tools have changed needs a new model.`,
    `## Run it\n\nWith MCP-Forge, from this folder:\n\n    forge verify-bundle .\n    forge try . ${shell(examplePrompt)}\n\nWith Ollama:\n\n    ollama create ${agent.name} -f Modelfile\n    ollama run ${agent.name} ${shell(examplePrompt)}\n\nOver Ollama's API pass what \`${OPENAI_TOOLS}\` holds as \`tools\`: its parser then hands calls over as \`tool_calls\`. The prompt is the same with and without them.\n\nWith llama.cpp:\n\n    llama-server -m ${model} --jinja -c ${agent.runtime.recommended_context_length} --temp 0\n\nand pass what \`${OPENAI_TOOLS}\` holds as \`tools\` in each request (OpenAI's interface, \`/v1/chat/completions\`): the chat template in the model file writes them as in training. \`prompt_template.json\` has every text for other runtimes. Decode greedily (temperature 0).${agent.runtime.decoding === "constrained" ? `\n\nThe figures below were reached with the grammar \`${agent.runtime.grammar}\`, under which every call is held once the model has opened it. \`forge try\` and \`forge benchmark\` apply it. llama-server takes no grammar of its user's beside \`tools\`, and Ollama takes none: there the model decodes freely and may write calls that miss a tool's schema.` : ""}${agent.runtime.supports_thinking ? `\n\n${THINKS}` : ""}`,
    `## Figures\n\n${figureTable(figures)}\n\nMeasured on held-out requests that share no wording with the training data, ${measuredHere ? "with the model file as it is here" : "with a model file that may have been another than the one here"}, by full tool loops. n: what the rate is over; the interval is at 95 %.`,
    `## Limits\n\n- It was trained for the tools above and short conversations of at most ${agent.runtime.recommended_context_length} tokens, the tool list included.\n- It can call a wrong tool or get an argument wrong; check arguments before a call that cannot be undone.\n- Text from tools and users is part of the prompt. MCP-Forge breaks up control words (${inCode(agent.runtime.stop_tokens[0] ?? "<tool_call>")}, \`<tool_call>\`) in it; other runtimes may not. Ollama writes \`<\`, \`>\` and \`&\` in the arguments of earlier calls as JSON escapes${spaced ? ", and all of them without the spaces that the model was trained with: an answer that follows a call may differ a little from llama-server's" : ""}.`,
    `## Files\n\n${[...agent.models.map((m, i) => `- \`${m.file}\`: the model (${m.format}${measureWords(m.format, measures[i] ?? {})})`), ...(agent.adapter === undefined ? [] : [adapterLine(agent.adapter.file, agent.base_model)]), "- `tools.json`: the tool definitions", `- \`${OPENAI_TOOLS}\`: the same in OpenAI's form, for requests`, "- `prompt_template.json`: the texts of a prompt", ...(agent.runtime.grammar === undefined ? [] : [`- \`${agent.runtime.grammar}\`: the grammar of a call (GBNF)`]), "- `agent.yaml`: what it was made from and what was measured", "- `tests/validation.json`: smoke tests with recorded outputs", "- `Modelfile`: for Ollama", "- `LICENSE`: the base model's licence", "- `manifest.json`: size and SHA-256 of every file"].join("\n")}`,
    `## Licence\n\nThe model derives from ${plain(agent.base_model.name)}${agent.base_model.license === undefined ? "" : ` (${plain(agent.base_model.license)})`}; \`LICENSE\` is its licence.`,
  ];
  return `${sections.join("\n\n")}\n`;
}

/** `, 4.9 bits a weight; mean KL 1.2e-2 nats from the f16 file; …`: how far rounding took it from what it was made of. */
function measureWords(format: string, { bits_per_weight: bits, kl, perplexity, perplexity_reference: before }: ModelMeasures): string {
  const of = format === "f16" ? "the trained model" : "the f16 file";
  const parts = [
    ...(kl === undefined ? [] : [`mean KL ${kl === 0 ? "0" : kl.toExponential(1)} nats from ${of}`]),
    ...(perplexity === undefined
      ? []
      : [`perplexity ${perplexity.toPrecision(4)} on training samples${before === undefined ? "" : `, of ${of} ${before.toPrecision(4)}`}`]),
  ];
  return `${bits === undefined ? "" : `, ${bits} bits a weight`}${parts.length === 0 ? "" : `; ${parts.join("; ")}`}`;
}

/** What an adapter is good for, and that nobody takes it for the model. */
const adapterLine = (file: string, base: Agent["base_model"]): string =>
  `- \`${file}\`: the LoRA adapter alone, no model by itself: \`llama-server -m BASE.gguf --lora ${file}\` lays it over ${plain(base.hf_id ?? base.name)} as a GGUF. What was measured are the models above, which hold it`;

function figureTable(figures: readonly FigureRow[]): string {
  const cell = (v: number | null | undefined): string => (v === null || v === undefined ? "-" : percent(v));
  const rows = figures.map(
    (f) =>
      `| ${plain(f.figure)} | ${cell(f.value)} | ${f.n ?? "-"} | ${f.interval === undefined ? "-" : `${percent(f.interval[0])} to ${percent(f.interval[1])}`} | ${cell(f.base)} |`,
  );
  return ["| figure | value | n | interval | untuned base |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}
