/**
 * Which ids there were already, among millions: an open-addressed table of 64-bit digests, eight bytes a place. Two of five million different ids are taken for
 * one once in a million such files; the later one then gets a name of its own, which does no harm.
 */
import { textDigest } from "./scale/text.ts";

export class SeenIds {
  /** Two numbers a place; 0 and 0: nothing there. */
  #slots = new Uint32Array(2 * 1024);
  #size = 0;

  /** Whether it was not there yet. */
  add(id: string): boolean {
    const { low, high } = textDigest(id);
    if (!put(this.#slots, low === 0 && high === 0 ? 1 : low, high)) return false;
    // At most three places in four are taken.
    if (++this.#size * 8 > this.#slots.length * 3) this.#grow();
    return true;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    for (let i = 0; i < old.length; i += 2) if (old[i] !== 0 || old[i + 1] !== 0) put(this.#slots, old[i] as number, old[i + 1] as number);
  }
}

function put(slots: Uint32Array, low: number, high: number): boolean {
  const mask = slots.length / 2 - 1;
  for (let at = (low ^ Math.imul(high, 0x9e3779b1)) & mask; ; at = (at + 1) & mask) {
    const [a, b] = [slots[2 * at], slots[2 * at + 1]];
    if (a === 0 && b === 0) {
      slots[2 * at] = low;
      slots[2 * at + 1] = high;
      return true;
    }
    if (a === low && b === high) return false;
  }
}
