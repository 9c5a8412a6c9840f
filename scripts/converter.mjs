/**
 * Unpacks llama.cpp's own converter (HF to GGUF; Python, MIT) out of the sources that node-llama-cpp
 * carries for the very release its binaries were built from, so that the published package needs neither
 * node-llama-cpp nor a download. Read by python/forge_steps/git_bundle.py, which checks every object
 * against the commit that convert.py pins.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { root } from "./bundle-options.mjs";

const PROGRAM = `
import sys
from pathlib import Path
from forge_steps.convert import COMMIT, PATHS
from forge_steps.git_bundle import read_tree
bundle, target = sys.argv[1:]
for path, content in read_tree(Path(bundle), COMMIT, PATHS).items():
    if path.startswith("gguf-py/") and not path.startswith("gguf-py/gguf/") and "LICENSE" not in path:
        continue
    file = Path(target) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
`;

/** Fills `target` unless it already holds these files of this very commit. Without Python it says so and leaves it out: only export needs it. */
export async function unpackConverter(target) {
  const source = await readFile(join(root, "python", "forge_steps", "convert.py"), "utf8");
  const [commit, paths] = [/^COMMIT = "([0-9a-f]{40})"/m.exec(source)?.[1], /^PATHS = \((.*)\)$/m.exec(source)?.[1]];
  if (commit === undefined || paths === undefined) throw new Error("python/forge_steps/convert.py names no COMMIT, or no PATHS");
  const stamp = `${commit} ${paths}`;
  if ((await readFile(join(target, ".commit"), "utf8").catch(() => "")) === stamp) return;
  const bundle = join(root, "node_modules", "node-llama-cpp", "llama", "gitRelease.bundle");
  const fresh = `${target}.${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(dirname(target), { recursive: true });
  for (const python of [process.env.MCP_FORGE_PYTHON, "python3", "python"]) {
    if (!python) continue;
    try {
      await promisify(execFile)(python, ["-c", PROGRAM, bundle, fresh], {
        env: { ...process.env, PYTHONPATH: join(root, "python"), PYTHONDONTWRITEBYTECODE: "1" },
      });
      await writeFile(join(fresh, ".commit"), stamp);
      await rm(target, { recursive: true, force: true });
      await rename(fresh, target);
      return;
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      if (error?.code !== "ENOENT") console.warn(`${python}: ${error.stderr ?? error.message}`);
    }
  }
  console.warn(
    "warning: no Python that could unpack llama.cpp's converter was found; `forge apply` will need it to export (install Python 3.10 or newer, then `npm run build`)",
  );
}
