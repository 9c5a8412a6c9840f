/**
 * Reads the texts of a bundle. A bundle may come from anyone: each file is bounded, parsed, checked
 * against its schema, and then against what a schema cannot say; nothing is trusted before that, and
 * whatever is wrong is a line of text.
 */

import { lstat } from "node:fs/promises";
import { parse } from "yaml";
import { createRenderer, type Renderer } from "../models/render.ts";
import { EXIT } from "../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Agent } from "../schemas/generated/agent.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { BundleManifest } from "../schemas/generated/manifest.ts";
import type { PromptTemplate } from "../schemas/generated/prompt-template.ts";
import type { RecordedOutput, SmokeTests } from "../schemas/generated/smoke-tests.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { normaliseTools, toolsetHash } from "../tools/toolset.ts";
import { chatFamilyOf } from "./chat-family.ts";
import { MANIFEST, problemsOfFiles, readText } from "./manifest.ts";

export interface BundleFiles {
  readonly manifest: BundleManifest;
  readonly agent: Agent;
  readonly toolset: Toolset;
  readonly prompt: PromptTemplate;
  readonly smoke: Pick<SmokeTests, "model" | "unproven">;
  readonly tests: readonly { readonly case: EvaluationCase; readonly recorded: RecordedOutput }[];
}

/** What could be read, and what is wrong with the rest. */
export type ReadFiles = { readonly [K in keyof BundleFiles]?: BundleFiles[K] } & { readonly problems: readonly string[] };

interface Validator {
  (data: unknown): boolean;
  errors?: { instancePath: string; message?: string }[] | null;
}

/** Whether the path is a folder; a failure that says so when not. */
export async function checkFolder(dir: string): Promise<Failure | undefined> {
  const found = await lstat(dir).catch(() => undefined);
  if (found?.isDirectory()) return undefined;
  const link = found?.isSymbolicLink() === true && (await lstat(`${dir}/.`).catch(() => undefined))?.isDirectory() === true;
  if (link) return undefined;
  const message = found === undefined ? `there is no bundle at \`${dir}\`` : `\`${dir}\` is no folder, so no bundle`;
  return { code: "bundle/not-found", message, hint: "name the folder that holds agent.yaml and model.gguf", exit: EXIT.usage };
}

/** Reads and checks every text of a bundle. */
export async function readBundle(dir: string): Promise<ReadFiles> {
  const problems: string[] = [];
  const read = async <T>(path: string, load: () => Promise<{ validate: Validator }>): Promise<T | undefined> => {
    const found = await readText(dir, path);
    if ("problem" in found) {
      problems.push(found.problem);
      return undefined;
    }
    let value: unknown;
    try {
      value = path.endsWith(".yaml") ? parse(found.text, { maxAliasCount: 0 }) : JSON.parse(found.text);
    } catch (e) {
      problems.push(`${path} cannot be parsed: ${(e as Error).message.split("\n")[0]}`);
      return undefined;
    }
    const { validate } = await load();
    if (validate(value)) return value as T; // the schema's own type: what `validate` has just proven
    for (const e of (validate.errors ?? []).slice(0, 3))
      problems.push(`${path}${e.instancePath === "" ? "" : ` at ${e.instancePath}`}: ${e.message ?? "is not valid"}`);
    return undefined;
  };

  const manifest = await read<BundleManifest>(MANIFEST, () => import("../schemas/generated/manifest.validate.js"));
  const agent = await read<Agent>("agent.yaml", () => import("../schemas/generated/agent.validate.js"));
  const toolset = await read<Toolset>("tools.json", () => import("../schemas/generated/toolset.validate.js"));
  const prompt = await read<PromptTemplate>("prompt_template.json", () => import("../schemas/generated/prompt-template.validate.js"));
  const smoke = await read<SmokeTests>("tests/validation.json", () => import("../schemas/generated/smoke-tests.validate.js"));
  const sound = toolset === undefined ? false : await checkTools(toolset, problems);
  const tests = smoke === undefined ? undefined : await checkCases(smoke.tests, problems);
  return {
    ...(manifest && { manifest }),
    ...(agent && { agent }),
    ...(toolset && sound && { toolset }),
    ...(prompt && { prompt }),
    ...(smoke && { smoke }),
    ...(tests && { tests }),
    problems,
  };
}

