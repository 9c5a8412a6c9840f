/**
 * The backends of training for real: `qlora` through an apply, in the environment that forge makes for it, and our calls of Unsloth against the source of
 * its wheel (python/tests/test_unsloth_contract.py), which needs a registry.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";

it("nano is trained on 4 bits and exported, and both reports say what merging changes", { timeout: 1_200_000 }, () => {
  const project = realpathSync(mkdtempSync(join(tmpdir(), "forge-qlora-")));
  try {
    writeFileSync(
      join(project, "forge.yaml"),
      "version: 1\nname: small\ntools:\n  - stub: weather\nmodel: {family: nano}\nprofile: fast_dev\ndata: {samples: 40}\ntrain: {backend: qlora}\nexports: [f16]\n",
    );
    const ran = spawnSync(process.execPath, [join(packageRoot(), "dist", "forge.js"), "apply", "--until", "export:f16"], { cwd: project, encoding: "utf8" });
    expect(ran.status, ran.stderr).toBe(0);
    const training = JSON.parse(readFileSync(join(project, ".mcp-forge", "reports", "training.json"), "utf8"));
    expect(training.figures).toMatchObject({ backend: "qlora", merging_positions: 1000 });
    expect(training.figures.final_loss).toBeLessThan(0.7 * training.figures.first_loss);
    expect(training.figures.merging_kl).toBeLessThan(0.2);
    expect(ran.stdout).toMatch(/export:f16: done .* of the merged model from the one that was trained in 4 bits/);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});

it("what we call of Unsloth is in its wheel, and its shared prefix gives our gradients", { timeout: 900_000 }, () => {
  const ran = spawnSync(process.execPath, [join(packageRoot(), "scripts", "pytest.mjs"), "-k", "unsloth_contract"], {
    env: { ...process.env, FORGE_SLOW: "1" },
    encoding: "utf8",
  });
  expect(ran.stdout, ran.stderr).toMatch(/^pytest: \d+ passed, 0 failed$/m);
  expect(ran.status).toBe(0);
});
