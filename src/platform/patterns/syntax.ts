/**
 * Reads a regular expression of ECMAScript (ECMA-262, 22.2.1, and Annex B where the flag `u` is absent) into a tree, so that what a match may
 * cost can be told (cost.ts) and another engine be asked instead (linear.ts). Whether the text is a pattern at all says `RegExp`, before.
 */

/** Code points, or without `u` code units: pairs of a first and a last one, sorted and apart. */
export type Ranges = readonly (readonly [first: number, last: number])[];

export type PatternNode =
  /** One character. Ranges are made when asked for: those of a property of Unicode take milliseconds. */
  | { readonly kind: "set"; readonly ranges: () => Ranges }
  | { readonly kind: "sequence"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly branches: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly of: PatternNode; readonly least: number; readonly most: number }
  | { readonly kind: "edge"; readonly at: "start" | "end" | "word" | "no word" }
  | { readonly kind: "look"; readonly ahead: boolean; readonly not: boolean; readonly of: PatternNode }
  | { readonly kind: "back" };

/** The tree of a pattern that `RegExp` takes with these flags; null where it holds what is not read here (octal escapes, inline flags), or is nested too deeply. */
export function readPattern(pattern: string, unicode: boolean): PatternNode | null {
  try {
    const reader = new Reader(pattern, unicode);
    const tree = reader.choice(0);
    return reader.ended ? tree : null;
  } catch (e) {
    if (e instanceof Unread) return null;
    throw e;
  }
}

class Unread extends Error {}

/** Deeper than anybody writes, and far from the end of any stack. */
const MOST_DEPTH = 100;
const SURROGATES = [0xd800, 0xdfff] as const;
const DIGIT: Ranges = [[0x30, 0x39]];
const WORD: Ranges = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACE: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_ENDS: Ranges = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const CONTROLS: Readonly<Record<string, number>> = { f: 0x0c, n: 0x0a, r: 0x0d, t: 0x09, v: 0x0b };

class Reader {
  #at = 0;
  readonly #pattern: string;
  readonly #unicode: boolean;
  readonly #groups: number;

  constructor(pattern: string, unicode: boolean) {
    this.#pattern = pattern;
    this.#unicode = unicode;
    // More than there are where a class holds a bracket: then `\1` counts as a reference, which is never cheaper than what it is.
    this.#groups = pattern.split("(").length - 1;
  }

  get ended(): boolean {
    return this.#at >= this.#pattern.length;
  }

