/** Reading every byte of the store: what is damaged is told from what only could not be read. */
import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { NodeDefinition } from "../../src/engine/stage.ts";
import { type StoreReport, setAsideDamaged, verifyStore } from "../../src/engine/verify.ts";
import { Rig } from "./support/rig.ts";

const verified = async (rig: Rig): Promise<StoreReport> => {
  const report = await verifyStore(rig.root);
  if (!report.ok) throw new Error(report.error.message);
  return report.value;
};
/** Two artifacts, of the stages a and b. */
const stages = (rig: Rig): NodeDefinition[] => [rig.stage({ id: "a" }), rig.stage({ id: "b", recipe: { of: "b" } })];
const artifacts = async (rig: Rig): Promise<string[]> => (await rig.outcome(stages(rig))).nodes.map((n) => n.outputs.out as string);

/** To root every file is readable. */
const nobody = 65534;
const becomeNobody = (): void => {
  if (process.getuid?.() === 0) process.seteuid?.(nobody);
};
afterEach(() => {
  if (process.getuid?.() === 0) process.seteuid?.(0);
});

describe.skipIf(process.platform === "win32")("an artifact that cannot be read", () => {
  it("is named and stays where it is; one beside it whose bytes are others is set aside", async () => {
    const rig = new Rig();
    const [locked, edited] = (await artifacts(rig)) as [string, string];
    for (let at = rig.root; at.includes("forge-"); at = dirname(at)) chmodSync(at, 0o755);
    chmodSync(edited, 0o644);
    writeFileSync(edited, "edited");
    chmodSync(locked, 0o000);
    becomeNobody();
    const report = await verified(rig);
    process.seteuid?.(process.getuid?.() ?? 0);
    expect(report).toMatchObject({
      objects: 2,
      unread: [{ stages: ["a"], problem: "it cannot be read (EACCES)" }],
      damaged: [{ stages: ["b"], problem: "its bytes are others" }],
    });
    expect(setAsideDamaged(rig.root, report).ok).toBe(true);
    expect([existsSync(locked), existsSync(edited)]).toEqual([true, false]);
    chmodSync(locked, 0o444);
    expect(await verified(rig)).toMatchObject({ objects: 1, unread: [], damaged: [], missing: [{ stage: "b" }] });
    expect(await rig.statuses(stages(rig))).toEqual({ a: "cached", b: "done" });
  });
});

it("an artifact of which nothing is left is damaged: its place is cleared, and its stage runs", async () => {
  const rig = new Rig();
  const [gone] = (await artifacts(rig)) as [string];
  chmodSync(dirname(gone), 0o755);
  rmSync(gone);
  const report = await verified(rig);
  expect(report).toMatchObject({ unread: [], damaged: [{ stages: ["a"], problem: "it is gone" }] });
  expect(setAsideDamaged(rig.root, report).ok).toBe(true);
  expect(await verified(rig)).toMatchObject({ unread: [], damaged: [] });
  expect(await rig.statuses(stages(rig))).toEqual({ a: "done", b: "cached" });
});
