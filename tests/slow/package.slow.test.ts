/**
 * The package as somebody gets it: packed, installed in an empty folder elsewhere, small, and at work there.
 * Needs the npm registry for the binaries of llama.cpp.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";
import { type Installed, installPackage } from "./installed.ts";

let installed: Installed;
let project: string;
beforeAll(() => {
  installed = installPackage();
  project = installed.project;
}, 600_000);
afterAll(() => installed.remove());

const forge = (...args: string[]) => installed.run(...args);

it("takes at most 150 MB with its dependencies, and brings neither CUDA nor Vulkan", () => {
  let bytes = 0;
  const names: string[] = [];
  for (const entry of readdirSync(join(project, "node_modules"), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
    names.push(entry.name);
  }
  expect(bytes).toBeLessThan(150e6);
  expect(names.filter((n) => /cuda|vulkan/i.test(n) && !/\.(py|js|md)$/.test(n))).toEqual([]);
});

it("starts, writes a recipe and plans it", () => {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string };
  expect(forge("--version").stdout.trim()).toBe(version);
  expect(forge("init").status).toBe(0);
  const plan = forge("plan", "forge.yaml");
  expect([plan.status, plan.stdout.includes("export:q8_0")]).toEqual([2, true]);
});

it("points at an error in a recipe, with the schema's words", () => {
  writeFileSync(join(project, "bad.yaml"), "version: 1\nname: x\ntools:\n  - stub: wether\n");
  const { status, stderr } = forge("plan", "bad.yaml");
  expect([status, stderr.includes("bad.yaml:4:11"), stderr.includes("did you mean `weather`?")]).toEqual([4, true, true]);
});

it("loads llama.cpp from the installed package", () => {
  const program = `
    import { spawn } from "node:child_process";
    const child = spawn(process.execPath, ["node_modules/mcp-forge/dist/llama-worker.js"], { stdio: ["pipe", "inherit", "inherit"] });
    child.stdin.write(JSON.stringify({ op: "open", model: "bad.yaml" }) + "\\n");
    setTimeout(() => child.stdin.end(), 5000);
  `;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { cwd: project, encoding: "utf8" });
  expect(stdout).toContain('"refused"');
  expect(stdout).not.toMatch(/NoBinary|prebuilt/i);
});
