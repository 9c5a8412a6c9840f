/** What `forge doctor` says of several GPUs, from a driver's tool that is none. */
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { getFamily } from "../../src/models/family.ts";
import { examine } from "../../src/stages/doctor.ts";

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "forge-doctor-gpus-")));
  vi.stubEnv("PATH", `${dir}${delimiter}${process.env.PATH}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

/** Findings of the GPUs where the driver's tool lists so many cards. */
async function findings(cards: number, gpus: number | "all" | undefined, env: NodeJS.ProcessEnv = {}) {
  const list = Array.from({ length: cards }, () => "echo 'NVIDIA L4, 580.1, 23034, 22000'").join("\n");
  writeFileSync(join(dir, "nvidia-smi"), `#!/bin/sh\n${cards === 0 ? "exit 9" : list}\n`);
  chmodSync(join(dir, "nvidia-smi"), 0o755);
  const family = getFamily("nano");
  if (!family.ok) throw new Error(family.error.message);
  const report = await examine({ projectDir: dir, needs: { family: family.value, exports: ["q8_0"], ...(gpus !== undefined && { gpus }) }, env });
  return report.findings.filter((f) => f.check === "gpu").map((f) => `${f.status}: ${f.message}${f.fix === undefined ? "" : ` -> ${f.fix}`}`);
}

test("doctor counts the GPUs, and says how many of them train", { timeout: 30_000 }, async () => {
  expect(await findings(0, undefined)).toEqual(["note: no NVIDIA GPU found (nvidia-smi): training runs on the CPU"]);
  expect(await findings(1, "all")).toHaveLength(1);
  expect((await findings(2, undefined)).at(-1)).toBe("ok: 2 GPUs can train together, 1 of them does (`train.gpus`)");
  expect((await findings(3, "all", { CUDA_VISIBLE_DEVICES: "0,2" })).at(-1)).toBe("ok: 2 GPUs can train together, 2 of them do (`train.gpus`)");
  expect((await findings(2, 4)).at(-1)).toMatch(/^missing: training is to use 4 NVIDIA GPUs, and this machine has 2 -> set `gpus: 2`/);
  expect((await findings(0, 2)).at(-1)).toMatch(/^missing: training is to use 2 NVIDIA GPUs, and this machine has none -> remove `gpus`/);
});
