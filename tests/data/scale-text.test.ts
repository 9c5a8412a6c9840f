/** The fast reader of the user's words says what the words' own definitions say. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { TextReader, textDigest } from "../../src/data/scale/text.ts";
import { shingles } from "../../src/data/similarity.ts";
import { promptKey } from "../../src/data/split.ts";

const piece = fc.oneof(
  fc.constantFrom(
    " ",
    "  ",
    "/",
    ".",
    ":",
    "_",
    "-",
    "--",
    "+",
    "++",
    "#",
    "%",
    "$",
    "*",
    "<",
    "=",
    "?",
    "!",
    "\n",
    "\t",
    "C#",
    "5 - 3",
    "-40",
    "a+5",
    "rain",
    "oslo",
    "7%",
    "x.y",
  ),
  fc.string({ unit: "grapheme-ascii", maxLength: 6 }),
  fc.constantFrom("é", "−", "雨が", "ß", "ﬁ", "\u0301", "\u2003", "\ud800"),
);
const ascii = fc.array(
  fc.oneof(fc.constantFrom("a", "b1", "2", "Z", " ", " ", ".", "-", ":", "_", "/", "+", "#", "%", "$", "*", "<", ">", "=", "@", "?", "\t")),
  { maxLength: 30 },
);
const reader = new TextReader();

it.each([
  ["ASCII", ascii.map((p) => p.join(""))],
  ["any", fc.array(piece, { maxLength: 60 }).map((p) => p.join(""))],
])("%s", (_, texts) =>
  fc.assert(
    fc.property(texts, (text) => {
      const key = promptKey(text);
      reader.read(text);
      expect([...reader.set.subarray(0, reader.size)]).toEqual([...shingles(key)]);
      expect({ low: reader.wordsLow, high: reader.wordsHigh }).toEqual(textDigest(key));
      const words = key.split(/[\s/]+/).map(textDigest);
      expect(Array.from({ length: reader.words }, (_, i) => ({ low: reader.wordDigests[2 * i], high: reader.wordDigests[2 * i + 1] }))).toEqual(words);
    }),
    { numRuns: 3000 },
  ),
);
