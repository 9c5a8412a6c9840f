/**
 * The gates of a run as a table: each figure decoding freely and with the grammar, its threshold, its n,
 * and what the untuned base reaches. Reads recorded figures; judges nothing.
 */
import type { RunOutcome } from "../../engine/apply.ts";
import type { JsonObject } from "../../platform/json.ts";
import type { Terminal } from "../terminal.ts";
import { figure, table } from "../words.ts";

const HEAD = ["gate", "figure", "free", "constrained", "threshold", "n", "base"] as const;
const FREE = 2;
const CONSTRAINED = 3;

/** What the table needs of a run (or of the records of earlier ones). */
export interface GateFigures {
  readonly gates: RunOutcome["gates"];
  readonly nodes: readonly { readonly id: string; readonly figures: JsonObject }[];
}

/** The lines of the table; none when no gate was judged. */
export function gateTable(run: GateFigures, terminal: Pick<Terminal, "paint">): string[] {
  const rows: string[][] = [];
  const passed: boolean[] = [];
  const baseline = run.nodes.find((n) => n.id === "baseline")?.figures ?? {};
  for (const gate of run.gates) {
    const figures = run.nodes.find((n) => n.id === gate.stage)?.figures ?? {};
    for (const verdict of gate.verdicts) {
      const free = read(figures, verdict.figure);
      const constrained = read(figures, `constrained_${verdict.figure}`);
      const base = read(baseline, verdict.figure);
      rows.push([
        `${verdict.passed ? "✓" : "✗"} ${gate.stage}`,
        verdict.figure,
        figure(free.value ?? verdict.value),
        figure(constrained.value),
        figure(verdict.threshold),
        free.n === undefined ? "-" : String(free.n),
        figure(base.value),
      ]);
      passed.push(verdict.passed);
    }
  }
  if (rows.length === 0) return [];
  const { paint } = terminal;
  return table([[...HEAD], ...rows], {
    left: [1],
    paint: (cell, row, column) =>
      row === 0 ? paint("dim", cell) : passed[row - 1] === false && (column <= FREE || column === CONSTRAINED) ? paint("red", cell) : cell,
  });
}

/** A figure is a plain number, or a rate with its n. */
function read(figures: JsonObject, name: string): { readonly value?: number | null; readonly n?: number } {
  const raw = figures[name];
  if (typeof raw === "number" || raw === null) return { value: raw };
  if (raw === undefined || typeof raw !== "object") return {};
  const { value, n } = raw as { readonly value?: unknown; readonly n?: unknown };
  return { value: typeof value === "number" ? value : null, n: typeof n === "number" ? n : undefined };
}
