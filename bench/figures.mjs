/**
 * Tables of what the benchmarks print, and two runs side by side.
 *
 *     npm run bench -- figures RUN.jsonl [OTHER.jsonl]   a table of the run's figures; with two, what changed from the first to the second
 *     npm run bench -- figures --write                   renews the tables in docs/measurements.md from bench/figures/NAME.jsonl
 *     npm run bench -- figures --check                   says whether they are as those files say (exit 1 where not)
 *
 * A file holds the JSON lines of one run as they were printed; other lines in it are passed over. Ratios can be compared between runs and machines,
 * seconds only between runs of one machine.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./lib.mjs";

const FOLDER = join(root, "bench/figures");
const DOCUMENT = join(root, "docs/measurements.md");
const BEGIN = "<!-- figures: made by `npm run bench -- figures --write` -->";
const END = "<!-- end of figures -->";
/** What tells figures of one name apart, beside what they say. */
const APART = ["toolset", "workload", "batch", "way", "world", "seed", "contender", "cores"];

/** The figures of a run: its lines that are JSON objects with a name. */
export function figuresIn(text) {
  return text.split("\n").flatMap((line) => {
    try {
      const value = JSON.parse(line);
      return typeof value === "object" && value !== null && typeof value.name === "string" ? [value] : [];
    } catch {
      return [];
    }
  });
}

const called = (f) => [f.name, ...APART.flatMap((key) => (f[key] === undefined ? [] : [`${key} ${f[key]}`]))].join(", ");
const number = (x) => (typeof x === "number" ? x.toLocaleString("en-US", { maximumSignificantDigits: 4 }) : "");
const cell = (text) => String(text).replaceAll("|", "\\|");
const table = (head, rows) =>
  [`| ${head.join(" | ")} |`, `|${head.map(() => " --- |").join("")}`, ...rows.map((r) => `| ${r.map(cell).join(" | ")} |`)].join("\n");

/** One run as a Markdown table, with the machines that it ran on. */
export function tableOf(figures) {
  const rows = figures.map((f) => [called(f), number(f.ours ?? f.value), number(f.peer), number(f.ratio), number(f.n)]);
  const machines = [...new Set(figures.map((f) => f.machine).filter((m) => m !== undefined))];
  return `${table(["figure", "ours", "peer", "ratio", "n"], rows)}${machines.length > 0 ? `\n\nOn ${machines.join("; ")}.` : ""}`;
}

/** Two runs side by side: the ratio of each where there is one, else the value, and the second over the first. */
export function comparisonOf(before, after) {
  const earlier = new Map(before.map((f) => [called(f), f]));
  const of = (f) => f?.ratio ?? f?.ours ?? f?.value;
  const rows = after.map((f) => {
    const [was, is] = [of(earlier.get(called(f))), of(f)];
    return [called(f), f.ratio === undefined ? "value" : "ratio", number(was), number(is), typeof was === "number" && was !== 0 ? number(is / was) : ""];
  });
  const now = new Set(after.map(called));
  const gone = before.filter((f) => !now.has(called(f))).map((f) => [called(f), "not in the second", number(of(f)), "", ""]);
  return table(["figure", "", "first", "second", "second / first"], [...rows, ...gone]);
}

/** The tables of all files in bench/figures. A file may begin with the command that was run, after `$ `. */
export function block() {
  const sections = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".jsonl"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(FOLDER, name), "utf8");
      const commands = text.split("\n").flatMap((line) => (line.startsWith("$ ") ? [`\`${line.slice(2)}\``] : []));
      return `### ${name.replace(/\.jsonl$/, "")}\n\n${commands.length > 0 ? `${commands.join(", then ")}:\n\n` : ""}${tableOf(figuresIn(text))}`;
    });
  return `${BEGIN}\n\n${sections.join("\n\n")}\n\n${END}`;
}

/** The document with its tables as the files say. */
export function renewed(document) {
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${DOCUMENT} has no place for the tables: ${BEGIN} … ${END}`);
  return document.slice(0, from) + block() + document.slice(to + END.length);
}

function main() {
  const { values, positionals } = parseArgs({
    options: { write: { type: "boolean" }, check: { type: "boolean" } },
    allowPositionals: true,
  });
  if (values.write || values.check) {
    const document = readFileSync(DOCUMENT, "utf8");
    const now = renewed(document);
    if (values.write) writeFileSync(DOCUMENT, now);
    else if (now !== document) {
      console.error("docs/measurements.md does not say what bench/figures holds: run `npm run bench -- figures --write`");
      process.exit(1);
    }
    return;
  }
  const runs = positionals.map((path) => figuresIn(readFileSync(path, "utf8")));
  if (runs.length === 1) console.log(tableOf(runs[0]));
  else if (runs.length === 2) console.log(comparisonOf(runs[0], runs[1]));
  else {
    console.error("usage: npm run bench -- figures RUN.jsonl [OTHER.jsonl] | --write | --check");
    process.exit(4);
  }
}

if (process.argv[1] === import.meta.filename) main();
