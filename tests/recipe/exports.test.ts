/** `exports`: names as ever, or a format with its importance matrix; what cannot be made is refused where it stands. */
import { expect, it } from "vitest";
import { bitsOf, EXPORT_FORMATS, exportChoice, imatrixOf, isModelFormat, MODEL_FORMATS } from "../../src/recipe/formats.ts";
import { GOOD, load, loadGood, only } from "./support.ts";

const exportsOf = async (text: string) => (await loadGood(`${GOOD}exports: ${text}\n`)).recipe.exports.map(exportChoice);

it("a list of names means what it always did", async () => {
  expect((await loadGood(GOOD)).recipe.exports).toEqual(["q8_0"]);
  expect(await exportsOf("[q8_0, q4_k_m, f16]")).toEqual(["q8_0", "q4_k_m", "f16"].map((format) => ({ format, imatrix: false })));
});

it("a format may ask for a matrix, and those that cannot do without have one", async () => {
  expect(await exportsOf("[{ format: q4_k_m, imatrix: true }, { format: q5_k_m }, iq2_xs, lora]")).toEqual([
    { format: "q4_k_m", imatrix: true },
    { format: "q5_k_m", imatrix: false },
    { format: "iq2_xs", imatrix: true },
    { format: "lora", imatrix: false },
  ]);
});

it.each([
  ["[q8_0, { format: q8_0 }]", /lists `q8_0` twice/, /keep one/],
  ["[{ format: q8_0, imatrix: true }]", /`q8_0` rounds every weight by itself/, /remove `imatrix`/],
  ["[q8_0, { format: lora, imatrix: true }]", /`lora` is no quantization/, /remove `imatrix`/],
  ["[{ format: iq2_xs, imatrix: false }]", /`iq2_xs` cannot be made without an importance matrix/, /q3_k_m/],
  ["[lora]", /names only `lora`, which is no model by itself/, /exports: \[q8_0, lora\]/],
  ["[{ imatrix: true }]", /lacks the key `format`/, /format:/],
  ["[{ format: q4_k_n }]", /`exports\[0\]\.format` must be one of `q8_0`/, /did you mean `q4_k_m`/],
  ["[{ format: q4_k_m, imatrx: true }]", /unknown key `imatrx`/, /did you mean `imatrix`/],
  ["[iq2_xxx]", /`exports\[0\]` must be one of `q8_0`/, /did you mean `iq2_xxs`/],
  ["[tq1_0]", /`exports\[0\]` must be one of/, null],
  ["[q4km]", /, or a mapping \{format, imatrix\}; this is text `q4km`/, /did you mean `q4_k_m`/],
])("%s is refused", async (text, message, hint) => {
  const failure = await only(`${GOOD}exports: ${text}\n`);
  expect(failure.message).toMatch(message);
  if (hint !== null) expect(failure.hint).toMatch(hint);
  expect(failure.place?.line).toBe(5);
});

it("every format has its row, and a smaller one is not larger", async () => {
  expect(EXPORT_FORMATS.filter(isModelFormat)).toEqual(MODEL_FORMATS);
  expect(bitsOf("q8_0")).toBeLessThan(bitsOf("f16"));
  expect(bitsOf("iq2_xxs")).toBeLessThan(bitsOf("q2_k"));
  expect([imatrixOf("lora"), imatrixOf("q4_k_m"), imatrixOf("iq2_s"), imatrixOf("bf16")]).toEqual(["never", "possible", "needed", "never"]);
  for (const format of MODEL_FORMATS) expect((await load(`${GOOD}exports: [${format}]\n`)).ok, format).toBe(true);
});
