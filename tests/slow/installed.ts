/** The package as somebody gets it: packed, and installed in an empty folder elsewhere. */
import { execFileSync, type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../src/platform/paths.ts";

export interface Installed {
  /** The folder that it is installed in. */
  readonly project: string;
  /** Runs the installed command there. */
  run(...args: string[]): SpawnSyncReturns<string>;
  remove(): void;
}

export function installPackage(): Installed {
  const room = mkdtempSync(join(tmpdir(), "forge-package-"));
  const project = join(room, "project");
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", room], { cwd: packageRoot(), stdio: ["ignore", "ignore", "inherit"] });
  const tarball = readdirSync(room).find((f) => f.endsWith(".tgz")) ?? "";
  mkdirSync(project);
  // Its own package.json, so that npm does not install into a folder above.
  writeFileSync(join(project, "package.json"), "{}");
  execFileSync("npm", ["install", "--no-audit", "--no-fund", join(room, tarball)], { cwd: project, stdio: ["ignore", "ignore", "inherit"] });
  return {
    project,
    run: (...args) => spawnSync(join(project, "node_modules", ".bin", "mcp-forge"), args, { cwd: project, encoding: "utf8", maxBuffer: 1 << 28 }),
    remove: () => rmSync(room, { recursive: true, force: true }),
  };
}
