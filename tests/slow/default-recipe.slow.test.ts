/**
 * The default recipe as somebody gets it: the package installed in an empty folder elsewhere, `init`, `apply`, and a bundle
 * whose model passes every gate. Takes about ten minutes on two cores; needs the registries of npm and Python.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";

const room = mkdtempSync(join(tmpdir(), "forge-default-"));
const project = join(room, "project");
const MINUTE = 60_000;

beforeAll(() => {
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", room], { cwd: packageRoot(), stdio: ["ignore", "ignore", "inherit"] });
  const tarball = readdirSync(room).find((f) => f.endsWith(".tgz")) ?? "";
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), "{}");
  execFileSync("npm", ["install", "--no-audit", "--no-fund", join(room, tarball)], { cwd: project, stdio: ["ignore", "ignore", "inherit"] });
}, 10 * MINUTE);
afterAll(() => rmSync(room, { recursive: true, force: true }));

const forge = (...args: string[]) => {
  const ended = spawnSync(join(project, "node_modules", ".bin", "mcp-forge"), args, { cwd: project, encoding: "utf8", maxBuffer: 1 << 28 });
  return { code: ended.status, out: ended.stdout, all: ended.stdout + ended.stderr };
};

it(
  "applies what init wrote, and every gate passes",
  () => {
    expect(forge("init").code).toBe(0);
    const applied = forge("apply", "forge.yaml");
    expect(applied.code, applied.all).toBe(0);
  },
  40 * MINUTE,
);

it("leaves a bundle that verifies and calls tools", { timeout: 5 * MINUTE }, () => {
  const verified = forge("verify-bundle", "dist/weather-expert");
  expect(verified.code, verified.all).toBe(0);
  const tried = forge("try", "dist/weather-expert", "What is the weather like in Lisbon right now?", "--json");
  expect(tried.code, tried.all).toBe(0);
  expect(tried.out).toContain('"get_weather"');
  expect(tried.out).toContain("Lisbon");
});

it("has nothing to do the second time", { timeout: MINUTE }, () => {
  const lock = readFileSync(join(project, "forge.lock"), "utf8");
  expect(forge("plan").code).toBe(0);
  expect(forge("apply").code).toBe(0);
  expect(readFileSync(join(project, "forge.lock"), "utf8")).toBe(lock);
});
