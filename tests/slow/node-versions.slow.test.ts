/** Another major version of Node: the same keys, the same lockfile, the same results taken over. Needs the npm registry. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";

const OTHER = process.versions.node.startsWith("24.") ? "20" : "24";
let home: string;
let other: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "forge-node-"));
  writeFileSync(join(home, "package.json"), '{"private": true}');
  const got = spawnSync("npm", ["install", "--silent", "--no-audit", "--no-fund", `node@${OTHER}`], { cwd: home, encoding: "utf8" });
  expect(got.status, got.stderr).toBe(0);
  other = join(home, "node_modules/node/bin/node");
}, 300_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

function forge(node: string, project: string, ...args: string[]) {
  const env = { PATH: process.env.PATH, HOME: join(home, "home"), CI: "1" };
  return spawnSync(node, [join(packageRoot(), "dist/forge.js"), ...args], { cwd: project, env, encoding: "utf8" });
}

function project(name: string): string {
  const dir = join(home, name);
  mkdirSync(join(dir, ".git"), { recursive: true });
  return dir;
}

it(`Node ${OTHER} and the present one agree on every key, and each takes the other's work for its own`, { timeout: 120_000 }, () => {
  const [here, there] = [project("here"), project("there")];
  for (const [node, dir] of [
    [process.execPath, here],
    [other, there],
  ] as const) {
    expect(forge(node, dir, "init", "--stub", "weather").status).toBe(0);
    const ended = forge(node, dir, "apply", "--until", "inspect");
    expect(ended.status, ended.stderr).toBe(0);
  }
  expect(readFileSync(join(there, "forge.lock"), "utf8")).toBe(readFileSync(join(here, "forge.lock"), "utf8"));
  expect(forge(other, here, "plan", "--until", "inspect").status).toBe(0);
  expect(forge(process.execPath, there, "apply", "--until", "inspect", "--locked").status).toBe(0);
  const plans = [process.execPath, other].map((node) => forge(node, here, "plan", "--json").stdout);
  expect(plans[0]).toContain('"generate"');
  expect(plans[1]).toBe(plans[0]);
});
