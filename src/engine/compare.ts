/**
 * What differs between two states of a recipe's lockfile: nodes, figures, verdicts. Pure.
 */
import { canonicalJson } from "../platform/json.ts";
import type { LockNode, LockSection } from "./lockfile.ts";

export interface FigureChange {
  readonly figure: string;
  /** null: was not (or is not) measured. */
  readonly before: number | null;
  readonly after: number | null;
}

export interface NodeChange {
  readonly id: string;
  /** `made`: asked for something else, or made by another version, with what came of it; `same-request`: asked for the same, with another outcome. */
  readonly change: "added" | "removed" | "made" | "same-request";
  /** Versions of the node's code, where they differ. */
  readonly version?: { readonly before: number; readonly after: number };
  /** Names of outputs whose bytes differ. */
  readonly outputs: readonly string[];
  readonly figures: readonly FigureChange[];
  /** A gate's verdicts, where they differ. */
  readonly passed?: { readonly before: boolean | null; readonly after: boolean | null };
}

/** The nodes that differ, in the order of `order` (others after them). */
export function compareSections(before: LockSection, after: LockSection, order: readonly string[] = []): NodeChange[] {
  const rank = (id: string): number => (order.includes(id) ? order.indexOf(id) : order.length);
  const ids = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return ids.flatMap((id): NodeChange[] => {
    const [x, y] = [own(before, id), own(after, id)];
    if (x !== undefined && y !== undefined && canonicalJson(x) === canonicalJson(y)) return [];
    const outputs = names(x?.outputs, y?.outputs).filter((n) => x?.outputs?.[n] !== y?.outputs?.[n]);
    const figures = names(x?.figures, y?.figures).flatMap((n) => {
      const [a, b] = [figureOf(x, n), figureOf(y, n)];
      return a === b ? [] : [{ figure: n, before: a, after: b }];
    });
    const passed = { before: x?.passed ?? null, after: y?.passed ?? null };
    const version = x === undefined || y === undefined || x.version === y.version ? undefined : { before: x.version, after: y.version };
    const change = x === undefined ? "added" : y === undefined ? "removed" : x.key !== y.key || x.version !== y.version ? "made" : "same-request";
    return [{ id, change, ...(version && { version }), outputs, figures, ...(passed.before === passed.after ? {} : { passed }) }];
  });
}

const own = (section: LockSection, id: string): LockNode | undefined => (Object.hasOwn(section, id) ? section[id] : undefined);
const names = (a: object | undefined, b: object | undefined): string[] => [...new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])].sort();

/** A figure is a number, or `{value, n, …}`. */
function figureOf(node: LockNode | undefined, name: string): number | null {
  const figure = (node?.figures as Record<string, unknown> | undefined)?.[name];
  const value = figure !== null && typeof figure === "object" && "value" in figure ? figure.value : figure;
  return typeof value === "number" ? value : null;
}
