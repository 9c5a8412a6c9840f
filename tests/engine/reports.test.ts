/** Reports: what only people read is kept and shown with a result, and decides nothing. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ownKey } from "../../src/engine/key.ts";
import { done, Rig } from "./support/rig.ts";

const nodes = (rig: Rig, o: { reports: boolean; seed?: number }) => [
  rig.stage({
    id: "train",
    recipe: { seed: o.seed ?? 7 },
    ...(o.reports ? { reports: { curve: "file" as const }, views: { curve: join(rig.root, "reports/curve.csv") } } : {}),
    run: async (context) => {
      if (o.reports) writeFileSync(context.outputs.curve as string, `curve of ${o.seed}\n`);
      return done(context, "adapter");
    },
  }),
  rig.stage({ id: "pack", from: ["train"] }),
];

test("a stage that gets one keeps its key, and a record from before stands without it", async () => {
  const rig = new Rig();
  await rig.outcome(nodes(rig, { reports: false }));
  const locked = readFileSync(rig.lockfile, "utf8");
  const now = nodes(rig, { reports: true });
  expect(now.map(ownKey)).toEqual(nodes(rig, { reports: false }).map(ownKey));
  expect(await rig.plan(now)).toMatchObject({ work: false });
  expect(await rig.statuses(now)).toEqual({ train: "cached", pack: "cached" });
  expect(existsSync(join(rig.root, "reports/curve.csv"))).toBe(false);
  expect(readFileSync(rig.lockfile, "utf8")).toBe(locked);
  // What is asked for next has it, is told in no other words, and is not what the lockfile compares.
  const next = nodes(rig, { reports: true, seed: 8 });
  expect(await rig.planned(next)).toMatchObject({ train: "run | `seed` 7 → 8" });
  await rig.outcome(next);
  expect(readFileSync(join(rig.root, "reports/curve.csv"), "utf8")).toBe("curve of 8\n");
  expect(readFileSync(rig.lockfile, "utf8")).not.toContain("curve");
  expect(await rig.statuses(next)).toEqual({ train: "cached", pack: "cached" });
  expect(await rig.planned(nodes(rig, { reports: true, seed: 9 }))).toMatchObject({ train: "run | `seed` 8 → 9" });
});
