/**
 * A text that a regular expression takes, for schemas that state their values' form (`^[A-Z]{3}-\\d{4}$`). Reads the common part of the syntax:
 * characters, classes, groups, choices and repetitions; of look-arounds, back references and properties it makes nothing. Whoever
 * asks tries the text against the pattern: this is only a good guess.
 */
import type { Rng } from "../../../../platform/rng.ts";

/** A pattern is foreign: neither it nor what it asks for is read without end. */
const MOST_PATTERN = 300;
const MOST_TEXT = 80;
/** Pieces read in all: repetitions of repetitions of nothing make no text, and take as long. */
const MOST_READ = 2_000;
/** How often what may come any number of times comes, beyond what it must. */
const MORE = 3;
const UPPER = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const LOWER = "abcdefghijkmnopqrstuvwxyz";
const DIGITS = "0123456789";
/** Of a class everything printable counts. */
const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");
const CLASSES: Readonly<Record<string, string>> = { d: DIGITS, w: UPPER + LOWER + DIGITS, s: " ", D: LOWER, W: "-", S: LOWER, t: "\t", n: "\n" };

/** A text like the pattern, or null where the pattern has what is not read here. */
export function textLike(pattern: string, rng: Rng): string | null {
  if (pattern.length > MOST_PATTERN) return null;
  try {
    const reader = new Reader(pattern, rng);
    const text = reader.choice();
    return reader.ended && text.length <= MOST_TEXT ? text : null;
  } catch (e) {
    if (e instanceof Unread) return null;
    throw e;
  }
}

class Unread extends Error {}

class Reader {
  #at = 0;
  #read = 0;
  readonly #pattern: string;
  readonly #rng: Rng;
  constructor(pattern: string, rng: Rng) {
    this.#pattern = pattern;
    this.#rng = rng;
  }

  get ended(): boolean {
    return this.#at >= this.#pattern.length;
  }

  #next(): string {
    const c = this.#pattern[this.#at++];
    if (c === undefined) throw new Unread();
    return c;
  }

  #take(text: string): boolean {
    if (!this.#pattern.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** `a|b`: one of the branches, all of which are read. */
  choice(): string {
    const branches = [this.#sequence()];
    while (this.#take("|")) branches.push(this.#sequence());
    return this.#rng.pick(branches);
  }

  #sequence(): string {
    let out = "";
    while (!this.ended && this.#pattern[this.#at] !== "|" && this.#pattern[this.#at] !== ")") {
      if (this.#take("^") || this.#take("$")) continue;
      const start = this.#at;
      const once = this.#atom();
      const [least, most] = this.#times();
      const times = this.#rng.int(least, most);
      if (out.length + times > MOST_TEXT) throw new Unread();
      const end = this.#at;
      // Each time anew: `\\d{4}` is seldom four of a kind.
      for (let i = 0; i < times; i++) {
        if (i === 0) out += once;
        else {
          this.#at = start;
          out += this.#atom();
        }
        if (out.length > MOST_TEXT) throw new Unread();
      }
      this.#at = end;
    }
    return out;
  }

  #atom(): string {
    if (++this.#read > MOST_READ) throw new Unread();
    const c = this.#next();
    if (c === "(") {
      if (this.#take("?") && !this.#take(":") && !/^<[a-zA-Z]\w*>/.test(this.#pattern.slice(this.#at))) throw new Unread();
      if (this.#pattern[this.#at] === "<") this.#at = this.#pattern.indexOf(">", this.#at) + 1;
      const inside = this.choice();
      if (!this.#take(")")) throw new Unread();
      return inside;
    }
    if (c === "[") return this.#class();
    if (c === ".") return this.#one(LOWER);
    if (c === "\\") return this.#escaped();
    if ("*+?{".includes(c)) throw new Unread();
    return c;
  }

  #escaped(): string {
    const c = this.#next();
    const members = CLASSES[c];
    if (members !== undefined) return this.#one(members);
    if (c === "b") return "";
    if (/[a-zA-Z0-9]/.test(c)) throw new Unread();
    return c;
  }

  #class(): string {
    const not = this.#take("^");
    let members = "";
    for (let first = true; first || this.#pattern[this.#at] !== "]"; first = false) {
      let c = this.#next();
      if (c === "\\") {
        c = this.#next();
        const named = CLASSES[c];
        if (named !== undefined) {
          members += named;
          continue;
        }
        if (/[a-zA-Z0-9]/.test(c)) throw new Unread();
      }
      const ranged = this.#pattern[this.#at] === "-" && this.#pattern[this.#at + 1] !== "]" && this.#pattern[this.#at + 1] !== "\\";
      if (!ranged) {
        members += c;
        continue;
      }
      this.#at++;
      const last = this.#next();
      members += [...PRINTABLE].filter((x) => x >= c && x <= last).join("");
    }
    this.#at++;
    const usual = not ? [...PRINTABLE].filter((x) => !members.includes(x)).join("") : members;
    const telling = [...usual].filter((x) => /[A-Za-z0-9]/.test(x)).join("");
    return this.#one(telling === "" ? usual : telling);
  }

  #one(members: string): string {
    if (members === "") throw new Unread();
    return members[this.#rng.int(0, members.length - 1)] as string;
  }

  #times(): [least: number, most: number] {
    const stated = /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(this.#pattern.slice(this.#at));
    let times: [number, number] = [1, 1];
    if (this.#take("*")) times = [0, MORE];
    else if (this.#take("+")) times = [1, 1 + MORE];
    else if (this.#take("?")) times = [0, 1];
    else if (stated !== null) {
      this.#at += stated[0].length;
      const least = Number(stated[1]);
      times = [least, stated[2] === undefined ? least : Math.max(least, Math.min(stated[3] === "" ? least + MORE : Number(stated[3]), least + MORE))];
    } else return times;
    this.#take("?");
    return times;
  }
}
