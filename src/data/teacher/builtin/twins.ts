/**
 * Tools that the same words fit: `read_file` and `read_text_file`, `list_directory` and `list_directory_with_sizes`. What tells
 * a tool from its twins has to be in most of its requests, and where it is not, either call is right.
 */

import { singular, splitName } from "./english.ts";
import type { ToolModel } from "./model.ts";
import type { World } from "./world.ts";

/** Tools of the same class that need the same arguments and work on the same kind of thing. */
export function twinsOf(model: ToolModel, world: World): ToolModel[] {
  const mine = signature(model);
  const head = lastWord(model);
  return world.tools.filter(
    (t) => t !== model && t.cls === model.cls && signature(t) === mine && (lastWord(t) === head || (t.domains.length > 0 && t.domains[0] === model.domains[0])),
  );
}

const lastWord = (t: ToolModel) =>
  singular(t.objects[0] ?? "")
    .split(" ")
    .at(-1) ?? "";
const signature = (t: ToolModel) =>
  t.params
    .filter((p) => p.property.required)
    .map((p) => `${p.property.name}:${p.property.type}`)
    .sort()
    .join(",");

const FILLERS = new Set("get list read search find with by for of the a and in to from tool api show fetch check by".split(" "));

/** Words of the tool's name that none of its twins has; empty when it is the plain one of them. */
export function tellingWords(model: ToolModel, twins: readonly ToolModel[]): string[] {
  const theirs = new Set(twins.flatMap((t) => splitName(t.tool.name)).map(singular));
  return splitName(model.tool.name)
    .map(singular)
    .filter((w) => !theirs.has(w) && !FILLERS.has(w) && !/^\d+$/.test(w));
}

/** Whether a request says one of the words. */
export const says = (text: string, words: readonly string[]): boolean => {
  const said = new Set((text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map(singular));
  return words.some((w) => said.has(w));
};

/** The twins that the request fits too; `unclear` while there is a chance of a wording that tells the tool apart. */
export function clearOf(twins: readonly ToolModel[], model: ToolModel, text: string, turn: number): readonly ToolModel[] | "unclear" {
  if (twins.length === 0) return [];
  const own = tellingWords(model, twins);
  if (own.length > 0 && says(text, own)) return [];
  if (own.length > 0 && turn < 40) return "unclear";
  return twins.filter((t) => !says(text, tellingWords(t, [model, ...twins.filter((x) => x !== t)])));
}
