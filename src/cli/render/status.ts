/** Where a recipe stands, in words: one line a node, then the gates' figures, then the bundle. */
import type { NodeStatus, StatusReport } from "../../stages/status.ts";
import type { Style, Terminal } from "../terminal.ts";
import { bytes, duration, table } from "../words.ts";
import { gateTable } from "./gate-table.ts";
import { shortPath } from "./path.ts";
import { unfinishedWords } from "./phrases.ts";

/** @param terminal decides the colours, and how much of a summary fits */
export function statusWords(status: StatusReport, terminal: Pick<Terminal, "paint">): string {
  const { paint } = terminal;
  const rows = status.nodes.filter((n) => n.kind === "stage").map((n) => ({ node: n, cells: cells(n) }));
  const aligned = table(
    rows.map((r) => r.cells),
    { left: [1, 4] },
  );
  const lines = [`${paint("bold", status.name)}${status.variant === null ? "" : ` (variant ${status.variant})`}: ${standing(status, paint)}`, ""];
  for (const [i, line] of aligned.entries()) lines.push(paint(styleOf(rows[i]?.node), line));
  const gates = status.nodes
    .filter((n) => n.verdicts !== undefined)
    .map((n) => ({ id: n.id, stage: n.id.replace(/^gate:/, ""), passed: n.passed === true, verdicts: n.verdicts ?? [], advice: [] }));
  const figures = gateTable({ gates, nodes: status.nodes }, terminal);
  if (figures.length > 0) lines.push("", ...figures);
  const { path, present, current } = status.bundle;
  lines.push("", `bundle   ${shortPath(path)}${present ? (current ? "" : " (not what this recipe packed last)") : " (not there yet)"}`);
  if (status.lastRun !== null) lines.push(`last run ${shortPath(status.lastRun)}`);
  return `${lines.join("\n")}\n`;
}

function standing({ upToDate, refused, nodes }: StatusReport, paint: Terminal["paint"]): string {
  if (upToDate) return paint("green", "up to date");
  if (refused.length > 0 && !nodes.some((n) => n.plan === "run" || n.plan === "maybe")) return paint("red", `refused by ${refused.join(", ")}`);
  return paint("yellow", "an apply has work to do (forge plan says why)");
}

function cells(node: NodeStatus): string[] {
  const { unfinished } = node;
  const state = unfinished?.state ?? (node.at === null ? "never ran" : node.plan === "cached" ? "done" : "outdated");
  if (unfinished !== null) return [`~ ${node.id}`, state, "", "", unfinishedWords(unfinished)];
  return [
    `${state === "done" ? "✓" : state === "outdated" ? "~" : "-"} ${node.id}`,
    state,
    node.seconds === null ? "" : duration(node.seconds),
    node.bytes === null ? "" : bytes(node.bytes),
    node.at === null ? "" : `${node.at.slice(0, 16).replace("T", " ")} UTC  ${node.summary ?? ""}`.trimEnd(),
  ];
}

const styleOf = (node: NodeStatus | undefined): Style =>
  node === undefined || (node.at === null && node.unfinished === null) ? "dim" : node.plan === "cached" ? "green" : "yellow";
