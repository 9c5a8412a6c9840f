/**
 * One node of a plan in full (`forge why`), and the whole graph as a picture (`forge graph`). Pure.
 */

import { ok, type Result } from "../platform/result.ts";
import { type Graph, matching } from "./graph.ts";
import type { LastState } from "./inspect.ts";
import type { Plan, PlanNode } from "./plan.ts";

export interface Explanation extends PlanNode {
  /** What it reads from other stages, with what the plan says of those. */
  readonly reads: readonly { readonly input: string; readonly stage: string; readonly status: string; readonly reasons: readonly string[] }[];
  /** Nodes that must have finished, or agreed, before it, and from which it reads nothing. */
  readonly after: readonly string[];
  /** Paths in the recipe that it reads: a change of any of them runs it. */
  readonly recipe: readonly string[];
  /** Names of files of the user's that it reads. */
  readonly files: readonly string[];
  /** Nodes that read from it or wait for it. */
  readonly before: readonly string[];
  /** Its last result: when its record was first published (running again with the same fingerprint keeps that time), and what the last run took; null where there is none, and for gates. */
  readonly last: { readonly at: string; readonly seconds: number; readonly summary: string } | null;
}

/** Everything about what `word` means (a node, or every instance of it). Fails (exit 4) on a word that is no node. */
export function explain(graph: Graph, plan: Plan, last: LastState, word: string): Result<Explanation[]> {
  const ids = matching(graph, word);
  if (!ids.ok) return ids;
  const planned = new Map(plan.nodes.map((n) => [n.id, n]));
  return ok(
    ids.value.flatMap((id) => {
      const node = graph.byId.get(id);
      const own = planned.get(id);
      if (node === undefined || own === undefined) return [];
      const inputs = Object.entries(node.inputs);
      const sources = new Set(inputs.map(([, i]) => i.stage));
      const record = last.stages.get(id);
      return [
        {
          ...own,
          reads: inputs.map(([input, { stage }]) => ({
            input,
            stage,
            status: planned.get(stage)?.status ?? "cached",
            reasons: planned.get(stage)?.reasons ?? [],
          })),
          after: (graph.before.get(id) ?? []).filter((b) => !sources.has(b)),
          recipe: Object.keys(node.recipe).sort(),
          files: node.kind === "stage" ? Object.values(node.files ?? {}).sort() : [],
          before: graph.nodes.filter((n) => graph.before.get(n.id)?.includes(id)).map((n) => n.id),
          last: record === undefined ? null : { at: record.createdAt, seconds: record.seconds, summary: record.summary },
        },
      ];
    }),
  );
}

export const GRAPH_FORMATS = ["text", "mermaid", "dot"] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];

/** The graph in a notation: a line a node with what comes before it, or for mermaid or Graphviz to draw. */
export function drawGraph(graph: Graph, format: GraphFormat): string {
  const before = (id: string): readonly string[] => graph.before.get(id) ?? [];
  if (format === "text") {
    const width = Math.max(0, ...graph.nodes.map((n) => n.id.length));
    return graph.nodes.map((n) => `${n.id.padEnd(width)}  ${before(n.id).length === 0 ? "" : `after ${before(n.id).join(", ")}`}`.trimEnd()).join("\n");
  }
  // Ids have colons and may have quotes: nodes get numbers, and their ids become labels.
  const number = new Map(graph.nodes.map((n, i) => [n.id, `n${i}`]));
  const label = (id: string): string => id.replace(/["\\\n\r]/g, " ");
  const edges = graph.nodes.flatMap((n) => before(n.id).map((b) => [number.get(b), number.get(n.id)] as const));
  if (format === "mermaid")
    return [
      "flowchart LR",
      ...graph.nodes.map((n) => `  ${number.get(n.id)}${n.kind === "gate" ? `{{"${label(n.id)}"}}` : `["${label(n.id)}"]`}`),
      ...edges.map(([a, b]) => `  ${a} --> ${b}`),
    ].join("\n");
  return [
    "digraph {",
    "  rankdir=LR;",
    ...graph.nodes.map((n) => `  ${number.get(n.id)} [label="${label(n.id)}", shape=${n.kind === "gate" ? "diamond" : "box"}];`),
    ...edges.map(([a, b]) => `  ${a} -> ${b};`),
    "}",
  ].join("\n");
}