  choice(depth: number): PatternNode {
    if (depth > MOST_DEPTH) throw new Unread();
    const branches = [this.#sequence(depth)];
    while (this.#take("|")) branches.push(this.#sequence(depth));
    return branches.length === 1 ? (branches[0] as PatternNode) : { kind: "choice", branches };
  }

  #sequence(depth: number): PatternNode {
    const parts: PatternNode[] = [];
    while (!this.ended && this.#pattern[this.#at] !== "|" && this.#pattern[this.#at] !== ")") parts.push(this.#repeated(this.#term(depth)));
    return { kind: "sequence", parts };
  }

  #term(depth: number): PatternNode {
    const c = this.#next();
    if (c === "^") return { kind: "edge", at: "start" };
    if (c === "$") return { kind: "edge", at: "end" };
    if (c === ".") return set(() => without(LINE_ENDS, this.#last));
    if (c === "(") return this.#group(depth);
    if (c === "[") return this.#class();
    if (c === "\\") return this.#escape();
    if ("*+?".includes(c)) throw new Unread();
    return one(c.codePointAt(0) as number);
  }

  get #last(): number {
    return this.#unicode ? 0x10ffff : 0xffff;
  }

  #group(depth: number): PatternNode {
    const look = /^\?(<?)([=!])/.exec(this.#pattern.slice(this.#at, this.#at + 3));
    if (look !== null) this.#at += look[0].length;
    else if (this.#take("?") && !this.#take(":")) {
      const name = /^<[^>]*>/.exec(this.#pattern.slice(this.#at));
      if (name === null) throw new Unread();
      this.#at += name[0].length;
    }
    const of = this.choice(depth + 1);
    if (!this.#take(")")) throw new Unread();
    return look === null ? of : { kind: "look", ahead: look[1] === "", not: look[2] === "!", of };
  }

  #repeated(of: PatternNode): PatternNode {
    const stated = /^(?:[*+?]|\{(\d+)(,(\d*))?\})/.exec(this.#pattern.slice(this.#at));
    if (stated === null) return of;
    this.#at += stated[0].length;
    this.#take("?"); // Lazy or not, it takes the same texts.
    const [sign, least, open, most] = stated;
    if (least === undefined) return { kind: "repeat", of, least: sign === "+" ? 1 : 0, most: sign === "?" ? 1 : Number.POSITIVE_INFINITY };
    return { kind: "repeat", of, least: count(least), most: open === undefined ? count(least) : most === "" ? Number.POSITIVE_INFINITY : count(most) };
  }

  /** After a backslash that stands in no class. */
  #escape(): PatternNode {
    const c = this.#pattern[this.#at];
    if (c === "b" || c === "B") {
      this.#at++;
      return { kind: "edge", at: c === "b" ? "word" : "no word" };
    }
    const number = /^[1-9]\d{0,8}/.exec(this.#pattern.slice(this.#at, this.#at + 9));
    if (number !== null) {
      if (!this.#unicode && Number(number[0]) > this.#groups) throw new Unread();
      this.#at += number[0].length;
      return { kind: "back" };
    }
    const name = /^k<[^>]*>/.exec(this.#pattern.slice(this.#at));
    if (c === "k") {
      if (name === null || !(this.#unicode || this.#pattern.includes("(?<"))) throw new Unread();
      this.#at += name[0].length;
      return { kind: "back" };
    }
    const read = this.#member();
    return typeof read === "number" ? one(read) : set(read);
  }

  /** After a backslash: a character, or several of them. */
  #member(): number | (() => Ranges) {
    const c = this.#next();
    const last = this.#last;
    switch (c) {
      case "d":
        return () => DIGIT;
      case "D":
        return () => without(DIGIT, last);
      case "w":
        return () => WORD;
      case "W":
        return () => without(WORD, last);
      case "s":
        return () => SPACE;
      case "S":
        return () => without(SPACE, last);
      case "p":
      case "P": {
        if (!this.#unicode) return c.charCodeAt(0);
        const name = /^\{[^}]*\}/.exec(this.#pattern.slice(this.#at));
        if (name === null) throw new Unread();
        this.#at += name[0].length;
        return () => ofProperty(`\\${c}${name[0]}`);
      }
      case "c": {
        const letter = this.#pattern[this.#at] ?? "";
        if (!/[A-Za-z]/.test(letter)) throw new Unread();
        this.#at++;
        return letter.charCodeAt(0) % 32;
      }
      case "x":
        return this.#hex(2) ?? c.charCodeAt(0);
      case "u":
        return this.#unicodeEscape() ?? c.charCodeAt(0);
      default:
        if (c >= "0" && c <= "9" && c.length === 1) {
          if (c !== "0" || /\d/.test(this.#pattern[this.#at] ?? "")) throw new Unread();
          return 0;
        }
        return CONTROLS[c] ?? (c.codePointAt(0) as number);
    }
  }

  #hex(digits: number): number | undefined {
    const text = this.#pattern.slice(this.#at, this.#at + digits);
    if (text.length !== digits || !/^[0-9a-fA-F]+$/.test(text)) return undefined;
    this.#at += digits;
    return Number.parseInt(text, 16);
  }

  #unicodeEscape(): number | undefined {
    const braced = this.#unicode ? /^\{([0-9a-fA-F]+)\}/.exec(this.#pattern.slice(this.#at)) : null;
    if (braced !== null) {
      this.#at += braced[0].length;
      return Number.parseInt(braced[1] as string, 16);
    }
    const unit = this.#hex(4);
    if (unit === undefined || !this.#unicode || unit < 0xd800 || unit > 0xdbff) return unit;
    const pair = /^\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(this.#pattern.slice(this.#at, this.#at + 6));
    if (pair === null) return unit;
    this.#at += pair[0].length;
    return 0x10000 + ((unit - 0xd800) << 10) + (Number.parseInt(pair[1] as string, 16) - 0xdc00);
  }

  #class(): PatternNode {
    const not = this.#take("^");
    const members: (() => Ranges)[] = [];
    while (!this.#take("]")) {
      const first = this.#inClass();
      const ranged = this.#pattern[this.#at] === "-" && this.#pattern[this.#at + 1] !== "]";
      if (ranged) {
        this.#at++;
        const last = this.#inClass();
        // Annex B: `[\w-.]` holds a hyphen.
        if (typeof first === "number" && typeof last === "number") members.push(() => [[first, last]]);
        else members.push(...[first, 0x2d, last].map(rangesOf));
      } else members.push(rangesOf(first));
    }
    const last = this.#last;
    return set(() => {
      const held = together(members.flatMap((ranges) => ranges()));
      return not ? without(held, last) : held;
    });
  }

  #inClass(): number | (() => Ranges) {
    const c = this.#next();
    if (c !== "\\") return c.codePointAt(0) as number;
    if (this.#take("b")) return 0x08;
    return this.#member();
  }

  #next(): string {
    const code = this.#unicode ? this.#pattern.codePointAt(this.#at) : this.#pattern.charCodeAt(this.#at);
    if (code === undefined || Number.isNaN(code)) throw new Unread();
    this.#at += code > 0xffff ? 2 : 1;
    return String.fromCodePoint(code);
  }

  #take(text: string): boolean {
    if (!this.#pattern.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}

/** A number of times; beyond what any text has they are all the same. */
const count = (digits: string | undefined): number => Math.min(Number(digits), 2 ** 31);
const set = (ranges: () => Ranges): PatternNode => ({ kind: "set", ranges });
const one = (code: number): PatternNode => set(() => [[code, code]]);
const rangesOf = (member: number | (() => Ranges)): (() => Ranges) => (typeof member === "number" ? () => [[member, member]] : member);

/** The same characters, sorted and each once. */
function together(ranges: Ranges): Ranges {
  const out: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const before = out.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else out.push([first, last]);
  }
  return out;
}

/** All characters up to `last` but these, which are sorted. */
function without(ranges: Ranges, last: number): Ranges {
  const out: [number, number][] = [];
  let from = 0;
  for (const [a, b] of ranges) {
    if (a > from) out.push([from, a - 1]);
    from = b + 1;
  }
  if (from <= last) out.push([from, last]);
  return out;
}

const properties = new Map<string, Ranges>();
let everything: string | undefined;

/** What `\\p{…}` takes, as this machine's `RegExp` has it. */
function ofProperty(escaped: string): Ranges {
  const known = properties.get(escaped);
  if (known !== undefined) return known;
  everything ??= everyCharacter();
  const ranges: [number, number][] = [];
  for (const [run] of everything.matchAll(new RegExp(`${escaped}+`, "gu")))
    for (const character of run) {
      const code = character.codePointAt(0) as number;
      const before = ranges.at(-1);
      if (before !== undefined && before[1] === code - 1) before[1] = code;
      else ranges.push([code, code]);
    }
  const found = together(ranges);
  properties.set(escaped, found);
  return found;
}

/** Each code point once; low surrogates before high ones, so that no two of them make a pair. */
function everyCharacter(): string {
  const [high, low] = [SURROGATES[0], SURROGATES[1]];
  const spans = [
    [0, high - 1],
    [low + 1, 0xffff],
    [0xdc00, low],
    [high, 0xdbff],
    [0x10000, 0x10ffff],
  ] as const;
  let text = "";
  for (const [first, last] of spans)
    for (let from = first; from <= last; from += 0x1000)
      text += String.fromCodePoint(...Array.from({ length: Math.min(0x1000, last - from + 1) }, (_, i) => from + i));
  return text;
}
