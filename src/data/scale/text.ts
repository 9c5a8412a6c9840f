/**
 * Reads the user's words of a sample into numbers: the shingles of similarity.ts, digests of the whole and of its word n-grams. What it gives
 * is what `promptKey`, `wordsOf` and `shingles` say, to the bit (there is a test); ASCII, which most data is, is read in one pass
 * without making a text of it. Digests have 64 bits, in two halves: two of five million texts are taken for one once in a million such sets.
 */
import { shingles } from "../similarity.ts";
import { promptKey } from "../split.ts";

const SPACE = 32;
/** Kinds of ASCII characters: 1 letter or digit, 2 other that `promptKey` keeps, 4 mark that it drops at a word's end, 8 sign before a number, 16 sign between blanks. */
const KIND = new Uint8Array(128);
const kinds = (text: string, bit: number): void => {
  for (const c of text) KIND[c.charCodeAt(0)] = (KIND[c.charCodeAt(0)] as number) | bit;
};
kinds("abcdefghijklmnopqrstuvwxyz0123456789", 1);
kinds("/._@:+*%#<>=$-", 2);
kinds(".:_-", 4);
kinds("-+$", 8);
kinds("-+*/%<>=", 16);

/** A digest's second half goes another way than the first, which is `hash32`. */
export const mixLow = (x: number): number => {
  let h = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
};
export const mixHigh = (x: number): number => {
  let h = Math.imul((x + 0x9e3779b9) | 0, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** Digest of a text. */
export const textDigest = (text: string): { readonly low: number; readonly high: number } => {
  let low = 0x811c9dc5;
  let high = 0x3c6ef372;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    low = Math.imul(low ^ c, 0x01000193);
    high = Math.imul(high + c, 0x5bd1e995) ^ (high >>> 13);
  }
  return { low: mixLow(low), high: mixHigh(high) };
};

/** All that a user says, joined as it is compared. */
export const saidIn = (messages: readonly { readonly role: string; readonly content?: string | null }[]): string => {
  let said: string | undefined;
  for (const m of messages) if (m.role === "user") said = said === undefined ? (m.content ?? "") : `${said} / ${m.content ?? ""}`;
  return said ?? "";
};

/** One reader, its last text's numbers in it: a sample costs no objects. */
export class TextReader {
  /** The shingles, sorted, each once; the first `size` are those of the last text. */
  set = new Uint32Array(256);
  size = 0;
  /** Digest of the shingles as a set: the sum over them, so that one can be taken out again. */
  setLow = 0;
  setHigh = 0;
  /** Digest of the words as they are compared. */
  wordsLow = 0;
  wordsHigh = 0;
  /** How many words the distinct-n figures see (an empty text is one), and two halves of a digest of each. */
  words = 0;
  wordDigests = new Uint32Array(512);

  #key = new Uint8Array(1024);
  #clean = new Uint8Array(1024);
  /** Where the words of the shingles begin and end. */
  #bounds = new Uint32Array(512);

  /** @param said all that the user says, joined */
  read(said: string): void {
    const length = this.#keyOf(said);
    if (length < 0) this.#readAny(promptKey(said));
    else this.#readKey(length);
    this.#digestSet();
  }

  /** The five numbers of digests.ts, at a place of a list. */
  digests(into: Uint32Array, at: number): void {
    into[at] = this.setLow;
    into[at + 1] = this.setHigh;
    into[at + 2] = this.wordsLow;
    into[at + 3] = this.wordsHigh;
    into[at + 4] = this.size;
  }

  /** `promptKey` of an ASCII text, into `#clean`; its length, or -1 where the text is not ASCII. */
  #keyOf(said: string): number {
    if (this.#key.length < said.length + 2) {
      this.#key = new Uint8Array(2 * said.length);
      this.#clean = new Uint8Array(2 * said.length);
    }
    const key = this.#key;
    let n = 0;
    let blank = false;
    for (let i = 0; i < said.length; i++) {
      let c = said.charCodeAt(i);
      if (c > 127) return -1;
      if (c >= 65 && c <= 90) c += 32;
      if (((KIND[c] as number) & 3) === 0) blank = true;
      else {
        if (blank) key[n++] = SPACE;
        blank = false;
        key[n++] = c;
      }
    }
    if (blank) key[n++] = SPACE;
    return this.#withoutMarks(n);
  }

  /** Takes out marks at the ends of words, but a minus between two numbers, and the space around the whole. */
  #withoutMarks(n: number): number {
    const key = this.#key;
    const clean = this.#clean;
    let m = 0;
    for (let i = 0; i < n; i++) {
      const c = key[i] as number;
      if (((KIND[c] as number) & 4) !== 0) {
        let end = i + 1;
        let dashes = c === 45;
        while (end < n && ((KIND[key[end] as number] as number) & 4) !== 0) dashes = key[end++] === 45 && dashes;
        const atEnd = end === n || key[end] === SPACE;
        const kept = !atEnd || (dashes && i >= 2 && end + 1 < n && isDigit(key[i - 2]) && key[i - 1] === SPACE && isDigit(key[end + 1]));
        if (kept) while (i < end) clean[m++] = key[i++] as number;
        i = end - 1;
      } else if (c !== SPACE || m > 0) clean[m++] = c;
    }
    while (m > 0 && clean[m - 1] === SPACE) m--;
    return m;
  }

  #readKey(length: number): void {
    const text = this.#clean;
    let low = 0x811c9dc5;
    let high = 0x3c6ef372;
    let wordLow = low;
    let wordHigh = high;
    this.words = 0;
    let between = false;
    for (let i = 0; i < length; i++) {
      const c = text[i] as number;
      low = Math.imul(low ^ c, 0x01000193);
      high = Math.imul(high + c, 0x5bd1e995) ^ (high >>> 13);
      if (c === SPACE || c === 47) {
        if (!between) this.#word(wordLow, wordHigh);
        between = true;
        wordLow = 0x811c9dc5;
        wordHigh = 0x3c6ef372;
      } else {
        between = false;
        wordLow = Math.imul(wordLow ^ c, 0x01000193);
        wordHigh = Math.imul(wordHigh + c, 0x5bd1e995) ^ (wordHigh >>> 13);
      }
    }
    this.#word(wordLow, wordHigh);
    this.wordsLow = mixLow(low);
    this.wordsHigh = mixHigh(high);
    this.#shingle(this.#tokens(length));
  }

  #word(low: number, high: number): void {
    if (this.wordDigests.length < 2 * this.words + 2) this.wordDigests = grown(this.wordDigests);
    this.wordDigests[2 * this.words] = mixLow(low);
    this.wordDigests[2 * this.words + 1] = mixHigh(high);
    this.words++;
  }

  /** `wordsOf`, as bounds; how many there are. */
  #tokens(length: number): number {
    const text = this.#clean;
    const kind = (i: number): number => (i < 0 || i >= length ? 0 : (KIND[text[i] as number] as number));
    let n = 0;
    for (let i = 0; i < length; ) {
      const k = kind(i);
      let end = i;
      if ((k & 1) !== 0) {
        while ((kind(end) & 1) !== 0) end++;
        const c = end < length ? text[end] : 0;
        if (c === 35 || c === 37) end++;
        else if (c === 43) end += text[end + 1] === 43 && end + 1 < length ? 2 : 1;
      } else if ((k & 8) !== 0 && (kind(i - 1) & 1) === 0 && i + 1 < length && isDigit(text[i + 1])) {
        end++;
        while ((kind(end) & 1) !== 0) end++;
        if (end < length && text[end] === 37) end++;
      } else if ((k & 16) !== 0 && i > 0 && text[i - 1] === SPACE && i + 1 < length && text[i + 1] === SPACE) end++;
      if (end === i) {
        i++;
        continue;
      }
      if (this.#bounds.length < 2 * n + 2) this.#bounds = grown(this.#bounds);
      this.#bounds[2 * n] = i;
      this.#bounds[2 * n + 1] = end;
      n++;
      i = end;
    }
    return n;
  }

  /** `shingles`, of the tokens in `#bounds`. */
  #shingle(tokens: number): void {
    const many = Math.max(1, tokens - 2);
    if (this.set.length < many) this.set = new Uint32Array(2 * many);
    const { set } = this;
    const text = this.#clean;
    const bounds = this.#bounds;
    let n = 0;
    for (let first = 0; first < many; first++) {
      let h = 0x811c9dc5;
      const last = Math.min(first + 3, tokens);
      for (let w = first; w < last; w++) {
        if (w > first) h = Math.imul(h ^ SPACE, 0x01000193);
        const end = bounds[2 * w + 1] as number;
        for (let i = bounds[2 * w] as number; i < end; i++) h = Math.imul(h ^ (text[i] as number), 0x01000193);
      }
      h ^= h >>> 16;
      h = Math.imul(h, 0x85ebca6b);
      h ^= h >>> 13;
      h = Math.imul(h, 0xc2b2ae35);
      set[n++] = h ^ (h >>> 16);
    }
    this.size = sortedOnce(set, n);
  }

  /** The same of words in any script. */
  #readAny(key: string): void {
    const whole = textDigest(key);
    this.wordsLow = whole.low;
    this.wordsHigh = whole.high;
    this.words = 0;
    for (const word of key.split(/[\s/]+/)) {
      if (this.wordDigests.length < 2 * this.words + 2) this.wordDigests = grown(this.wordDigests);
      const { low, high } = textDigest(word);
      this.wordDigests[2 * this.words] = low;
      this.wordDigests[2 * this.words + 1] = high;
      this.words++;
    }
    const found = shingles(key);
    if (this.set.length < found.length) this.set = new Uint32Array(2 * found.length);
    this.set.set(found);
    this.size = found.length;
  }

  #digestSet(): void {
    let low = 0;
    let high = 0;
    for (let i = 0; i < this.size; i++) {
      const s = this.set[i] as number;
      low = (low + mixLow(s)) | 0;
      high = (high + mixHigh(s)) | 0;
    }
    this.setLow = low >>> 0;
    this.setHigh = high >>> 0;
  }
}

const isDigit = (c: number | undefined): boolean => c !== undefined && c >= 48 && c <= 57;

const grown = (list: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
  const more = new Uint32Array(2 * list.length);
  more.set(list);
  return more;
};

/** Few enough for insertion to be faster than a call of the engine's sort. */
const FEW = 40;

/** Sorts the first `n` and takes out doubles; how many are left. */
function sortedOnce(list: Uint32Array, n: number): number {
  if (n > FEW) list.subarray(0, n).sort();
  else
    for (let i = 1; i < n; i++) {
      const x = list[i] as number;
      let j = i - 1;
      for (; j >= 0 && (list[j] as number) > x; j--) list[j + 1] = list[j] as number;
      list[j + 1] = x;
    }
  let m = Math.min(n, 1);
  for (let i = 1; i < n; i++) if (list[i] !== list[i - 1]) list[m++] = list[i] as number;
  return m;
}
