/** The formats whose making takes seconds each, beside those that `npm test` has: every one is made, loads and answers (python/tests/test_export_formats.py). */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";

it("every format that a recipe may name loads and answers", { timeout: 600_000 }, () => {
  const ran = spawnSync(process.execPath, [join(packageRoot(), "scripts", "pytest.mjs"), "-k", "every_format_loads"], {
    env: { ...process.env, FORGE_SLOW: "1" },
    encoding: "utf8",
  });
  expect(ran.stdout, ran.stderr).toMatch(/^pytest: 27 passed, 0 failed$/m);
  expect(ran.status).toBe(0);
});
