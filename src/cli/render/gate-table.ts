/**
 * The gates of a run as a table: each figure decoding freely and with the grammar, its threshold, its n,
 * and what the untuned base reaches. Reads recorded figures; judges nothing.
 */
import type { RunOutcome } from "../../engine/apply.ts";
import type { JsonObject } from "../../platform/json.ts";
import type { Terminal } from "../terminal.ts";
import { figureBeside, table, threshold } from "../words.ts";

const HEAD = ["gate", "figure", "free", "constrained", "threshold", "n", "base"] as const;
const FREE = 2;
const CONSTRAINED = 3;

/** What the table needs of a run (or of the records of earlier ones). */
export interface GateFigures {
  readonly gates: RunOutcome["gates"];
  readonly nodes: readonly { readonly id: string; readonly figures: JsonObject }[];
}

/** The table as cells; undefined when no gate was judged. */
export function gateRows(run: GateFigures): { head: readonly string[]; rows: { cells: string[]; passed: boolean }[] } | undefined {
  const rows: string[][] = [];
  const passed: boolean[] = [];
  const of = (id: string): JsonObject => run.nodes.find((n) => n.id === id)?.figures ?? {};
  for (const gate of run.gates) {
    const figures = of(gate.stage);
    // Held to the grammar, and the untuned base: the benchmark of the same format measures both.
    const beside = of(gate.stage.replace(/^[^:]*/, "benchmark"));
    const baseline = of(gate.stage.replace(/^[^:]*/, "baseline"));
    for (const verdict of gate.verdicts) {
      const free = read(figures, verdict.figure);
      const constrained = first(read(figures, `constrained_${verdict.figure}`), read(beside, `constrained_${verdict.figure}`));
      const base = first(read(beside, `base_${verdict.figure}`), read(baseline, verdict.figure));
      rows.push([
        `${verdict.passed ? "✓" : "✗"} ${gate.stage}`,
        verdict.figure,
        figureBeside(free.value === undefined ? verdict.value : free.value, verdict.threshold),
        figureBeside(constrained.value, verdict.threshold),
        threshold(verdict.threshold),
        free.n === undefined ? "-" : String(free.n),
        figureBeside(base.value, verdict.threshold),
      ]);
      passed.push(verdict.passed);
    }
  }
  return rows.length === 0 ? undefined : { head: HEAD, rows: rows.map((cells, i) => ({ cells, passed: passed[i] === true })) };
}

/** The lines of the table; none when no gate was judged. */
export function gateTable(run: GateFigures, terminal: Pick<Terminal, "paint">): string[] {
  const found = gateRows(run);
  if (found === undefined) return [];
  const { paint } = terminal;
  const passed = found.rows.map((r) => r.passed);
  return table([[...HEAD], ...found.rows.map((r) => r.cells)], {
    left: [1],
    paint: (cell, row, column) =>
      row === 0 ? paint("dim", cell) : passed[row - 1] === false && (column <= FREE || column === CONSTRAINED) ? paint("red", cell) : cell,
  });
}

const first = (a: Figure, b: Figure): Figure => (a.value === undefined ? b : a);

interface Figure {
  readonly value?: number | null;
  readonly n?: number;
}

/** A figure is a plain number, or a rate with its n. */
function read(figures: JsonObject, name: string): Figure {
  const raw = figures[name];
  if (typeof raw === "number" || raw === null) return { value: raw };
  if (raw === undefined || typeof raw !== "object") return {};
  const { value, n } = raw as { readonly value?: unknown; readonly n?: unknown };
  return { value: typeof value === "number" ? value : null, n: typeof n === "number" ? n : undefined };
}
