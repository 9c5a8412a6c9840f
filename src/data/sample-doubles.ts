/**
 * Which of many samples say what an earlier one says, or nearly: by numbers alone, and by shingles in a file where they are many; the samples themselves
 * are not kept. They go by their places, from 0.
 */
import { Digests, WIDTH } from "./scale/digests.ts";
import { eachDuplicate } from "./scale/duplicates.ts";
import { ShingleSets, SMALLEST_KEPT } from "./scale/shingle-sets.ts";
import { saidIn, TextReader } from "./scale/text.ts";
import type { Sample } from "./types.ts";

const CHUNK = 1 << 16;
/** Shingles that are handed on together: a list a sample would cost more than what is in it. */
const TOGETHER = 1 << 16;

export class SampleDoubles {
  readonly #reader = new TextReader();
  #digests = new Digests();
  readonly #numbers = new Uint32Array(WIDTH);
  readonly #sets: ShingleSets;
  #shingles = new Uint32Array(TOGETHER);
  #shingleCount = 0;
  /** Where samples begin in their file. */
  readonly #starts: Float64Array[] = [];
  #count = 0;
  #bytes = 0;
  /** Two numbers a duplicate, in their order: its place, and twice the place of the earlier one, plus one where all words are the same. */
  #found = new Float64Array(2 * 64);
  #foundCount = 0;
  #given = 0;

  /** @param folder where a file may be put that memory has no room for */
  constructor(folder: () => string, mostInMemory?: number) {
    this.#sets = new ShingleSets(folder, mostInMemory);
  }

  /** @param bytes how many the sample has in its file, where one follows the other */
  add(sample: Sample, bytes = 0): void {
    if (this.#count % CHUNK === 0) this.#starts.push(new Float64Array(CHUNK));
    (this.#starts.at(-1) as Float64Array)[this.#count % CHUNK] = this.#bytes;
    this.#count++;
    this.#bytes += bytes;
    const reader = this.#reader;
    reader.read(saidIn(sample.messages));
    reader.digests(this.#numbers, 0);
    this.#digests.append(this.#numbers);
    if (reader.size >= SMALLEST_KEPT) this.#keep(reader.set.subarray(0, reader.size));
  }

  #keep(set: Uint32Array): void {
    if (this.#shingleCount + set.length > this.#shingles.length) this.#handOn(set.length);
    this.#shingles.set(set, this.#shingleCount);
    this.#shingleCount += set.length;
  }

  /** @param room how many more are to come */
  #handOn(room: number): void {
    this.#sets.append(this.#shingles.subarray(0, this.#shingleCount));
    this.#shingles = new Uint32Array(Math.max(TOGETHER, room));
    this.#shingleCount = 0;
  }

  /** Finds them, when all are in. */
  find(): void {
    this.#handOn(0);
    eachDuplicate(this.#digests, this.#sets, (at, of, exact) => {
      const i = 2 * this.#foundCount++;
      if (i === this.#found.length) {
        const more = new Float64Array(2 * i);
        more.set(this.#found);
        this.#found = more;
      }
      this.#found[i] = at;
      this.#found[i + 1] = 2 * of + (exact ? 1 : 0);
    });
    this.#digests = new Digests();
  }

  /** What a sample doubles, if it does; to be asked of one after the other. */
  next(place: number): { readonly of: number; readonly exact: boolean } | undefined {
    const i = 2 * this.#given;
    if (this.#given === this.#foundCount || this.#found[i] !== place) return undefined;
    this.#given++;
    const said = this.#found[i + 1] as number;
    return { of: Math.floor(said / 2), exact: said % 2 === 1 };
  }

  /** The byte that a sample begins at. */
  placeOf(place: number): number {
    return this.#starts[Math.floor(place / CHUNK)]?.[place % CHUNK] as number;
  }

  /** Takes away what was put into files. */
  close(): void {
    this.#sets.close();
  }
}