/** That the tools could have come from a server: names, schemas that compile, no name twice. */
async function checkTools(toolset: Toolset, problems: string[]): Promise<boolean> {
  const tools = await normaliseTools(toolset.tools, "file", "tools.json");
  if (!tools.ok) problems.push(`tools.json: ${tools.error.message}`);
  else if (toolset.tools.length === 0) problems.push("tools.json: it holds no tools");
  else if (toolsetHash(tools.value) !== toolsetHash(toolset.tools)) problems.push("tools.json: its definitions are not in their normal form");
  else return true;
  return false;
}

async function checkCases(tests: readonly { case: unknown; recorded: RecordedOutput }[], problems: string[]): Promise<BundleFiles["tests"] | undefined> {
  const { validate } = await import("../schemas/generated/case.validate.js");
  const wrong = tests.findIndex((t) => !validate(t.case));
  if (wrong < 0) return tests as BundleFiles["tests"];
  problems.push(`tests/validation.json: case ${wrong + 1} is no evaluation case`);
  return undefined;
}

/** That every place names the same tools. */
export function problemsOfToolset({ toolset, agent, manifest }: Pick<BundleFiles, "toolset" | "agent" | "manifest">): string[] {
  const problems: string[] = [];
  const hash = toolsetHash(toolset.tools);
  if (hash !== toolset.hash) problems.push("tools.json does not have the hash that it states");
  if (agent.toolset.hash !== hash) problems.push("agent.yaml names another toolset");
  if (manifest.toolset_hash !== hash) problems.push("manifest.json names another toolset");
  const stated = JSON.stringify(agent.toolset.tools.map((t) => [t.name, t.description]));
  if (stated !== JSON.stringify(toolset.tools.map((t) => [t.name, t.description]))) problems.push("agent.yaml lists other tools than tools.json");
  return problems;
}

/** Files of more bytes are not hashed each time that a bundle is used: a gigabyte takes a second or more. `verify-bundle` reads every byte. */
const HASHED_UP_TO = 1 << 30;

const FRESH_COPY = "run `forge verify-bundle` on it, and take a fresh copy from whoever made it";
const damaged = (problems: readonly string[]): Failure => ({
  code: "bundle/damaged",
  message: `the bundle cannot be used: ${problems[0]}`,
  hint: FRESH_COPY,
  details: problems.join("\n"),
  exit: EXIT.failed,
});

/**
 * The texts of a bundle that is to be used, once it is what its manifest says: no link in it, every file of the size and (up to a gibibyte)
 * the SHA-256 that are listed, the tools of the hash that is stated everywhere. A failure with everything that is wrong when it is not.
 */
export async function loadBundle(dir: string, signal?: AbortSignal): Promise<Result<BundleFiles & { readonly renderer: Renderer }>> {
  const missing = await checkFolder(dir);
  if (missing !== undefined) return err(missing);
  const { problems, manifest, agent, toolset, prompt, smoke, tests } = await readBundle(dir);
  if (problems.length > 0 || !manifest || !agent || !toolset || !prompt || !smoke || !tests) return err(damaged(problems));
  const wrong = [
    ...(await problemsOfFiles(dir, manifest, { signal, hashUpTo: HASHED_UP_TO, letBe: true })),
    ...problemsOfToolset({ manifest, agent, toolset }),
    ...agent.models.flatMap(({ file }) => (manifest.files.some((f) => f.path === file) ? [] : [`${file} is no file of the manifest`])),
  ];
  if (signal?.aborted) return err({ code: "bundle/interrupted", message: "reading the bundle was interrupted", exit: EXIT.interrupted });
  if (wrong.length > 0) return err(damaged(wrong));
  const family = chatFamilyOf(prompt);
  if (!family.ok) return family;
  return ok({ manifest, agent, toolset, prompt, smoke, tests, renderer: createRenderer(family.value) });
}
