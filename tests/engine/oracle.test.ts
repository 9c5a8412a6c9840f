/**
 * Random graphs and random edits against an oracle that rebuilds everything: the outputs are always the oracle's; a stage
 * runs exactly when what it reads was never seen before or its artifact is damaged; the plan said so.
 */
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeDefinition, StageDefinition } from "../../src/engine/stage.ts";
import { ok } from "../../src/platform/result.ts";
import { contentOf, gate, Rig } from "./support/rig.ts";

interface Model {
  version: number;
  value: number;
  /** Puts out only the parity of what it reads, so that changes often stop here. */
  coarse: boolean;
  from: number[];
  file: boolean;
}
type Edit =
  | { kind: "version" | "value"; node: number; to: number }
  | { kind: "tamper" | "delete" | "force" | "coarse"; node: number }
  | { kind: "rewire"; node: number; from: number[] }
  | { kind: "file"; to: number };

const node = (i: number) =>
  fc.record({
    version: fc.integer({ min: 1, max: 3 }),
    value: fc.integer({ min: 0, max: 2 }),
    coarse: fc.boolean(),
    file: fc.boolean(),
    from: fc.subarray(
      Array.from({ length: i }, (_, k) => k),
      { maxLength: Math.min(3, i) },
    ),
  });
const graphs = fc.integer({ min: 2, max: 7 }).chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => node(i))));
const at = fc.nat({ max: 6 });
const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom("version" as const, "value" as const), node: at, to: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constantFrom("tamper" as const, "delete" as const, "force" as const, "coarse" as const), node: at }),
    fc.record({ kind: fc.constant("rewire" as const), node: at, from: fc.uniqueArray(at, { maxLength: 3 }) }),
    fc.record({ kind: fc.constant("file" as const), to: fc.nat({ max: 2 }) }),
  ),
  { minLength: 1, maxLength: 5 },
);

const id = (i: number) => `n${i}`;
const parity = (text: string) => [...text].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 2;

class World {
  readonly rig = new Rig();
  readonly file = join(this.rig.root, "user.txt");
  readonly models: Model[];
  readonly seen = new Set<string>();
  /** Ids whose stored artifact was damaged since the last apply. */
  readonly damaged = new Set<string>();
  stored = new Map<string, string>();

  constructor(models: Model[]) {
    this.models = models;
    writeFileSync(this.file, "file 0");
  }

  stages(): StageDefinition[] {
    return this.models.map((m, i) => {
      const stage: StageDefinition = this.rig.stage({
        id: id(i),
        version: m.version,
        recipe: { value: m.value, coarse: m.coarse },
        from: m.from.map(id),
        ...(m.file && { files: { user: this.file } }),
        run: async (c) => {
          writeFileSync(
            c.outputs.out as string,
            this.content(stage, (name) => readFileSync(c.inputs[name] as string, "utf8")),
          );
          return ok({ figures: { score: m.value }, summary: "" });
        },
      });
      return stage;
    });
  }

  nodes(): NodeDefinition[] {
    return [...this.stages(), gate("gate", id(0), 1)];
  }

  content(stage: StageDefinition, read: (name: string) => string): string {
    const full = contentOf(stage, read);
    return stage.recipe.coarse === true ? `${stage.id} ${parity(full)}` : full;
  }

  /** Rebuilds everything in memory. */
  oracle(): { outputs: Map<string, string>; prints: Map<string, string> } {
    const outputs = new Map<string, string>();
    const prints = new Map<string, string>();
    for (const stage of this.stages()) {
      const read = (name: string) => (name === "user" ? readFileSync(this.file, "utf8") : (outputs.get(name) as string));
      prints.set(stage.id, contentOf(stage, read));
      outputs.set(stage.id, this.content(stage, read));
    }
    return { outputs, prints };
  }

  async applyAndCompare(force: string[]): Promise<void> {
    const { outputs, prints } = this.oracle();
    const due = [...prints].filter(([i, p]) => !this.seen.has(p) || force.includes(i) || this.isDamaged(outputs.get(i) as string)).map(([i]) => i);
    const plan = await this.rig.plan(this.nodes(), { force });
    this.rig.ran();
    const outcome = await this.rig.outcome(this.nodes(), { force });
    const ran = this.rig.ran();
    expect(ran.sort()).toEqual(due.sort());
    for (const n of outcome.nodes) if (n.kind === "stage") expect(readFileSync(n.outputs.out as string, "utf8")).toBe(outputs.get(n.id));
    for (const p of plan.nodes) {
      if (p.kind === "gate") continue;
      if (p.status === "cached") expect(ran).not.toContain(p.id);
      if (p.status !== "cached") expect(p.reasons.length).toBeGreaterThan(0);
    }
    expect(ran.length === 0 || plan.work).toBe(true);
    expect(outcome.gates[0]?.passed).toBe((this.models[0] as Model).value >= 1);
    for (const p of prints.values()) this.seen.add(p);
    this.damaged.clear();
    this.stored = new Map(outcome.nodes.filter((n) => n.kind === "stage").map((n) => [n.id, n.outputs.out as string]));
    const again = await this.rig.outcome(this.nodes());
    expect(again.nodes.filter((n) => n.status === "done")).toEqual([]);
  }

  isDamaged(content: string): boolean {
    return this.damaged.has(content);
  }

  async edit(edit: Edit): Promise<string[]> {
    if (edit.kind === "file") {
      writeFileSync(this.file, `file ${edit.to}`);
      return [];
    }
    const i = edit.node % this.models.length;
    const model = this.models[i] as Model;
    const artifact = this.stored.get(id(i)) as string;
    if (edit.kind === "version") model.version = edit.to;
    else if (edit.kind === "value") model.value = edit.to;
    else if (edit.kind === "coarse") model.coarse = !model.coarse;
    else if (edit.kind === "rewire") model.from = edit.from.filter((f) => f < i);
    else if (edit.kind === "force") return [id(i)];
    else {
      this.damaged.add(readFileSync(artifact, "utf8"));
      chmodSync(artifact, 0o644);
      if (edit.kind === "delete") rmSync(artifact);
      else writeFileSync(artifact, `${readFileSync(artifact, "utf8").slice(0, -1)}!`);
    }
    return [];
  }
}

describe("random graphs under random edits", () => {
  it("put out what rebuilding everything would, and run nothing twice", async () => {
    await fc.assert(
      fc.asyncProperty(graphs, edits, async (models, list) => {
        const world = new World(structuredClone(models) as Model[]);
        await world.applyAndCompare([]);
        for (const edit of list) await world.applyAndCompare(await world.edit(edit));
      }),
      { numRuns: Number(process.env.FORGE_ORACLE_RUNS ?? 30), seed: 7, endOnFailure: false },
    );
  }, 300_000);
});
