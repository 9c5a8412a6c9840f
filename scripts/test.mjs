/**
 * `npm test`: builds, runs the TypeScript tests (vitest) and the Python tests (pytest), and ends with one line
 * `N passed, N failed` that sums both. Exit code 0 only if every test of both passed. `--slow` runs the slow tests
 * instead (tests/slow, and pytest's marked `slow`). Other arguments go to vitest.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./bundle-options.mjs";

const slow = process.argv.includes("--slow");
/** Where the tests' temporary folders lie, so that none is left behind. */
const room = mkdtempSync(join(realpathSync(tmpdir()), "forge-tests-"));
process.on("exit", () => {
  try {
    rmSync(room, { recursive: true, force: true });
  } catch {} // What a test locked stays until the system clears its temporary folder.
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
const total = { passed: 0, failed: 0, skipped: 0 };
const built = await run(process.execPath, [join(root, "scripts", "build.mjs")]);
if (built.code !== 0) total.failed++;
else {
  await vitest(process.argv.slice(2).filter((a) => a !== "--slow"));
  await pytest(slow ? ["-m", "slow"] : []);
}
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exit(total.failed > 0 || (total.passed === 0 && !slow) ? 1 : 0);

async function vitest(args) {
  const report = join(root, "node_modules", ".cache", "mcp-forge", `vitest-${process.pid}.json`);
  mkdirSync(join(report, ".."), { recursive: true });
  const { code } = await run(process.execPath, [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--project",
    slow ? "slow" : "fast",
    ...(slow ? ["--passWithNoTests"] : []),
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...args,
  ]);
  let failed = 0;
  try {
    const result = JSON.parse(readFileSync(report, "utf8"));
    total.passed += result.numPassedTests;
    total.skipped += result.numPendingTests + result.numTodoTests;
    // A file that cannot be loaded has no failed test of its own.
    failed = result.numFailedTests + result.testResults.filter((f) => f.status === "failed" && f.assertionResults.every((a) => a.status !== "failed")).length;
  } catch {
    failed = 1;
  }
  rmSync(report, { force: true });
  total.failed += code !== 0 && failed === 0 ? 1 : failed;
}

async function pytest(args) {
  const { code, output } = await run(process.execPath, [join(root, "scripts", "pytest.mjs"), ...args], true);
  const match = /^pytest: (\d+) passed, (\d+) failed$/m.exec(output);
  total.passed += Number(match?.[1] ?? 0);
  total.failed += match ? Number(match[2]) : 1;
  if (code !== 0 && match?.[2] === "0") total.failed++;
}

/** Runs a program in the repository; its output is shown, and kept if asked. */
function run(command, args, keep = false) {
  const env = { ...process.env, TMPDIR: room, ...(slow && { FORGE_SLOW: "1" }) };
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", keep ? "pipe" : "inherit", "inherit"] });
    let output = "";
    child.stdout?.on("data", (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
    child.on("error", () => resolve({ code: 1, output }));
  });
}
