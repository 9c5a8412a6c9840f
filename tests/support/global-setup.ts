/** Before any test: what is generated from schemas/ is there and fresh. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export default function setup(): void {
  execFileSync(process.execPath, [fileURLToPath(new URL("../../scripts/generate.mjs", import.meta.url))], { stdio: "inherit" });
}
