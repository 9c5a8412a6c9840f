/** Who varies the conversations: what goes with which teacher. */
import { expect, it } from "vitest";
import { GOOD, loadGood, only } from "./support.ts";

const recipe = (augment: string, teacher?: string) => `${GOOD}data:\n  augment: ${augment}\n${teacher === undefined ? "" : `  teacher: ${teacher}\n`}`;
const OTHER = 'provider: openai-compatible, base_url: "http://localhost:8000/v1", model: m';

it.each([
  ["synthetic-data-kit", "{ provider: openai }"],
  ["synthetic-data-kit", `{ ${OTHER} }`],
  ["teacher", `{ ${OTHER}, batch: true }`],
  ["builtin", "{ provider: builtin }"],
])("`by: %s` goes with the teacher %s", async (by, teacher) => {
  expect((await loadGood(recipe(`{ factor: 4, by: ${by} }`, teacher))).recipe.data.augment).toEqual({ factor: 4, by });
});

it("takes a hosted teacher's factor where only who varies them is said", async () => {
  expect((await loadGood(recipe("{ by: synthetic-data-kit }", "{ provider: openai }"))).recipe.data.augment).toEqual({ factor: 5, by: "synthetic-data-kit" });
});

it.each([
  [undefined, "builtin"],
  ["{ provider: builtin }", "builtin"],
  ["{ provider: file, path: seeds.jsonl }", "file"],
])("synthetic-data-kit has nobody to ask with the teacher %s", async (teacher, name) => {
  const text = recipe("{ factor: 4, by: synthetic-data-kit }", teacher);
  const failure = await only(text, { files: { "seeds.jsonl": "{}\n" } });
  expect(failure).toMatchObject({
    code: "recipe/contradiction",
    message: `\`synthetic-data-kit\` asks a hosted teacher, and the teacher \`${name}\` is none`,
    hint: expect.stringContaining("`augment: { by: builtin }`, or a hosted teacher"),
    exit: 4,
    place: { line: 6 },
  });
});

it.each(["http://user:pw@localhost/v1", "https://host.example/v1?api_key=abc", "https://host.example/v1#part"])(
  "a teacher's address holds no key: %s",
  async (address) => {
    const failure = await only(recipe("{ factor: 4 }", `{ provider: openai-compatible, base_url: "${address}", model: m, concurrency: 64 }`));
    expect(failure).toMatchObject({ code: "recipe/wrong-format", hint: expect.stringContaining("FORGE_TEACHER_API_KEY"), exit: 4, place: { line: 7 } });
  },
);

it("synthetic-data-kit and batches exclude each other", async () => {
  const failure = await only(recipe("{ by: synthetic-data-kit }", `{ ${OTHER}, batch: true }`));
  expect(failure).toMatchObject({ code: "recipe/contradiction", hint: expect.stringContaining("`augment: { by: teacher }`"), place: { line: 7 } });
});

it("a name that is nearly right is put right", async () => {
  const failure = await only(recipe("{ by: syntetic-data-kit }", "{ provider: openai }"));
  expect(`${failure.message} ${failure.hint}`).toContain("synthetic-data-kit");
});

it("names the languages that conversations are in, of those that there are", async () => {
  expect((await loadGood(recipe("{ languages: [de, en] }"))).recipe.data.augment).toEqual({ factor: 1, by: "builtin", languages: ["de", "en"] });
  expect(await only(recipe("{ languages: [klingon] }"))).toMatchObject({ code: expect.stringMatching(/^recipe\//), place: { line: 6 } });
});
