/**
 * Samples in any number, made of 60 that forge generated (seeds.jsonl, the weather stub): other places, other numbers, half of them with
 * more said around the request; among them copies, near-copies and calls that the schema refuses. The same count and seed give the same bytes.
 *
 *     node bench/qa/rows.mjs COUNT FILE [SEED]
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SEEDS = readFileSync(join(import.meta.dirname, "seeds.jsonl"), "utf8")
  .trim()
  .split("\n");
const SYLLABLES = "ka ro vin tel mar su bo lin de pa ne gro ul fi san to wes har mi ne lo qua re du zan ei bra cho pe ril".split(" ");
/** One in so many is of the kind. */
const EXACT = 50;
const NEAR = 33;
const INVALID = 50;
/** How many samples back a copy's original may lie. */
const BACK = 200_000;

/** mulberry32 (Tommy Ettinger, public domain). */
const random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

const int = (next, n) => Math.floor(next() * n);
const word = (i) => SYLLABLES[i % 30] + SYLLABLES[Math.floor(i / 30) % 30] + (i < 900 ? "" : SYLLABLES[Math.floor(i / 900) % 30]);
/** Few words often, many seldom. */
const spoken = (next, n) => Array.from({ length: n }, () => word(Math.floor(8000 * next() ** 3))).join(" ");
const place = (next) => {
  const w = word(int(next, 27_000)) + (next() < 0.3 ? ` ${word(int(next, 900))}` : "");
  return w[0].toUpperCase() + w.slice(1);
};

/** A new sample, by its number alone. */
function fresh(i, seed) {
  const next = random(seed * 1_000_003 + i);
  let line = SEEDS[int(next, SEEDS.length)];
  const where = /\\"location\\":\\"([^"\\]+)\\"/.exec(line)?.[1];
  if (where !== undefined) {
    const to = place(next);
    line = line.replaceAll(where, to).replaceAll(where.toLowerCase(), to.toLowerCase());
  }
  const sample = JSON.parse(line);
  const said = sample.messages.find((m) => m.role === "user");
  const kind = next();
  if (kind < 0.5) said.content = `${said.content} ${spoken(next, 3 + int(next, kind < 0.1 ? 60 : 20))}`;
  else if (where === undefined) said.content = `${said.content} ${spoken(next, 3)}`;
  return sample;
}

function spoil(sample, next) {
  const call = sample.messages.find((m) => m.tool_calls)?.tool_calls[0].function;
  if (call === undefined) return;
  const how = int(next, 4);
  if (how === 0) call.arguments = "{}";
  else if (how === 1) call.arguments = '{"location":5}';
  else if (how === 2) call.arguments = call.arguments.slice(0, -1);
  else call.name = "get_weathers";
}

/** The sample of a number: fresh, or a copy of an earlier one. */
export function row(i, seed = 1) {
  const next = random(seed * 7_777_777 + i);
  const of = i === 0 ? 0 : i - 1 - int(next, Math.min(i, BACK));
  let sample;
  if (i > 0 && int(next, EXACT) === 0) {
    sample = fresh(of, seed);
    const said = sample.messages.find((m) => m.role === "user");
    said.content = `${said.content.toUpperCase()}!`;
  } else if (i > 0 && int(next, NEAR) === 0) {
    sample = fresh(of, seed);
    const said = sample.messages.find((m) => m.role === "user");
    const words = said.content.split(" ");
    if (next() < 0.5) words.push(word(int(next, 900)));
    else words.splice(int(next, words.length), 1);
    said.content = words.join(" ");
  } else sample = fresh(i, seed);
  if (int(next, INVALID) === 0) spoil(sample, next);
  sample.id = `row/${i}`;
  return sample;
}

/** Writes so many samples, one a line. */
export function writeRows(path, count, seed = 1) {
  const file = openSync(path, "w");
  let text = "";
  for (let i = 0; i < count; i++) {
    text += `${JSON.stringify(row(i, seed))}\n`;
    if (text.length > 1 << 22 || i === count - 1) {
      writeSync(file, text);
      text = "";
    }
  }
  closeSync(file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeRows(process.argv[3], Number(process.argv[2]), Number(process.argv[4] ?? 1));
