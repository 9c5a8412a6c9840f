/**
 * The graph of nodes: who comes before whom.
 * Guarantees: a graph that exists is sound (unique ids, every reference leads to a node and output that exist, no
 * circle); its order is topological, and among equals the order in which the nodes were given.
 */
import { EXIT } from "../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { NodeDefinition } from "./stage.ts";

export interface Graph {
  /** In an order in which they could run one by one. */
  readonly nodes: readonly NodeDefinition[];
  readonly byId: ReadonlyMap<string, NodeDefinition>;
  /** Ids of the nodes directly before each: inputs, `after`, a gate's stage. Without repeats. */
  readonly before: ReadonlyMap<string, readonly string[]>;
}

function directlyBefore(node: NodeDefinition): string[] {
  const ids = new Set(Object.values(node.inputs).map((i) => i.stage));
  for (const id of node.after ?? []) ids.add(id);
  if (node.kind === "gate") ids.add(node.stage);
  return [...ids];
}

/** Builds the graph. Throws on an unsound one: the nodes come from our own code. */
export function buildGraph(nodes: readonly NodeDefinition[]): Graph {
  const byId = new Map<string, NodeDefinition>();
  for (const node of nodes) {
    if (byId.has(node.id)) throw new Error(`two nodes are called ${node.id}`);
    byId.set(node.id, node);
  }
  for (const node of nodes) check(node, byId);
  const before = new Map(nodes.map((n) => [n.id, directlyBefore(n)]));
  return { nodes: sort(nodes, before), byId, before };
}

function check(node: NodeDefinition, byId: ReadonlyMap<string, NodeDefinition>): void {
  for (const [name, input] of Object.entries(node.inputs)) {
    const source = byId.get(input.stage);
    if (source?.kind !== "stage") throw new Error(`${node.id}: input ${name} comes from ${input.stage}, which is no stage`);
    if (!Object.hasOwn(source.outputs, input.output))
      throw new Error(`${node.id}: input ${name} wants ${input.stage}'s output ${input.output}, which it has not`);
  }
  for (const id of node.after ?? []) if (!byId.has(id)) throw new Error(`${node.id} comes after ${id}, which does not exist`);
  if (node.kind === "gate" && byId.get(node.stage)?.kind !== "stage") throw new Error(`${node.id} judges ${node.stage}, which is no stage`);
  if (node.kind === "stage")
    for (const name of Object.keys(node.reports ?? {}))
      if (Object.hasOwn(node.outputs, name)) throw new Error(`${node.id}: ${name} is both an output and a report`);
  if (node.kind === "stage")
    for (const name of Object.keys(node.files ?? {})) if (Object.hasOwn(node.inputs, name)) throw new Error(`${node.id}: ${name} is both an input and a file`);
}

/** Kahn's algorithm, always taking the earliest given node that is free. */
function sort(nodes: readonly NodeDefinition[], before: ReadonlyMap<string, readonly string[]>): NodeDefinition[] {
  const done = new Set<string>();
  const out: NodeDefinition[] = [];
  let rest = [...nodes];
  while (rest.length > 0) {
    const held: NodeDefinition[] = [];
    for (const node of rest) {
      if (before.get(node.id)?.every((id) => done.has(id))) {
        done.add(node.id);
        out.push(node);
      } else held.push(node);
    }
    if (held.length === rest.length) throw new Error(`these nodes wait for each other: ${held.map((n) => n.id).join(", ")}`);
    rest = held;
  }
  return out;
}

/** Ids that a user's word means: a node, or every instance of it (`export` means `export:q8_0` and `export:q4_k_m`). */
export function matching(graph: Graph, word: string): Result<string[]> {
  const ids = graph.nodes.map((n) => n.id).filter((id) => id === word || id.startsWith(`${word}:`));
  if (ids.length > 0) return ok(ids);
  const known = graph.nodes.map((n) => n.id).join(", ");
  return err({ code: "engine/unknown-node", message: `there is no stage called ${JSON.stringify(word)}`, hint: `choose one of ${known}`, exit: EXIT.usage });
}

/** The part of the graph that is needed to reach what `word` means; the whole graph without a word. */
export function upTo(graph: Graph, word: string | undefined): Result<Graph> {
  if (word === undefined) return ok(graph);
  const goals = matching(graph, word);
  if (!goals.ok) return goals;
  const needed = new Set<string>();
  const visit = (id: string): void => {
    if (needed.has(id)) return;
    needed.add(id);
    for (const b of graph.before.get(id) ?? []) visit(b);
  };
  goals.value.forEach(visit);
  return ok(buildGraph(graph.nodes.filter((n) => needed.has(n.id))));
}

/** The only nodes that may run, where `--only` names some. */
export function onlyNodes(graph: Graph, word: string | undefined): Result<ReadonlySet<string> | undefined> {
  if (word === undefined) return ok(undefined);
  const ids = matching(graph, word);
  return ids.ok ? ok(new Set(ids.value)) : ids;
}

/**
 * What runs though its record stands, and why: what the words of `--force` mean, `--from` (that node and everything after it), and what
 * was found out beside the engine.
 * @param whole in which names are looked up
 * @param graph the part of it that this run is about; a name of which nothing is in it is refused
 */
export function forcedNodes(
  whole: Graph,
  graph: Graph,
  o: {
    readonly force?: readonly string[];
    readonly from?: string;
    readonly because?: ReadonlyMap<string, readonly string[]>;
    readonly until?: string;
    readonly only?: string;
  },
): Result<ReadonlyMap<string, readonly string[]>> {
  const within = (word: string): Result<string[]> => {
    const ids = matching(whole, word);
    if (!ids.ok) return ids;
    const inside = ids.value.filter((id) => graph.byId.has(id));
    return inside.length > 0 ? ok(inside) : err(beyond(word, o));
  };
  const ids = forcedIds(graph, within, o.force, o.from);
  if (!ids.ok) return ids;
  const found = new Map([...ids.value].map((id): [string, readonly string[]] => [id, ["forced"]]));
  for (const [id, reasons] of o.because ?? []) if (graph.byId.has(id)) found.set(id, [...reasons, ...(found.get(id) ?? [])]);
  return ok(found);
}

const beyond = (word: string, o: { readonly until?: string; readonly only?: string }): Failure => ({
  code: "engine/beyond-end",
  message: `${word} lies beyond ${o.only ?? o.until}, where this run ends`,
  hint: `name a stage that comes before that; \`forge apply\` comes to ${word} without --until and --only`,
  exit: EXIT.usage,
});

function forcedIds(graph: Graph, within: (word: string) => Result<string[]>, words: readonly string[] = [], from?: string): Result<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const word of words) {
    const found = within(word);
    if (!found.ok) return found;
    for (const id of found.value) ids.add(id);
  }
  if (from === undefined) return ok(ids);
  const first = within(from);
  if (!first.ok) return first;
  const after = new Set(first.value);
  // Nodes stand in an order in which they could run: whatever is after one of these comes later.
  for (const { id } of graph.nodes) if (graph.before.get(id)?.some((b) => after.has(b))) after.add(id);
  for (const id of after) ids.add(id);
  return ok(ids);
}
