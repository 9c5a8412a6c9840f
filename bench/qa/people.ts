/**
 * Near-duplicates among requests that people wrote: our detector against comparing every text with every one before it, by sets of the texts' own word triples.
 *
 *     node scripts/run-ts.mjs bench/qa/people.ts FILE...
 *
 * Files of JSON lines: `messages`, or `question` as the Berkeley leaderboard's data has it (a list of turns, each a list of messages; the wheel of `bfcl-eval`). Prints one JSON line:
 * texts, pairs by their similarity, duplicates found by each way, and those of the one that the other has not.
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Digests } from "../../src/data/scale/digests.ts";
import { eachDuplicate } from "../../src/data/scale/duplicates.ts";
import { ShingleSets, SMALLEST_KEPT } from "../../src/data/scale/shingle-sets.ts";
import { saidIn, TextReader } from "../../src/data/scale/text.ts";
import { NEAR_DUPLICATE, wordsOf } from "../../src/data/similarity.ts";
import { promptKey } from "../../src/data/split.ts";

interface Said {
  readonly role: string;
  readonly content: string | null;
}

const texts = process.argv.slice(2).flatMap((path) =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly messages?: readonly Said[]; readonly question?: readonly (readonly Said[])[] })
    .map(({ messages, question }) => saidIn(messages ?? (question ?? []).flat())),
);

const [digests, sets, reader] = [new Digests(), new ShingleSets(tmpdir), new TextReader()];
const numbers = new Uint32Array(5);
for (const text of texts) {
  reader.read(text);
  reader.digests(numbers, 0);
  digests.append(numbers);
  if (reader.size >= SMALLEST_KEPT) sets.append(reader.set.slice(0, reader.size));
}
const ours: number[] = [];
eachDuplicate(digests, sets, (at) => ours.push(at));
sets.close();

/** Word triples as texts, not as hashes. */
const triples = texts.map((text) => {
  const words = wordsOf(promptKey(text));
  return new Set(words.length <= 3 ? [words.join(" ")] : words.slice(2).map((_, i) => words.slice(i, i + 3).join(" ")));
});
const pairs: Record<string, number> = { "0.80 to 0.90": 0, "0.90 to 0.95": 0, "0.95 to 1": 0, "1": 0 };
const brute: number[] = [];
const kept: number[] = [];
for (const [i, set] of triples.entries()) {
  let double = false;
  for (let j = 0; j < i; j++) {
    const other = triples[j] as Set<string>;
    let both = 0;
    for (const triple of set) if (other.has(triple)) both++;
    const similarity = both / (set.size + other.size - both);
    const range = similarity === 1 ? "1" : similarity >= NEAR_DUPLICATE ? "0.95 to 1" : similarity >= 0.9 ? "0.90 to 0.95" : "0.80 to 0.90";
    if (similarity >= 0.8) pairs[range] = (pairs[range] ?? 0) + 1;
    double ||= similarity >= NEAR_DUPLICATE && kept.includes(j);
  }
  if (double) brute.push(i);
  else kept.push(i);
}
const without = (a: readonly number[], b: readonly number[]): number => a.filter((i) => !b.includes(i)).length;
console.log(
  JSON.stringify({ texts: texts.length, pairs, ours: ours.length, brute: brute.length, missed: without(brute, ours), false_alarms: without(ours, brute) }),
);
