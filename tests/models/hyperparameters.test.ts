/** Families as data, and hyperparameters in layers. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { basePin, familyNames, getFamily, getSource } from "../../src/models/family.ts";
import { forSamples, resolveHyperparameters } from "../../src/models/hyperparameters.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { validate } from "../../src/schemas/generated/family.validate.js";

const smollm2 = () => {
  const f = getFamily("smollm2");
  if (!f.ok) throw new Error(f.error.message);
  return f.value;
};
const fastDev = { max_tokens: 2048, rank: 8, alpha: 16, batch: 4, accumulation: 2, learning_rate: 5e-4, epochs: 1, warmup_steps: 5 };
const resolve = (train = {}, table = fastDev) => resolveHyperparameters({ profile: "fast_dev", table, family: smollm2(), train });

test("every family file fits its schema and is in the table under its own name", () => {
  const folder = join(packageRoot(), "src", "models", "families");
  const files = readdirSync(folder);
  expect(files.map((f) => f.replace(".json", "")).sort()).toEqual(familyNames());
  for (const file of files) {
    const data: unknown = JSON.parse(readFileSync(join(folder, file), "utf8"));
    expect(validate(data), `${file}: ${JSON.stringify(validate.errors)}`).toBe(true);
  }
});

test("an unknown family or source is named, with the known ones", () => {
  expect(getFamily("gpt-9")).toMatchObject({ ok: false, error: { code: "models/unknown-family", exit: 4, hint: expect.stringContaining("smollm2") } });
  expect(getFamily("__proto__")).toMatchObject({ ok: false });
  expect(getSource(smollm2(), "constructor")).toMatchObject({ ok: false, error: { code: "models/unknown-source", exit: 4 } });
  expect(basePin(smollm2(), "default")).toMatchObject({
    ok: true,
    value: { family: "smollm2", source: "default", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
});

test("the family's wishes come before the profile, the recipe before both", () => {
  expect(resolve().values).toMatchObject({
    rank: 16,
    alpha: 32,
    learning_rate: 2e-3,
    samples_per_step: 12,
    epochs: 1,
    max_tokens: 2048,
    batching: "shared_prefix",
    dropout: 0,
  });
  expect(resolve({ rank: 4, learning_rate: 1e-5 }).values).toMatchObject({ rank: 4, alpha: 8, learning_rate: 1e-5 });
  expect(resolve({ alpha: 5 }).values).toMatchObject({ rank: 16, alpha: 5 });
});

test("batch or accumulation alone decides the step together with the profile's other", () => {
  expect(resolve({ batch: 3 }).values.samples_per_step).toBe(6);
  expect(resolve({ accumulation: 5 }).values.samples_per_step).toBe(20);
  expect(resolve({ batch: 3, accumulation: 5 }).values.samples_per_step).toBe(15);
});

test("few samples are gone through several times, unless the recipe says how often", () => {
  const epochs = (samples: number, train = {}, profile = 1) => forSamples(resolve(train, { ...fastDev, epochs: profile }), samples).epochs;
  expect([1000, 440, 401, 400, 300, 200, 60, 1, 0].map((n) => epochs(n))).toEqual([1, 1, 1, 2, 2, 3, 4, 4, 4]);
  expect(epochs(300, { epochs: 1 })).toBe(1);
  expect(epochs(300, {}, 3)).toBe(3);
});

test("every value says where it came from", () => {
  const { values, origins, familyReason } = resolve({ epochs: 3 });
  expect(origins.map((o) => o.name).sort()).toEqual(Object.keys(values).sort());
  const from = Object.fromEntries(origins.map((o) => [o.name, o.from]));
  expect(from).toMatchObject({ epochs: "recipe", rank: "family", max_tokens: "profile", dropout: "default" });
  expect(familyReason).toMatch(/135M/);
});
