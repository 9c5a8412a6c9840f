/**
 * Checks an Agent Bundle: every byte against the manifest, every text against its schema, the texts
 * against each other and against this program's own rendering; then, when asked to go deep, loads each
 * model in llama.cpp and runs the smoke tests. Each check is one line, as data.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { runLoops } from "../evaluation/loop.ts";
import { openLlama } from "../models/llama/client.ts";
import { SYSTEM_PROMPT } from "../models/prompt.ts";
import { createRenderer } from "../models/render.ts";
import { EXIT } from "../platform/exit.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { chatFamilyOf } from "./chat-family.ts";
import { problemsOfFiles, readText } from "./manifest.ts";
import { templateCommand } from "./modelfile.ts";
import { openAiTools } from "./pack.ts";
import { type BundleFiles, checkFolder, problemsOfToolset, readBundle } from "./read.ts";
import { SMOKE_LEAST } from "./smoke.ts";
import { measureTurns } from "./turns.ts";
import { type BundleCheck, OPENAI_TOOLS, type VerifyOutcome } from "./types.ts";

export interface VerifyOptions {
  /** Load the models and run the smoke tests. Default true. */
  readonly deep?: boolean;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onCheck?: (check: BundleCheck) => void;
  /** How a model is loaded; for tests. */
  readonly openEngine?: typeof openLlama;
}

const INTERRUPTED = { code: "bundle/interrupted", message: "the check was interrupted", exit: EXIT.interrupted } as const;
const NOT_AS_RECORDED = "the model does not do what was recorded: check the llama.cpp version, or make the bundle again";
const FRESH = "take a fresh copy from whoever made the bundle";

/** Runs every check. A failure only where there is no bundle to check, or on interruption. */
export async function verifyBundle(dir: string, o: VerifyOptions = {}): Promise<Result<VerifyOutcome>> {
  const missing = await checkFolder(dir);
  if (missing !== undefined) return err(missing);
  const checks: BundleCheck[] = [];
  const add = (check: string, problems: readonly string[], good: string, hint = FRESH): boolean => {
    const passed = problems.length === 0;
    const more = problems.length > 3 ? ` (and ${problems.length - 3} more)` : "";
    const result = { check, passed, message: passed ? good : problems.slice(0, 3).join("; ") + more, ...(passed ? {} : { hint }) };
    checks.push(result);
    o.onCheck?.(result);
    return passed;
  };
  const files = await readBundle(dir);
  const { manifest, agent, toolset, prompt, smoke, tests } = files;
  const unproven = manifest?.unproven === true || agent?.unproven !== undefined;

  if (manifest === undefined)
    add(
      "manifest",
      files.problems.filter((p) => p.startsWith("manifest.json")),
      "",
    );
  else {
    add("manifest", [], `${manifest.files.length} files listed`);
    const wrong = await problemsOfFiles(dir, manifest, { signal: o.signal });
    if (o.signal?.aborted) return err(INTERRUPTED);
    add("files", wrong, "every file is there and has its SHA-256");
  }
  add(
    "schema",
    files.problems.filter((p) => !p.startsWith("manifest.json")),
    "every text is valid",
  );
  if (!manifest || !agent || !toolset || !prompt || !smoke || !tests) return ok({ passed: false, checks, unproven });
  const whole: BundleFiles = { manifest, agent, toolset, prompt, smoke, tests };
  add("names", problemsOfNames(whole), `${agent.name}, made from ${agent.base_model.name}`);
  add(
    "toolset",
    [...problemsOfToolset(whole), ...(await problemsOfOpenAiTools(dir, whole))],
    `${toolset.tools.length} tools, ${toolset.hash.slice(0, 19)}`,
    "the tools were changed after training: make a new model for them",
  );
  add(
    "template",
    await problemsOfTemplate(dir, whole),
    "the prompt is written as in training",
    "use the version of MCP-Forge that made the bundle, or make it again",
  );
  const licence = await readText(dir, "LICENSE");
  add("licence", "problem" in licence ? [licence.problem] : licence.text.trim() === "" ? ["LICENSE is empty"] : [], "the base model's licence is there");
  const models = await problemsOfModels(dir, whole);
  if (!add("model", models, `${agent.models.map((m) => `${m.file} (${m.format})`).join(", ")}`)) return ok({ passed: false, checks, unproven });

  // A model that is not the listed one is not loaded.
  if (o.deep !== false && checks.every((c) => c.passed || c.check === "template")) {
    for (const model of agent.models) {
      if (o.signal?.aborted) return err(INTERRUPTED);
      const problems = await smokeTest(join(dir, model.file), whole, o);
      if (!problems.ok) {
        if (problems.error.exit === EXIT.interrupted) return problems;
        add("load", [`${model.file}: ${problems.error.message}`], "", problems.error.hint ?? FRESH);
        continue;
      }
      add("load", [], `${model.file} loads in llama.cpp`);
      const { wrong, due } = problems.value;
      // What is recorded as wrong may stay so: the recipe's gates let it pass. But nobody is to read "all right" where nothing was asked.
      const none = `${model.file}: the smoke tests prove nothing, the model got none of them right when it was packed`;
      add("smoke", wrong, due === 0 ? none : `${model.file}: ${due} of ${due} smoke tests right`, NOT_AS_RECORDED);
    }
  }
  return ok({ passed: checks.every((c) => c.passed), checks, unproven });
}

