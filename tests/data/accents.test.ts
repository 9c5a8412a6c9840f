/** "München" in both forms that Unicode has of it (composed, and a letter with its mark behind it) is one wording to everything that compares. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { evalSplit } from "../../src/data/eval-split.ts";
import { FreeText } from "../../src/data/free-text.ts";
import { readLine } from "../../src/data/import.ts";
import { WordingWatch } from "../../src/data/leakage.ts";
import { removeOverlap } from "../../src/data/overlap.ts";
import { measureQuality } from "../../src/data/qa.ts";
import { sampleMender } from "../../src/data/repair.ts";
import { NearIndex } from "../../src/data/similarity.ts";
import { promptKey } from "../../src/data/split.ts";
import { frameOf } from "../../src/data/teacher/hosted/read.ts";
import type { EvaluationCase, Sample } from "../../src/data/types.ts";
import { wordingOfSample } from "../../src/data/wording.ts";
import { toolset, weatherSet } from "./fixtures.ts";
import { varyAll } from "./language-rig.ts";

const TEXT = "Wie wird das Wetter in München am Übergang der Märzwoche?";
const forms = [TEXT.normalize("NFC"), TEXT.normalize("NFD")] as const;
const sample = (user: string, city: string, id = user): Sample =>
  ({
    id,
    source: "seed",
    scenario: "standard",
    kind: "plain",
    tool_name: "get_weather",
    frame: "",
    qc_passed: true,
    messages: [
      { role: "system", content: "s" },
      { role: "user", content: user },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: JSON.stringify({ location: city }) } }],
      },
      { role: "tool", content: '{"temperature_c": 3}', tool_call_id: "call_1", name: "get_weather" },
      { role: "assistant", content: "3 °C" },
    ],
  }) as unknown as Sample;
const both = forms.map((text, i) => sample(text, "München".normalize(i === 0 ? "NFC" : "NFD"), `s${i}`));

it("two forms are two, byte by byte", () => expect(forms[0]).not.toBe(forms[1]));

it("are a duplicate", () => {
  expect(measureQuality({ samples: both, heldout: [], toolset: weatherSet }).figures.duplicates).toBe(1);
  const index = new NearIndex();
  index.add(promptKey(forms[0]));
  expect(index.find(promptKey(forms[1]))).toBe(0);
});

it("are one wording, with its value blanked in either", () => {
  expect(wordingOfSample(both[1] as Sample)).toEqual(wordingOfSample(both[0] as Sample));
  const split = evalSplit([...both, ...Array.from({ length: 18 }, (_, n) => sample(`Is it ${n} degrees in town ${n * 7}?`, "x"))], 0.3, 1);
  const sides = both.map((s) => split.train.includes(s));
  expect(sides[0]).toBe(sides[1]);
});

it("overlap a case and leak its value", () => {
  const held = {
    id: "c",
    messages: [{ role: "user", content: forms[1] }],
    expect: [{ name: "get_weather", arguments: { location: ["München".normalize("NFD")] } }],
  };
  const cases = [held as unknown as EvaluationCase];
  expect(removeOverlap([both[0] as Sample], cases).removed).toHaveLength(1);
  const watch = new WordingWatch(cases, weatherSet);
  watch.look(sample("Something else altogether about that place", "München"));
  expect(watch.leakage().shared_values).toMatchObject({ numerator: 1, denominator: 1 });
  const free = new FreeText(weatherSet);
  expect(free.of("get_weather", { location: "München".normalize("NFD") })).toEqual(free.of("get_weather", { location: "München" }));
});

it("are one frame", () => {
  const call = (city: string) => [{ arguments: { city } }];
  expect(frameOf(forms[1], call("München"))).toBe(frameOf(forms[0], call("München".normalize("NFD"))));
  expect(frameOf(forms[1], call("München"))).toContain("{city}");
  const read = forms.map((text) =>
    readLine(
      JSON.stringify({
        messages: [
          { role: "user", content: text },
          { role: "assistant", content: "?" },
        ],
      }),
      1,
      false,
    ),
  );
  expect((read[1] as { sample: Sample }).sample.frame).toBe((read[0] as { sample: Sample }).sample.frame);
});

it("mean the same value of an enum", () => {
  const set = toolset([
    {
      name: "set",
      description: "Sets the heating of a room.",
      input_schema: { type: "object", properties: { room: { type: "string", enum: ["Küche", "Bad"] } }, required: ["room"] },
    },
  ]);
  const asked = sample("Küche", "x");
  const call = asked.messages[2] as { tool_calls: { function: { name: string; arguments: string } }[] };
  (call.tool_calls[0] as { function: object }).function = { name: "set", arguments: JSON.stringify({ room: "küche".normalize("NFD") }) };
  expect(JSON.stringify(sampleMender(set)(asked).sample)).toContain(JSON.stringify(JSON.stringify({ room: "Küche" })).slice(1, -1));
});

it("are found and varied in a request of either form", async () => {
  const [a, b] = await Promise.all([varyAll("de", 6), varyAll("de", 6, { users: (u) => u.normalize("NFD") })]);
  const users = (made: typeof a): string[] => made.train.filter((s) => s.source === "augmented").map((s) => s.messages[1]?.content ?? "");
  expect(users(b)).toEqual(users(a));
});

it("have one key, whatever the text", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => promptKey(text.normalize("NFD")) === promptKey(text.normalize("NFC"))));
});
