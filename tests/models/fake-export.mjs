#!/usr/bin/env node
/**
 * Stands in for a Python with forge's packages: keeps the spec that it was given (the last one in MCP_FORGE_FAKE_SEEN, all of them a line each in that file's name
 * with `.all`), writes an output that is named, and answers with the event that MCP_FORGE_FAKE_EVENT holds.
 */
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";

if (process.argv[2] === "-c") {
  console.log(JSON.stringify({ python: "3.11.7", packages: Object.fromEntries(process.argv.slice(4).map((n) => [n, "1.0"])) }));
  process.exit(0);
}
copyFileSync(process.argv[process.argv.indexOf("--spec") + 1], process.env.MCP_FORGE_FAKE_SEEN);
const spec = JSON.parse(readFileSync(process.env.MCP_FORGE_FAKE_SEEN, "utf8"));
appendFileSync(`${process.env.MCP_FORGE_FAKE_SEEN}.all`, `${JSON.stringify({ step: process.argv[process.argv.indexOf("--spec") - 1], ...spec })}\n`);
const event = JSON.parse(process.env.MCP_FORGE_FAKE_EVENT);
if (event.type === "result" && typeof spec.output === "string") writeFileSync(spec.output, "x");
console.log(JSON.stringify({ v: 1, ...event }));
process.exitCode = event.type === "result" ? 0 : 1;
