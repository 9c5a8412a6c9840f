/**
 * Writes an Agent Bundle into an empty folder: the model files as they were validated, and everything
 * that is needed to run, check and understand them.
 *
 * Guarantees: the same input gives the same bytes (no clock, no path of this machine, no order of
 * listing); model files are cloned, never linked; every file is in the manifest; an unproven bundle says
 * so in every file that people or programs read first; of a server's settings and secrets only the names
 * are in it, and what is handed over under the name of a key is masked.
 */

import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { CALL_CLOSE, CALL_OPEN, RESULT_CLOSE, RESULT_OPEN, SYSTEM_PROMPT } from "../models/prompt.ts";
import { EXIT } from "../platform/exit.ts";
import { cloneTree, fsFailure } from "../platform/fs.ts";
import { redact } from "../platform/redact.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { Agent } from "../schemas/generated/agent.ts";
import type { PromptTemplate } from "../schemas/generated/prompt-template.ts";
import type { SmokeTests } from "../schemas/generated/smoke-tests.ts";
import { originOf, policyOf } from "../tools/open.ts";
import { toldSource } from "../tools/told.ts";
import type { ToolSource } from "../tools/types.ts";
import { chatFamilyWords } from "./chat-family.ts";
import { MANIFEST, makeManifest } from "./manifest.ts";
import { modelfile } from "./modelfile.ts";
import { readme } from "./readme.ts";
import { chooseSmokeTests } from "./smoke.ts";
import { measureTurns, type Turns } from "./turns.ts";
import { ADAPTER, OPENAI_TOOLS, type PackInput, type PackOutcome } from "./types.ts";

const WARNING = "A gate refused this model; it was packed on request all the same. Do not rely on it.";
const WARNING_UNMEASURED = "Its figures may be those of another model; it was packed on request all the same. Do not rely on it.";
export const GRAMMAR_FILE = "tools.gbnf";
/** What no template of Ollama's can do. */
const SPACES =
  "Ollama writes the arguments of earlier calls without spaces; the model was trained with one after each colon and comma, as its own template has them.";

/** Packs. Fails when the folder is not empty, a name cannot be used, no case was recorded, or the disk says no. */
export async function packBundle(input: PackInput): Promise<Result<PackOutcome>> {
  const names = modelNames(input.models.map((m) => m.format));
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(input.name))
    return err(failure("bundle/invalid-name", `\`${input.name.slice(0, 100)}\` cannot name a bundle`, "use letters, digits, dots, dashes and underscores"));
  const smoke = chooseSmokeTests(input.cases, input.records);
  if (smoke.length === 0)
    return err(
      failure("bundle/no-smoke-tests", "no held-out case was recorded, so the bundle would have no smoke tests", "raise `evaluation.samples` in the recipe"),
    );
  const turns = measureTurns(input.renderer, input.toolset.tools, SYSTEM_PROMPT);
  const agent = agentOf(input, names);
  const unproven = input.unproven === undefined ? {} : { unproven: true };
  const notes = input.unproven === undefined ? [] : [`UNPROVEN: ${warningOf(input)}`, ...input.unproven.reasons.map((r) => `  ${r}`)];
  const tests: SmokeTests = { version: 1, model: names[0] as string, ...unproven, tests: smoke };
  const texts: Record<string, string> = {
    "tools.json": json(input.toolset),
    [OPENAI_TOOLS]: json(openAiTools(input.toolset.tools)),
    "prompt_template.json": json(promptTemplate(input, turns)),
    "agent.yaml": `${notes.map((n) => `# ${oneLine(n)}\n`).join("")}${stringify(agent, { lineWidth: 0, aliasDuplicateObjects: false })}`,
    "tests/validation.json": json(tests),
    "README.md": readme({
      agent,
      figures: input.figures,
      examplePrompt: examplePrompt(input),
      measures: input.models.map((m) => m.measured ?? {}),
      measuredHere: input.measuredHere !== false,
      spaced: input.renderer.spacing === "python",
    }),
    Modelfile: modelfile({
      name: input.name,
      modelFile: names[0] as string,
      turns,
      contextLength: input.contextLength,
      stopTokens: input.family.stop_tokens,
      notes: [...notes.map(oneLine), ...(input.renderer.spacing === "python" ? [SPACES] : [])],
    }),
    ...(input.grammar === undefined ? {} : { [GRAMMAR_FILE]: input.grammar }),
  };
  try {
    await mkdir(input.outputDir, { recursive: true });
    if ((await readdir(input.outputDir)).length > 0)
      return err(failure("bundle/folder-not-empty", "the folder for the bundle is not empty", "name another folder, or remove what is in it"));
    for (const [path, text] of Object.entries(texts)) {
      await mkdir(dirname(join(input.outputDir, path)), { recursive: true });
      await writeFile(join(input.outputDir, path), text);
    }
    for (const [i, model] of input.models.entries()) await cloneTree(model.path, join(input.outputDir, names[i] as string));
    if (input.adapter !== undefined) await cloneTree(input.adapter, join(input.outputDir, ADAPTER));
    await cloneTree(input.licensePath, join(input.outputDir, "LICENSE"));
    const manifest = await makeManifest(input.outputDir, { name: input.name, toolset_hash: input.toolset.hash, ...unproven });
    await writeFile(join(input.outputDir, MANIFEST), json(manifest));
    return ok({
      files: manifest.files.length + 1,
      bytes: manifest.files.reduce((sum, f) => sum + f.size, 0),
      smokeTests: smoke.length,
      rightSmokeTests: smoke.filter((s) => s.recorded.ok).length,
    });
  } catch (e) {
    const known = fsFailure(e, "write the bundle");
    if (known !== undefined) return err(known);
    throw e;
  }
}

