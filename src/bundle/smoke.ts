/**
 * Chooses the smoke tests of a bundle: a few held-out cases, spread over scenarios and tools, that the
 * packed model got right. Where too few are right, wrong ones fill up and are recorded as such, so that
 * a bundle never hides what its model cannot do.
 */
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { SmokeTests } from "../schemas/generated/smoke-tests.ts";
import type { RecordedCase } from "./types.ts";

/** How many are wanted, and the fewest that are worth the name. */
export const SMOKE_WANTED = 8;
export const SMOKE_LEAST = 5;

/**
 * Takes one case of each (scenario, tool) group in turn until there are enough; right ones first, then by
 * id. The same input gives the same tests.
 */
export function chooseSmokeTests(cases: readonly EvaluationCase[], records: readonly RecordedCase[], wanted = SMOKE_WANTED): SmokeTests["tests"] {
  const recorded = new Map(records.map((r) => [r.id, r]));
  const groups = new Map<string, { found: EvaluationCase; record: RecordedCase }[]>();
  for (const found of [...cases].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const record = recorded.get(found.id);
    if (record === undefined) continue;
    const key = `${found.scenario ?? ""}/${found.tool_name ?? ""}`;
    const group = groups.get(key) ?? [];
    group.push({ found, record });
    groups.set(key, group);
  }
  const chosen: { found: EvaluationCase; record: RecordedCase }[] = [];
  const take = (right: boolean, upTo: number): void => {
    const rows = [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, g]) => g.filter((c) => c.record.ok === right));
    for (let i = 0; chosen.length < upTo && rows.some((g) => i < g.length); i++) {
      for (const group of rows) {
        const next = group[i];
        if (next !== undefined && chosen.length < upTo) chosen.push(next);
      }
    }
  };
  take(true, wanted);
  take(false, SMOKE_LEAST);
  return chosen.map(({ found, record }) => ({
    case: { ...found },
    recorded: { calls: record.calls.map((c) => ({ name: c.name, arguments: { ...c.arguments } })), answer: record.answer, ok: record.ok },
  }));
}
