/** `npm run bench -- NAME [flags]`: runs bench/NAME.mjs or bench/NAME.py; without a name, lists them. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const [name, ...flags] = process.argv.slice(2);
const names = readdirSync(here)
  .filter((f) => /\.(mjs|py)$/.test(f) && !["run.mjs", "lib.mjs", "synthetic_rows.py", "berkeley.py"].includes(f))
  .map((f) => f.replace(/\.\w+$/, ""));
if (name === undefined || !names.includes(name)) {
  console.log(`usage: npm run bench -- NAME [flags]\n\n  ${names.join("\n  ")}\n\nbench/README.md says what each measures; each file begins with its flags.`);
  process.exit(name === undefined ? 0 : 4);
}
const script = join(here, `${name}.mjs`);
const ended = existsSync(script)
  ? spawnSync(process.execPath, [script, ...flags], { stdio: "inherit" })
  : spawnSync(process.env.MCP_FORGE_PYTHON ?? "python3", [join(here, `${name}.py`), ...flags], { stdio: "inherit" });
process.exit(ended.status ?? 1);
