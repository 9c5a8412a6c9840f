/** Whether the machine has an NVIDIA GPU, told without starting a process: it decides which build of torch is installed. */
import { existsSync, readdirSync } from "node:fs";

export type Accelerator = "cpu" | "cuda";

/** `cuda` when a device file of the NVIDIA driver is there (`/dev/nvidia0`; `/dev/dxg` under WSL), else `cpu`. */
export function detectAccelerator(dev = "/dev"): Accelerator {
  try {
    if (readdirSync(dev).some((name) => /^nvidia\d+$/.test(name))) return "cuda";
  } catch {
    return "cpu"; // No /dev: Windows or something stranger; the registry's build works there.
  }
  return existsSync(`${dev}/dxg`) && existsSync("/usr/lib/wsl/lib/libcuda.so.1") ? "cuda" : "cpu";
}
