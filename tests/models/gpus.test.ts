/** How many GPUs there are for `train.gpus`, told without any: device files and CUDA_VISIBLE_DEVICES. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { countGpus, shownGpus, tooFewGpus, visibleGpus, withoutNvidia, wrongDevice } from "../../src/models/gpus.ts";

const dir = mkdtempSync(join(tmpdir(), "forge-gpus-"));
afterAll(() => rmSync(dir, { recursive: true }));

test.each<[number, string | undefined, number]>([
  [4, undefined, 4],
  [4, "", 0],
  [4, "0", 1],
  [4, "2, 0", 2],
  [4, "0,7,1", 1],
  [4, "-1", 0],
  [4, "0,-1,1", 1],
  [2, "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,1", 2],
  [1, "MIG-a,MIG-b,MIG-c", 3],
  [0, "0", 0],
])("of %i GPUs CUDA_VISIBLE_DEVICES=%s shows %i", (total, shown, count) => {
  expect(visibleGpus(total, shown)).toBe(count);
});

test("they are named in the order that CUDA_VISIBLE_DEVICES has", () => {
  expect(shownGpus(3, undefined)).toEqual(["0", "1", "2"]);
  expect(shownGpus(4, "2, GPU-8932f937,0,9,1")).toEqual(["2", "GPU-8932f937", "0"]);
});

test("a device that MCP_FORGE_DEVICE names and that cannot be there is refused, with what to set; what only PyTorch knows is not", () => {
  const why = (device: string | undefined, there: number | undefined, system = "linux", processes?: number, shown?: string) =>
    wrongDevice({ processes }, there, { MCP_FORGE_DEVICE: device, CUDA_VISIBLE_DEVICES: shown }, system);
  for (const [device, there] of [
    [undefined, 0],
    ["", 0],
    ["cpu", 0],
    ["cuda", 1],
    ["cuda", undefined],
  ] as const)
    expect(why(device, there)).toBeUndefined();
  expect([why("mps", 0, "darwin"), why("cuda", 0, "win32")]).toEqual([undefined, undefined]);
  expect(why("CUDA", 2)).toMatchObject({ code: "step/device", exit: 6, message: 'MCP_FORGE_DEVICE is "CUDA", which is no device' });
  expect(why("cuda", 0)).toMatchObject({
    code: "step/device",
    exit: 6,
    message: expect.stringContaining("MCP_FORGE_DEVICE is cuda, and this machine has no GPU"),
  });
  expect(why("cuda", 0, "linux", 1, "")?.message).toContain("CUDA_VISIBLE_DEVICES () shows no GPU");
  expect(why("mps", 0)).toMatchObject({ code: "step/device", exit: 6, message: "MCP_FORGE_DEVICE is mps, and only a Mac has such a device" });
  expect(why("mps", 0, "darwin", 2)?.message).toBe("`train.processes` is 2, and an Apple GPU takes one process");
});

test("never more than there are, by their numbers", () => {
  fc.assert(
    fc.property(fc.nat(9), fc.array(fc.integer({ min: -1, max: 12 })), (total, shown) => {
      const count = visibleGpus(total, shown.join(","));
      expect(count).toBeLessThanOrEqual(total);
      expect(visibleGpus(total, [...shown, 0].join(","))).toBeGreaterThanOrEqual(count);
    }),
  );
});

test("device files of the driver are counted, not the driver's own", () => {
  expect(countGpus({}, join(dir, "none"))).toBe(0);
  mkdirSync(join(dir, "dev"));
  for (const name of ["nvidiactl", "nvidia-uvm", "nvidia0", "nvidia1", "nvidia10", "null"]) writeFileSync(join(dir, "dev", name), "");
  expect(countGpus({}, join(dir, "dev"))).toBe(3);
  expect(countGpus({ CUDA_VISIBLE_DEVICES: "1" }, join(dir, "dev"))).toBe(1);
});

test("another device that is asked for uses none of them", () => {
  const dev = join(dir, "two");
  mkdirSync(dev);
  for (const name of ["nvidia0", "nvidia1"]) writeFileSync(join(dev, name), "");
  for (const name of ["cpu", "mps"]) {
    expect(countGpus({ MCP_FORGE_DEVICE: name }, dev)).toBe(0);
    expect(tooFewGpus({ gpus: 2 }, 0, { MCP_FORGE_DEVICE: name })?.message).toBe(`training is to use 2 NVIDIA GPUs, and MCP_FORGE_DEVICE=${name} uses none`);
  }
  expect(countGpus({ MCP_FORGE_DEVICE: "cuda" }, dev)).toBe(2);
});

test("GPUs that are not NVIDIA's: what computes, and how they can", () => {
  const dev = join(dir, "amd");
  mkdirSync(dev);
  const none = "no NVIDIA GPU found (nvidia-smi): training runs on the CPU";
  expect(withoutNvidia({}, "linux x64", dev)).toBe(none);
  expect(withoutNvidia({}, "darwin arm64", dev)).toBe(`${none}; MCP_FORGE_DEVICE=mps tries Apple's GPU`);
  expect(withoutNvidia({ MCP_FORGE_DEVICE: "mps" }, "darwin arm64", dev)).toMatch(/^training runs on Apple's GPU \(MCP_FORGE_DEVICE=mps\)/);
  expect(withoutNvidia({ MCP_FORGE_DEVICE: "cpu" }, "linux x64", dev)).toBe("training runs on the CPU (MCP_FORGE_DEVICE=cpu)");
  expect(countGpus({ MCP_FORGE_PYTHON: "/opt/python" }, dev)).toBe(0);
  writeFileSync(join(dev, "kfd"), "");
  expect(withoutNvidia({}, "linux x64", dev)).toMatch(/runs on the CPU; an AMD GPU \(\/dev\/kfd\) trains where MCP_FORGE_PYTHON/);
  expect(withoutNvidia({ MCP_FORGE_PYTHON: "/opt/python" }, "linux x64", dev)).toMatch(
    /runs on the AMD GPU .* where MCP_FORGE_PYTHON has PyTorch for ROCm, else on the CPU$/,
  );
  // Which of the two it is, only PyTorch knows.
  expect(countGpus({ MCP_FORGE_PYTHON: "/opt/python" }, dev)).toBeUndefined();
  expect(countGpus({}, dev)).toBe(0);
});

test("more GPUs than there are: how many there are, and what to do", () => {
  for (const fine of [undefined, 1, "all", 2] as const) expect(tooFewGpus({ gpus: fine }, 2, {})).toBeUndefined();
  // Where there is none, one is no demand: it is the default.
  for (const fine of [undefined, 1, "all"] as const) expect(tooFewGpus({ gpus: fine }, 0, {})).toBeUndefined();
  expect(tooFewGpus({ gpus: 8 }, undefined, {})).toBeUndefined();
  expect(tooFewGpus({ gpus: 4 }, 2, {})).toMatchObject({
    code: "train/gpus",
    exit: 6,
    message: "training is to use 4 NVIDIA GPUs, and this machine has 2",
    hint: expect.stringMatching(/^set `gpus: 2` or `all`/),
  });
  expect(tooFewGpus({ gpus: 2 }, 1, { CUDA_VISIBLE_DEVICES: "0" })?.message).toContain("CUDA_VISIBLE_DEVICES (0) shows 1");
  expect(tooFewGpus({ gpus: 2 }, 0, {})).toMatchObject({
    message: "training is to use 2 NVIDIA GPUs, and this machine has none",
    hint: expect.stringMatching(/^remove `gpus` to train on the CPU \(`processes: 2` /),
  });
});
