/**
 * Brings a sequence's state to a prompt's beginning as cheaply as can be: a shared prefix (the tool
 * prompt) is evaluated once in the life of a context, saved, and loaded into the other sequences, which
 * takes milliseconds; between two prompts of one prefix only what follows it is erased.
 *
 * Nothing else that a sequence happens to hold is used again, though it could be: how a state was
 * evaluated touches its last bits, and the same requests are to give the same texts.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { LlamaContextSequence, Token } from "node-llama-cpp";

/** Prefixes kept on disk at a time; a run uses one or two. */
const KEPT = 4;

export class PrefixStates {
  readonly #folder: string;
  readonly #files = new Map<string, string>();
  /** Which prefix a sequence begins with. */
  readonly #held = new WeakMap<LlamaContextSequence, string>();
  #made = 0;

  /** @param folder an existing folder for the states' files */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Forgets every state: they belong to one context. */
  async clear(): Promise<void> {
    for (const file of this.#files.values()) await rm(file, { force: true });
    this.#files.clear();
  }

  /**
   * Leaves in the sequence the shared prefix, or nothing.
   *
   * @param prefixLength number of leading tokens of the prompt that other prompts share; 0 for none
   * @returns how many leading tokens of the prompt the sequence now holds; less than all, so that there is one to evaluate
   */
  async prepare(sequence: LlamaContextSequence, prompt: readonly Token[], prefixLength: number): Promise<number> {
    const wanted = Math.min(prefixLength, prompt.length - 1);
    const prefix = prompt.slice(0, wanted);
    const key = prefix.join(",");
    if (wanted > 0 && this.#held.get(sequence) === key) {
      await cutTo(sequence, wanted);
      return wanted;
    }
    this.#held.delete(sequence);
    await cutTo(sequence, 0);
    if (wanted <= 0) return 0;
    const file = this.#files.get(key);
    if (file === undefined) {
      await sequence.evaluateWithoutGeneratingNewTokens(prefix);
      await this.#save(sequence, key);
      // A state of this very model and context: this process made it.
    } else await sequence.loadStateFromFile(file, { acceptRisk: true });
    this.#held.set(sequence, key);
    return wanted;
  }

  async #save(sequence: LlamaContextSequence, key: string): Promise<void> {
    const oldest = this.#files.entries().next();
    if (this.#files.size >= KEPT && !oldest.done) {
      this.#files.delete(oldest.value[0]);
      await rm(oldest.value[1], { force: true });
    }
    const file = join(this.#folder, `prefix-${this.#made++}.bin`);
    await sequence.saveStateToFile(file);
    this.#files.set(key, file);
  }
}

async function cutTo(sequence: LlamaContextSequence, length: number): Promise<void> {
  if (sequence.nextTokenIndex > length) await sequence.eraseContextTokenRanges([{ start: length, end: sequence.nextTokenIndex }]);
}

/** How many leading tokens two lists share. */
export function commonLength(a: readonly Token[], b: readonly Token[]): number {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (n < most && a[n] === b[n]) n += 1;
  return n;
}
