/** What near-duplicates are found by, five numbers a sample: two halves of a digest of its shingles, two of its words, and how many shingles it has. */
export const WIDTH = 5;
const BITS = 14;
const CHUNK = 1 << BITS;

export class Digests {
  readonly #chunks: Uint32Array[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds samples, `WIDTH` numbers each. */
  append(list: Uint32Array): void {
    for (let from = 0; from < list.length; ) {
      const at = (this.#count & (CHUNK - 1)) * WIDTH;
      if (at === 0) this.#chunks.push(new Uint32Array(CHUNK * WIDTH));
      const part = list.subarray(from, from + CHUNK * WIDTH - at);
      (this.#chunks.at(-1) as Uint32Array).set(part, at);
      this.#count += part.length / WIDTH;
      from += part.length;
    }
  }

  #number(sample: number, which: number): number {
    return (this.#chunks[sample >>> BITS] as Uint32Array)[(sample & (CHUNK - 1)) * WIDTH + which] as number;
  }

  setLow = (sample: number): number => this.#number(sample, 0);
  setHigh = (sample: number): number => this.#number(sample, 1);
  size = (sample: number): number => this.#number(sample, 4);

  sameWords(a: number, b: number): boolean {
    return this.#number(a, 2) === this.#number(b, 2) && this.#number(a, 3) === this.#number(b, 3);
  }
}
