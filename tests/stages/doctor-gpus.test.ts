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

/** The report where the driver's tool lists these cards, by their lines. */
async function report(cards: readonly string[], gpus: number | "all" | undefined, env: NodeJS.ProcessEnv) {
  const list = cards.map((card) => `echo '${card}'`).join("\n");
  writeFileSync(join(dir, "nvidia-smi"), `#!/bin/sh\n${cards.length === 0 ? "exit 9" : list}\n`);
  chmodSync(join(dir, "nvidia-smi"), 0o755);
  const family = getFamily("nano");
  if (!family.ok) throw new Error(family.error.message);
  return await examine({ projectDir: dir, needs: { family: family.value, exports: ["q8_0"], ...(gpus !== undefined && { gpus }) }, env });
}

/** Findings of the GPUs where there are so many cards of one kind. */
async function findings(cards: number, gpus: number | "all" | undefined, env: NodeJS.ProcessEnv = {}) {
  const { findings } = await report(Array<string>(cards).fill("NVIDIA L4, 580.1, 23034, 22000, GPU-1"), gpus, env);
  return findings.filter((f) => f.check === "gpu").map((f) => `${f.status}: ${f.message}${f.fix === undefined ? "" : ` -> ${f.fix}`}`);
}

test("doctor counts the GPUs, and says how many of them train", { timeout: 30_000 }, async () => {
  expect(await findings(0, undefined)).toEqual(["note: no NVIDIA GPU found (nvidia-smi): training runs on the CPU"]);
  expect(await findings(1, "all")).toHaveLength(1);
  expect((await findings(2, undefined)).at(-1)).toBe("ok: 2 GPUs can train together, 1 of them does (`train.gpus`)");
  expect((await findings(3, "all", { CUDA_VISIBLE_DEVICES: "0,2" })).at(-1)).toBe("ok: 2 GPUs can train together, 2 of them do (`train.gpus`)");
  expect((await findings(2, 4)).at(-1)).toMatch(/^missing: training is to use 4 NVIDIA GPUs, and this machine has 2 -> set `gpus: 2`/);
  expect((await findings(0, 2)).at(-1)).toMatch(/^missing: training is to use 2 NVIDIA GPUs, and this machine has none -> remove `gpus`/);
});

test("doctor says that a device is none, or is not there, and is not ready then", { timeout: 30_000 }, async () => {
  expect(await findings(2, undefined, { MCP_FORGE_DEVICE: "gpu0" })).toContainEqual(
    expect.stringMatching(/^missing: MCP_FORGE_DEVICE is "gpu0", which is no device -> set it to/),
  );
  expect(await findings(0, undefined, { MCP_FORGE_DEVICE: "gpu0" })).toHaveLength(1);
  expect(await findings(1, undefined, { MCP_FORGE_DEVICE: "cuda", CUDA_VISIBLE_DEVICES: "" })).toContainEqual(
    expect.stringMatching(/^missing: MCP_FORGE_DEVICE is cuda, and CUDA_VISIBLE_DEVICES \(\) shows no GPU/),
  );
  expect(await findings(1, undefined, { MCP_FORGE_DEVICE: "cuda" })).not.toContainEqual(expect.stringMatching(/^missing/));
  expect((await report([], undefined, { MCP_FORGE_DEVICE: "gpu0" })).ready).toEqual([]);
});

test("the memory that counts is that of the cards that train, in the order in which they are shown", { timeout: 30_000 }, async () => {
  const cards = ["H200, 580.1, 143771, 143000, GPU-aa", "L4, 580.1, 23034, 22000, GPU-bb", "T4, 580.1, 15360, 15000, GPU-cc"];
  const vram = async (gpus: number | "all" | undefined, shown?: string) => {
    const { findings } = await report(cards, gpus, shown === undefined ? {} : { CUDA_VISIBLE_DEVICES: shown });
    return findings.find((f) => f.message.includes("of the GPU's"))?.message.match(/of the GPU's ([\d.]+ GB)/)?.[1];
  };
  expect(await vram(undefined)).toBe("150.8 GB");
  expect(await vram(2)).toBe("24.2 GB");
  expect(await vram("all")).toBe("16.1 GB");
  expect(await vram(undefined, "2,0")).toBe("16.1 GB");
  expect(await vram("all", "GPU-bb,0")).toBe("24.2 GB");
  expect(await vram(1, "MIG-x,0")).toBe("16.1 GB");
});