/** That every place names the same bundle, base model and model file, and says alike whether a gate said no. */
function problemsOfNames({ agent, manifest, prompt, smoke }: BundleFiles): string[] {
  const problems: string[] = [];
  const { family: stated, name } = agent.base_model;
  if (agent.name !== manifest.name) problems.push("agent.yaml and manifest.json name different bundles");
  if (stated !== undefined && stated !== prompt.family) problems.push("agent.yaml and prompt_template.json name different families of models");
  const family = chatFamilyOf(prompt);
  const title = family.ok ? family.value.title : undefined;
  if (title !== undefined && title !== name) problems.push(`agent.yaml names another base model than ${title}, which the prompt is written for`);
  if (smoke.model !== agent.models[0]?.file) problems.push("agent.yaml and tests/validation.json name different models");
  const unproven = agent.unproven !== undefined;
  for (const [file, says] of [
    ["manifest.json", manifest.unproven],
    ["prompt_template.json", prompt.unproven],
    ["tests/validation.json", smoke.unproven],
  ] as const)
    if ((says === true) !== unproven)
      problems.push(`${unproven ? "agent.yaml" : file} says that the bundle is unproven, ${unproven ? file : "agent.yaml"} does not`);
  return problems;
}

/** That requests carry the tools that the model knows; bundles of earlier versions have no file for them. */
async function problemsOfOpenAiTools(dir: string, { toolset, manifest }: BundleFiles): Promise<string[]> {
  if (!manifest.files.some((f) => f.path === OPENAI_TOOLS)) return [];
  const read = await readText(dir, OPENAI_TOOLS);
  if ("problem" in read) return [read.problem];
  try {
    if (isDeepStrictEqual(JSON.parse(read.text), JSON.parse(JSON.stringify(openAiTools(toolset.tools))))) return [];
  } catch {
    // Said below.
  }
  return [`${OPENAI_TOOLS} has other tools than tools.json`];
}

/** That this program would write the same prompt. */
async function problemsOfTemplate(dir: string, { prompt, toolset, agent }: BundleFiles): Promise<string[]> {
  const family = chatFamilyOf(prompt);
  if (!family.ok) return [family.error.message];
  const renderer = createRenderer(family.value);
  const problems: string[] = [];
  if (prompt.chat_template !== renderer.template) problems.push("the chat template is not this version's");
  if (prompt.tool_prompt !== renderer.toolPrompt(toolset.tools)) problems.push("the tool prompt is not what the tools render to");
  if (prompt.system_prompt !== SYSTEM_PROMPT) problems.push("the system prompt is another");
  if (prompt.stop_tokens.join() !== agent.runtime.stop_tokens.join()) problems.push("agent.yaml and prompt_template.json name different stop tokens");
  if (agent.runtime.supports_thinking !== (renderer.thinking !== undefined))
    problems.push(
      `agent.yaml says that the model ${agent.runtime.supports_thinking ? "thinks, and its chat template lets it not" : "does not think, and its chat template lets it"}`,
    );
  const modelfile = await readText(dir, "Modelfile");
  if ("problem" in modelfile) problems.push(modelfile.problem);
  else if (!modelfile.text.includes(templateCommand(measureTurns(renderer, toolset.tools, SYSTEM_PROMPT))))
    problems.push("the Modelfile's template is not the tools' prompt");
  return problems;
}

/** That every model is a listed file and a GGUF. */
async function problemsOfModels(dir: string, { agent, manifest }: BundleFiles): Promise<string[]> {
  const listed = new Set(manifest.files.map((f) => f.path));
  const problems: string[] = [];
  for (const { file } of [...agent.models, ...(agent.adapter === undefined ? [] : [agent.adapter])]) {
    if (!listed.has(file)) problems.push(`${file.slice(0, 100)} is no file of the manifest`);
    else if (!(await isGguf(join(dir, file)))) problems.push(`${file} is no GGUF file`);
  }
  return problems;
}

async function isGguf(path: string): Promise<boolean> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
      return bytesRead === 4 && buffer.toString("latin1") === "GGUF";
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

/**
 * The first turn of every smoke test. One that the model got right when it was recorded must be right
 * again; one that it got wrong then is shown in the bundle and proves nothing.
 */
async function smokeTest(model: string, files: BundleFiles, o: VerifyOptions): Promise<Result<{ wrong: string[]; due: number }>> {
  const family = chatFamilyOf(files.prompt);
  if (!family.ok) return family;
  const due = files.tests.filter((t) => t.recorded.ok);
  const engine = await (o.openEngine ?? openLlama)({
    model,
    sequences: Math.min(4, Math.max(1, due.length)),
    ...(o.threads === undefined ? {} : { threads: o.threads }),
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  });
  if (!engine.ok) return engine;
  try {
    const records = await runLoops({
      engine: engine.value,
      renderer: createRenderer(family.value),
      toolset: files.toolset,
      cases: due.map((t) => t.case),
      session: null,
      firstTurnOnly: true,
      decoding: files.agent.runtime.decoding ?? "free",
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    if (!records.ok) return records;
    const wrong = records.value.filter((r) => !r.ok).map((r) => `${r.id}: ${r.judgement.reasons[0] ?? "not as expected"}`);
    if (files.tests.length < SMOKE_LEAST) wrong.push(`only ${files.tests.length} smoke tests are there`);
    return ok({ wrong, due: due.length });
  } finally {
    await engine.value.close();
  }
}