const warningOf = (input: PackInput): string => (input.measuredHere === false ? WARNING_UNMEASURED : WARNING);

/** File names of the models: the first is model.gguf, the others carry their format. */
export function modelNames(formats: readonly string[]): string[] {
  if (formats.length === 0 || new Set(formats).size !== formats.length) throw new Error("a bundle needs models of different formats");
  for (const format of formats) if (!/^[a-z0-9_]{1,32}$/.test(format)) throw new Error(`no format of a model: ${format}`);
  return formats.map((format, i) => (i === 0 ? "model.gguf" : `model.${format}.gguf`));
}

/** The call that starts a source, as a person would type it; null for definitions without a server. */
function commandOf(source: ToolSource | undefined): string | null {
  if (typeof source?.stub === "string") return `forge stub ${source.stub}`;
  const { command, args = [] } = source === undefined ? {} : (toldSource(source).mcp ?? {});
  if (command === undefined) return null;
  return redact([command, ...args].map((w) => (/^[\w@%+=:,./-]+$/.test(w) ? w : `'${w.replaceAll("'", "'\\''")}'`)).join(" "));
}

/** A source as the recipe has it, what is a key or looks like one masked; secrets and settings are names there already. */
function sourceOf(source: ToolSource): NonNullable<Agent["toolset"]["sources"]>[number] {
  const policy = policyOf(source);
  const stated = JSON.parse(JSON.stringify(toldSource(source)), (_, value: unknown) => (typeof value === "string" ? redact(value) : value)) as NonNullable<
    Agent["toolset"]["sources"]
  >[number];
  return { ...stated, execute: typeof policy === "string" ? policy : [...policy] };
}

function agentOf(input: PackInput, names: readonly string[]): Agent {
  return {
    name: input.name,
    version: input.version ?? "1.0.0",
    created_at: input.createdAt,
    ...(input.unproven === undefined ? {} : { unproven: { warning: warningOf(input), reasons: [...input.unproven.reasons] } }),
    base_model: input.baseModel,
    training: input.training,
    dataset: input.dataset,
    toolset: {
      hash: input.toolset.hash,
      source: input.sources.map(originOf).join(", "),
      command: commandOf(input.sources.find((s) => commandOf(s) !== null)),
      tools: input.toolset.tools.map(({ name, description }) => ({ name, description })),
      sources: input.sources.map(sourceOf),
    },
    validation: input.validation,
    benchmark: input.benchmark,
    runtime: {
      recommended_context_length: input.contextLength,
      stop_tokens: [...input.family.stop_tokens],
      temperature: 0,
      supports_thinking: input.family.thinking !== null,
      decoding: input.decoding ?? "free",
      ...(input.grammar === undefined ? {} : { grammar: GRAMMAR_FILE }),
    },
    models: input.models.map((m, i) => ({ file: names[i] as string, format: m.format })),
    ...(input.adapter === undefined ? {} : { adapter: { file: ADAPTER, format: "lora" as const } }),
  };
}

function promptTemplate(input: PackInput, turns: Turns): PromptTemplate {
  const [open, middle, close] = turns.call;
  const name = input.toolset.tools[0]?.name ?? "";
  return {
    version: 1,
    ...(input.unproven === undefined ? {} : { unproven: true }),
    family: input.family.name,
    ...chatFamilyWords(input.family),
    chat_template: input.renderer.template,
    system_prompt: SYSTEM_PROMPT,
    tool_prompt: input.renderer.toolPrompt(input.toolset.tools),
    call_syntax: {
      call_open: CALL_OPEN,
      call_close: CALL_CLOSE,
      result_open: RESULT_OPEN,
      result_close: RESULT_CLOSE,
      example: `${open}${name}${middle}{}${close}`,
    },
    stop_tokens: [...input.family.stop_tokens],
  };
}

/** The definitions in the form that a request to OpenAI's interface carries. */
export const openAiTools = (tools: PackInput["toolset"]["tools"]): object[] =>
  tools.map(({ name, description, input_schema }) => ({ type: "function", function: { name, description, parameters: input_schema } }));

/** A request that the model answered rightly with a call, for the README. */
function examplePrompt(input: PackInput): string {
  const right = new Set(input.records.filter((r) => r.ok && r.calls.length > 0).map((r) => r.id));
  const found = input.cases.filter((c) => right.has(c.id) && c.messages.length === 1).sort((a, b) => (a.id < b.id ? -1 : 1))[0] ?? input.cases[0];
  return found?.messages.findLast((m) => m.role === "user")?.content ?? "Hello";
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
const oneLine = (text: string): string => text.replace(/\s+/g, " ");
const failure = (code: string, message: string, hint: string) => ({ code, message, hint, exit: EXIT.failed });
