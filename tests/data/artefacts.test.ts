/** The quick look for seams finds all that the slow one would. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { NEAR_A_SEAM, SEAMS } from "../../src/data/checks/artefacts.ts";

const piece = fc.constantFrom(
  ..."a A an An the The to in for of with apple pear umbrella unit uncle euro one once up hour {@ {= { | undefined NaN [object Object] ? ?? ! . .. ... , ,, x".split(
    " ",
  ),
  "[object Object]",
);
const text = fc.array(fc.tuple(piece, fc.constantFrom(" ", "", "  "))).map((parts) => parts.flat().join(""));

it("every seam is near one", () => {
  let seams = 0;
  fc.assert(
    fc.property(text, (t) => {
      if (!SEAMS.some(([re]) => re.test(t))) return;
      seams++;
      expect(NEAR_A_SEAM.test(t)).toBe(true);
    }),
    { numRuns: 5000 },
  );
  expect(seams).toBeGreaterThan(500);
});
