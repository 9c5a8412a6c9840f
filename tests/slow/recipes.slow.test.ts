/** The recipes in recipes/, whole: in a copy of the folder, with less data (variant ci), up to a bundle that verifies. How good the model gets is not asked. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";

const forge = join(packageRoot(), "dist", "forge.js");
const room = mkdtempSync(join(realpathSync(tmpdir()), "forge-recipes-"));
mkdirSync(join(room, ".mcp-forge"));
cpSync(join(packageRoot(), "recipes"), room, { recursive: true });
let server: ChildProcess | undefined;
afterAll(() => {
  server?.kill();
  rmSync(room, { recursive: true, force: true });
});

it.each(["weather", "filesystem", "openai-functions", "file", "two-servers", "http"])("%s goes from its recipe to a bundle", async (name) => {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1", DEMO_TOKEN: "demo-token-for-tests" };
  if (name === "http") {
    // From the repository: the copy has no packages beside it.
    server = spawn(process.execPath, [join(packageRoot(), "recipes", "http-server.mjs")], { env: { ...env, PORT: "0" }, stdio: ["pipe", "pipe", "inherit"] });
    const [line] = (await once(server.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
    env.DEMO_SERVER = line.toString().trim();
  }
  const run = (...args: string[]) => spawnSync(process.execPath, [forge, ...args], { cwd: room, env, encoding: "utf8" });
  const packed = run("apply", `${name}.yaml`, "--variant", "ci");
  expect(packed.status, packed.stdout + packed.stderr).toBe(0);
  expect(packed.stdout + packed.stderr).not.toContain("demo-token-for-tests");
  const verified = run("verify-bundle", join("dist", `${name}-ci`), "--shallow");
  expect(verified.status, verified.stdout + verified.stderr).toBe(0);
});
