/** How the base model's own answers are cut. */
import { expect, test } from "vitest";
import { cutAtSentence, cutBeforeRepetition } from "../../src/models/llama/answer-plain.ts";

test.each([
  ["One. Two is cut he", "One."],
  ["It costs 3.5 euros. And th", "It costs 3.5 euros."],
  ['He said "yes." Then', 'He said "yes."'],
  ["1. First thing\n2. Second thi", "1. First thing"],
  ["no end of anything her", "no end of anything."],
])("an answer cut by the limit ends at its last full sentence: %j", (text, cut) => {
  expect(cutAtSentence(text)).toBe(cut);
});

test.each([
  ["A river is long. A river is wet.", "A river is long. A river is wet."],
  ["Here it is. The end of it, the end of it, the end of it, the", "Here it is."],
  ["la France, la France, la France, la France.", ""],
  ["It is so. I am glad to help! I am glad to help! I am glad to help!", "It is so. I am glad to help!"],
])("an answer is cut before it goes round in circles: %j", (text, cut) => {
  expect(cutBeforeRepetition(text)).toBe(cut);
});
