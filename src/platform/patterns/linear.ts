/**
 * Asks RE2 (re2js) whether a text holds a pattern: its time grows with the text's length and no faster. The pattern is written anew, with every
 * character and class by its numbers, so that no difference between the two languages remains. Look-aheads RE2 does not know, but those at the
 * beginning, where people write them (`^(?!-)(?=.*\d).+$`), are patterns of their own; back references it cannot know.
 */
import { createRequire } from "node:module";
import { spend } from "../checking.ts";
import type { PatternNode, Ranges } from "./syntax.ts";

type Engine = typeof import("re2js");

/** Ten milliseconds, and only where a pattern needs it: so it is neither an import nor, as ajv waits for nobody, a promise. */
let engine: Engine | undefined;
const loaded = (): Engine => {
  // Bundled, `require` stands for what is in the bundle; run from the sources there is none.
  engine ??= typeof require === "undefined" ? (createRequire(import.meta.url)("re2js") as Engine) : (require("re2js") as Engine);
  return engine;
};

/** RE2 refuses repetitions of more than 1,000, nested ones multiplied; longer ones are written out, up to a length. */
const MOST_REPEATED = 1000;
const MOST_WRITTEN = 50_000;
/** Characters times instructions: what RE2 takes in a second at worst. */
const MOST_WORK = 30_000_000;
/** What one of these takes, in steps of V8's engine. */
const STEPS = 8;

/** A text of code units as RE2, which reads code points, shall see it: halves of pairs as characters of a plane that no unit reaches. */
const HALF = 0x100000;
const HALVES = /[\ud800-\udfff]/g;

/** What RE2 says of a text; of one so long that the bound on work is reached, that the pattern is not in it. */
export type LinearTest = (text: string) => boolean;

/** The test of a pattern, or null where RE2 cannot say it. */
export function linearTest(tree: PatternNode, unicode: boolean): LinearTest | null {
  try {
    const { ahead, rest } = taken(tree);
    const wanted = [{ not: false, of: rest }, ...ahead].map(({ not, of }) => ({ not, program: compile(of, unicode) }));
    const size = wanted.reduce((all, { program }) => all + program.programSize(), 1);
    return (text) => {
      if (size * text.length > MOST_WORK) return false;
      spend(size * text.length * STEPS);
      const seen = unicode ? text : text.replace(HALVES, (half) => String.fromCodePoint(half.charCodeAt(0) + HALF));
      return wanted.every(({ not, program }) => program.test(seen) !== not);
    };
  } catch (e) {
    if (e instanceof Unsayable) return null;
    throw e;
  }
}

class Unsayable extends Error {}

/** Takes what is looked for ahead at the very beginning off a pattern: each holds, or does not, by itself. */
function taken(tree: PatternNode): { ahead: readonly { not: boolean; of: PatternNode }[]; rest: PatternNode } {
  if (tree.kind !== "sequence" || tree.parts[0]?.kind !== "edge" || tree.parts[0].at !== "start") return { ahead: [], rest: tree };
  const [start, ...parts] = tree.parts;
  const ahead: { not: boolean; of: PatternNode }[] = [];
  let at = 0;
  for (let part = parts[at]; part?.kind === "look" && part.ahead; part = parts[++at])
    ahead.push({ not: part.not, of: { kind: "sequence", parts: [start, part.of] } });
  return { ahead, rest: { kind: "sequence", parts: [start, ...parts.slice(at)] } };
}

function compile(tree: PatternNode, unicode: boolean): { test(text: string): boolean; programSize(): number } {
  const writer = new Writer(unicode);
  const text = writer.write(tree).text;
  const { RE2JS } = loaded();
  try {
    return RE2JS.compile(text, writer.looksBehind ? RE2JS.LOOKBEHINDS : 0);
  } catch {
    throw new Unsayable(); // Too large: nothing else can be wrong with what is written here.
  }
}

interface Written {
  readonly text: string;
  /** How often its innermost part is repeated. */
  readonly repeated: number;
}

class Writer {
  looksBehind = false;
  readonly #unicode: boolean;
  constructor(unicode: boolean) {
    this.#unicode = unicode;
  }

  write(node: PatternNode): Written {
    const written = this.#write(node);
    if (written.text.length > MOST_WRITTEN) throw new Unsayable();
    return written;
  }

  #write(node: PatternNode): Written {
    switch (node.kind) {
      case "set":
        return { text: this.#class(node.ranges()), repeated: 1 };
      case "edge":
        return { text: { start: "\\A", end: "\\z", word: "\\b", "no word": "\\B" }[node.at], repeated: 1 };
      case "sequence":
        return this.#all(node.parts, "");
      case "choice": {
        const { text, repeated } = this.#all(node.branches, "|");
        return { text: `(?:${text})`, repeated };
      }
      case "repeat":
        return this.#repeat(this.write(node.of), node.least, node.most);
      case "look": {
        if (node.ahead) throw new Unsayable();
        this.looksBehind = true;
        const { text, repeated } = this.write(node.of);
        return { text: `(?<${node.not ? "!" : "="}${text})`, repeated };
      }
      case "back":
        throw new Unsayable();
    }
  }

  #all(nodes: readonly PatternNode[], between: string): Written {
    const all = nodes.map((n) => this.write(n));
    return { text: all.map((w) => w.text).join(between), repeated: Math.max(1, ...all.map((w) => w.repeated)) };
  }

  #repeat(of: Written, least: number, most: number): Written {
    const one = `(?:${of.text})`;
    if (least === 0 && most === Number.POSITIVE_INFINITY) return { text: `${one}*`, repeated: of.repeated };
    const chunk = Math.floor(MOST_REPEATED / of.repeated);
    const more = most === Number.POSITIVE_INFINITY ? 0 : most - least;
    if (chunk < 1 || ((least + more) / chunk) * one.length > MOST_WRITTEN) throw new Unsayable();
    const counted = (times: number, form: (n: number) => string): string => {
      let text = "";
      for (let left = times; left > 0; left -= chunk) text += `${one}${form(Math.min(left, chunk))}`;
      return text;
    };
    const text = `${counted(least, (n) => `{${n}}`)}${most === Number.POSITIVE_INFINITY ? `${one}*` : counted(more, (n) => `{0,${n}}`)}`;
    return { text: `(?:${text})`, repeated: of.repeated * Math.max(1, Math.min(chunk, Math.max(least, more))) };
  }

  #class(ranges: Ranges): string {
    const seen = this.#unicode ? ranges : ranges.flatMap(asSeen);
    if (seen.length === 0) return "[^\\x{0}-\\x{10ffff}]";
    return `[${seen.map(([a, b]) => (a === b ? hex(a) : `${hex(a)}-${hex(b)}`)).join("")}]`;
  }
}

const hex = (code: number): string => `\\x{${code.toString(16)}}`;

/** A range of code units, with the halves of pairs where the text has them. */
function asSeen([first, last]: readonly [number, number]): Ranges {
  const cut = (a: number, b: number, by: number): Ranges => {
    const [from, to] = [Math.max(first, a), Math.min(last, b)];
    return from > to ? [] : [[from + by, to + by]];
  };
  return [...cut(0, 0xd7ff, 0), ...cut(0xd800, 0xdfff, HALF), ...cut(0xe000, 0xffff, 0)];
}
