/** `npm run bench -- NAME [flags]`: runs bench/NAME.mjs, .ts or .py; without a name, lists them. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const [name, ...flags] = process.argv.slice(2);
const names = readdirSync(here)
  .filter((f) => /\.(mjs|ts|py)$/.test(f) && !["run.mjs", "lib.mjs", "synthetic_rows.py", "berkeley.py", "hosted_peer.py", "machine.py"].includes(f))
  .map((f) => f.replace(/\.\w+$/, ""));
if (name === undefined || !names.includes(name)) {
  console.log(`usage: npm run bench -- NAME [flags]\n\n  ${names.join("\n  ")}\n\nbench/README.md says what each measures; each file begins with its flags.`);
  process.exit(name === undefined ? 0 : 4);
}
const script = (end) => join(here, `${name}.${end}`);
const run = (command, ...args) => spawnSync(command, [...args, ...flags], { stdio: "inherit" });
const ended = existsSync(script("mjs"))
  ? run(process.execPath, script("mjs"))
  : existsSync(script("ts"))
    ? run(process.execPath, join(here, "../scripts/run-ts.mjs"), script("ts"))
    : run(process.env.MCP_FORGE_PYTHON ?? "python3", script("py"));
process.exit(ended.status ?? 1);
