/**
 * The package as somebody gets it: packed, installed in an empty folder elsewhere, small, and at work there.
 * Needs the npm registry for the binaries of llama.cpp.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";

const room = mkdtempSync(join(tmpdir(), "forge-package-"));
const project = join(room, "project");

beforeAll(() => {
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", room], { cwd: packageRoot(), stdio: ["ignore", "ignore", "inherit"] });
  const tarball = readdirSync(room).find((f) => f.endsWith(".tgz")) ?? "";
  mkdirSync(project);
  // Its own package.json, so that npm does not install into a folder above.
  writeFileSync(join(project, "package.json"), "{}");
  execFileSync("npm", ["install", "--no-audit", "--no-fund", join(room, tarball)], { cwd: project, stdio: ["ignore", "ignore", "inherit"] });
}, 600_000);
afterAll(() => rmSync(room, { recursive: true, force: true }));

const forge = (...args: string[]) => spawnSync(join(project, "node_modules", ".bin", "mcp-forge"), args, { cwd: project, encoding: "utf8" });

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
