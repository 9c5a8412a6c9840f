/**
 * The default recipe as somebody gets it: the package installed in an empty folder elsewhere, `init`, `apply`, and a bundle
 * whose model passes every gate. Takes about ten minutes on two cores; needs the registries of npm and Python.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Installed, installPackage } from "./installed.ts";

const MINUTE = 60_000;

let installed: Installed;
beforeAll(() => {
  installed = installPackage();
}, 10 * MINUTE);
afterAll(() => installed.remove());

const forge = (...args: string[]) => {
  const ended = installed.run(...args);
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
  const lock = readFileSync(join(installed.project, "forge.lock"), "utf8");
  expect(forge("plan").code).toBe(0);
  expect(forge("apply").code).toBe(0);
  expect(readFileSync(join(installed.project, "forge.lock"), "utf8")).toBe(lock);
});
