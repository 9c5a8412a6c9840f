/** A mean of numbers between 0 and 1 that is the same in whatever order and parts they are added: their sum is held in whole numbers. */
export interface Sum {
  /** In units of 2^-26, 2^-52 and 2^-78; each a whole number below 2^53 for up to 2^26 numbers added. */
  readonly parts: readonly [number, number, number];
  readonly count: number;
}

export class Mean {
  #a = 0;
  #b = 0;
  #c = 0;
  #count = 0;

  add(x: number): void {
    const a = x * UNIT;
    this.#a += Math.floor(a);
    const b = (a - Math.floor(a)) * UNIT;
    this.#b += Math.floor(b);
    this.#c += Math.floor((b - Math.floor(b)) * UNIT);
    this.#count++;
  }

  merge({ parts: [a, b, c], count }: Sum): void {
    this.#a += a;
    this.#b += b;
    this.#c += c;
    this.#count += count;
  }

  sum(): Sum {
    return { parts: [this.#a, this.#b, this.#c], count: this.#count };
  }

  /** How many numbers were added. */
  get count(): number {
    return this.#count;
  }

  /** 0 of no numbers. */
  value(): number {
    return this.#count === 0 ? 0 : (this.#a + (this.#b + this.#c / UNIT) / UNIT) / UNIT / this.#count;
  }
}

const UNIT = 2 ** 26;
