#!/usr/bin/env node
/** Stands in for a Python with forge's packages: "converts" a folder by joining the names and bytes of its files. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

if (process.argv[2] === "-c") {
  console.log(JSON.stringify({ python: "3.11.7", packages: Object.fromEntries(process.argv.slice(4).map((n) => [n, "1.0"])) }));
  process.exit(0);
}
const spec = JSON.parse(readFileSync(process.argv[process.argv.indexOf("--spec") + 1], "utf8"));
const names = readdirSync(spec.folder).sort();
const made = Buffer.concat(names.flatMap((name) => [Buffer.from(`${name}\n`), readFileSync(join(spec.folder, name))]));
writeFileSync(spec.output, made);
const figures = { bytes: made.length, sha256: createHash("sha256").update(made).digest("hex") };
if (process.env.MCP_FORGE_FAKE_SEEN) writeFileSync(process.env.MCP_FORGE_FAKE_SEEN, JSON.stringify({ spec, env: process.env }));
console.log(JSON.stringify({ v: 1, type: "result", figures }));
