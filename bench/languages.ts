/**
 * How various augmented conversations are in each language that has a pack, beside English: near-duplicates, distinct-n and self-similarity as `forge qa` has them.
 *
 *   npm run bench -- languages [--factor 10] [--seed 7]
 *
 * The conversations are those of tests/data/language-seeds.ts, the same requests in each language. Needs nothing.
 */
import { parseArgs } from "node:util";
import { packCodes } from "../src/data/languages/pack.ts";
import { measureQuality } from "../src/data/qa.ts";
import { varyAll } from "../tests/data/language-rig.ts";
import { seedTools } from "../tests/data/language-seeds.ts";
import { machine } from "./lib.mjs";

const { values: o } = parseArgs({ options: { factor: { type: "string", default: "10" }, seed: { type: "string", default: "7" } } });
const factor = Number(o.factor);
let english: Readonly<Record<string, number>> | undefined;
for (const code of ["en", ...packCodes()]) {
  const { train, statistics } = await varyAll(code, factor, { seed: Number(o.seed) });
  const { diversity, figures } = measureQuality({ samples: train, heldout: [], toolset: seedTools });
  const { distinct_1, distinct_2, distinct_3, self_similarity } = diversity;
  const measured = { distinct_1, distinct_2, distinct_3, self_similarity, near_duplicates: Number(figures.duplicates), short: statistics.short.length };
  english ??= measured;
  for (const [name, value] of Object.entries(measured)) {
    const peer = english[name];
    console.log(
      JSON.stringify({ name: `${code} ${name}`, ours: value, ...(code !== "en" && { peer, ratio: peer ? value / peer : null }), n: train.length, machine }),
    );
  }
}
