/** Helpers for the tests of recipes: a recipe in a folder of its own, and its failures in short. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Failure, Result } from "../../src/platform/result.ts";
import { type LoadedRecipe, type LoadOptions, loadRecipe } from "../../src/recipe/load.ts";

/** A recipe that is fine; tests change one thing. */
export const GOOD = "version: 1\nname: weather-expert\ntools:\n  - stub: weather\n";

/** A folder that is a project of its own and is gone after the test. */
export function tempProject(): string {
  const dir = mkdtempSync(join(tmpdir(), "forge-recipe-"));
  mkdirSync(join(dir, ".git"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Writes a recipe into a folder of its own and loads it. */
export function load(text: string | Buffer, options: LoadOptions & { files?: Record<string, string> } = {}): Promise<Result<LoadedRecipe, Failure[]>> {
  const dir = tempProject();
  for (const [name, content] of Object.entries(options.files ?? {})) writeFileSync(join(dir, name), content);
  writeFileSync(join(dir, "forge.yaml"), text);
  return loadRecipe(join(dir, "forge.yaml"), { env: {}, ...options });
}

/** Loads a recipe that must be good. */
export async function loadGood(text: string, options: LoadOptions & { files?: Record<string, string> } = {}): Promise<LoadedRecipe> {
  const result = await load(text, options);
  if (!result.ok) throw new Error(`expected a good recipe, got: ${result.error.map((f) => f.message).join("; ")}`);
  return result.value;
}

/** The failures of a recipe that must be bad, each as `code line:column|length`. */
export async function complaints(text: string | Buffer, options: LoadOptions & { files?: Record<string, string> } = {}): Promise<string[]> {
  const result = await load(text, options);
  return result.ok ? [] : result.error.map((f) => `${f.code.replace("recipe/", "")} ${f.place?.line}:${f.place?.column}|${f.place?.length ?? 1}`);
}

/** The one failure of a recipe that must have exactly one. */
export async function only(text: string | Buffer, options: LoadOptions & { files?: Record<string, string> } = {}): Promise<Failure> {
  const result = await load(text, options);
  if (result.ok) throw new Error("expected a failure");
  const [first, second] = result.error;
  if (first === undefined || second !== undefined) throw new Error(`expected one failure, got: ${result.error.map((f) => f.message).join("; ")}`);
  return first;
}
