/** Before any test: what is generated from schemas/ is there and fresh, and temporary folders lie in one that goes away with the run. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export default function setup(): () => void {
  execFileSync(process.execPath, [fileURLToPath(new URL("../../scripts/generate.mjs", import.meta.url))], { stdio: "inherit" });
  const room = mkdtempSync(join(tmpdir(), "forge-tests-"));
  // The processes of the tests inherit it.
  process.env.TMPDIR = room;
  return () => rmSync(room, { recursive: true, force: true });
}
