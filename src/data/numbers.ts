/**
 * Numbers that a JSON text has and JavaScript's numbers do not: whole ones with more digits than a double holds, and
 * those beyond its range. Read and written again they would be others, without a word (RFC 8259, section 6). A fraction
 * is a double to every reader: that its last digits are rounded is no loss.
 */

/** Quick to look for, and in every text that such a number is in: many digits, or an exponent of three. */
const SUSPECT = /\d{16}|\d[eE][+-]?\d{3}/;
const NUMBER = /-?\d[\d.eE+-]*/y;

/** The lost numbers of a JSON text, what they are read as → how they stand there. What is inside of texts does not count. */
export function lostNumbers(json: string): ReadonlyMap<number, string> {
  const lost = new Map<number, string>();
  if (!SUSPECT.test(json)) return lost;
  for (let at = 0; at < json.length; at++) {
    const c = json[at] as string;
    if (c === '"') at = endOfText(json, at);
    else if (c === "-" || (c >= "0" && c <= "9")) {
      NUMBER.lastIndex = at;
      const literal = NUMBER.exec(json)?.[0] ?? c;
      if (!survives(literal)) lost.set(Number(literal), literal);
      at += literal.length - 1;
    }
  }
  return lost;
}

/** Where the text that begins at `from` has its closing quote. */
function endOfText(json: string, from: number): number {
  let at = from + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}

function survives(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value)) return false;
  return /[.eE]/.test(literal) || value === 0 || String(value) === literal;
}

/** Thrown where a lost number would have to be written; whoever reads a line catches it and names the line. */
export class LostNumber extends Error {
  /** What is wrong, as the end of a sentence about a line. */
  readonly what: string;

  constructor(literal: string) {
    const what = `has a call with the number ${literal.slice(0, 40)}, which would come out as ${JSON.stringify(Number(literal))}: write it in quotes`;
    super(what);
    this.what = what;
  }
}

/** The first of the lost numbers that is in a value, as it stood in its text. */
export function lostIn(value: unknown, lost: ReadonlyMap<number, string>): string | undefined {
  if (typeof value === "number") return lost.get(value);
  if (value === null || typeof value !== "object") return undefined;
  for (const member of Object.values(value)) {
    const found = lostIn(member, lost);
    if (found !== undefined) return found;
  }
  return undefined;
}
