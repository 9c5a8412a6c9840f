/** The layer rule is no decoration: it fails when it is broken, and says which rule. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";

/** Names of the rules that a project with these files breaks. */
function broken(files: Record<string, string>): string[] {
  const dir = mkdtempSync(join(tmpdir(), "forge-layers-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of [".dependency-cruiser.cjs", "tsconfig.json", "package.json"]) cpSync(join(packageRoot(), name), join(dir, name));
  symlinkSync(join(packageRoot(), "node_modules"), join(dir, "node_modules"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const cruise = join(packageRoot(), "node_modules", "dependency-cruiser", "bin", "dependency-cruise.mjs");
  const { stdout, status } = spawnSync(process.execPath, [cruise, "src", "--config", ".dependency-cruiser.cjs"], { cwd: dir, encoding: "utf8" });
  const rules = new Set([...stdout.matchAll(/^ {2}error ([a-z-]+):/gm)].map((m) => m[1] ?? ""));
  expect(status === 0).toBe(rules.size === 0);
  return [...rules].sort();
}

const use = (path: string): string => `import { x } from "${path}";\nexport const y = x;\n`;
const X = "export const x = 1;\n";

it("lets imports point down", () => {
  expect(
    broken({
      "src/cli/a.ts": use("../tools/b.ts"),
      "src/tools/b.ts": use("../platform/c.ts").replace("y", "x: number").replace("import { x }", "import { x as z }").replace("= x", "= z"),
      "src/platform/c.ts": X,
    }),
  ).toEqual([]);
});

it("refuses imports that point up, types included", () => {
  expect(broken({ "src/tools/b.ts": use("../data/c.ts"), "src/data/c.ts": X })).toEqual(["tools-imports-upwards"]);
  expect(
    broken({ "src/platform/b.ts": 'import type { T } from "../cli/c.ts";\nexport const y: T = 1;\n', "src/cli/c.ts": "export type T = number;\n" }),
  ).toEqual(["platform-imports-upwards", "platform-stands-alone"]);
});

it("keeps the engine free of the domain, even behind a dynamic import", () => {
  const files = { "src/engine/b.ts": 'export const load = () => import("../models/c.ts");\n', "src/models/c.ts": X };
  expect(broken(files)).toEqual(["engine-imports-upwards", "engine-knows-no-domain"]);
});

it("refuses circles", () => {
  expect(
    broken({
      "src/data/a.ts": 'import { b } from "./b.ts";\nexport const a = () => b;\n',
      "src/data/b.ts": 'import { a } from "./a.ts";\nexport const b = () => a;\n',
    }),
  ).toEqual(["no-circles"]);
});

it("refuses node-llama-cpp outside its worker, and folders that are no layer", () => {
  expect(broken({ "src/evaluation/a.ts": 'import { getLlama } from "node-llama-cpp";\nexport const a = getLlama;\n' })).toEqual(["llama-only-in-its-worker"]);
  expect(broken({ "src/helpers/a.ts": X, "src/helpers/b.ts": use("./a.ts") })).toEqual(["unknown-layer"]);
});
