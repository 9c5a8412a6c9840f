/** Variations of what a teacher wrote: new values and wording, the same call's shape, nothing that costs. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seedsOf } from "../../src/data/augment.ts";
import { readCalls } from "../../src/data/checks/check.ts";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { compileArguments } from "../../src/data/schema.ts";
import { longer, misspelt, shorter } from "../../src/data/slips.ts";
import { hostedTeacher } from "../../src/data/teacher/hosted/index.ts";
import { readConversation } from "../../src/data/teacher/hosted/read.ts";
import type { Teacher } from "../../src/data/teacher/teacher.ts";
import type { CallPort, Generation, Sample, Slot, Toolset } from "../../src/data/types.ts";
import type { Request } from "../../src/models/hosted/client.ts";
import { ok } from "../../src/platform/result.ts";
import { rngFor } from "../../src/platform/rng.ts";
import { validate as validSample } from "../../src/schemas/generated/sample.validate.js";
import { goodTeacher } from "../models/openai-server.ts";
import { ALL, answerPlain, sessionOn, WEIGHTS, weatherSet, weatherStub } from "./fixtures.ts";

const planOf = (set: Toolset, samples: number) => planSynthesis({ toolset: set, samples, minPerTool: 2, scenarios: WEIGHTS, evaluationSamples: 12, seed: 7 });

async function make(
  set: Toolset,
  samples: number,
  augment: number,
  o: { session?: CallPort; hosted?: boolean; reword?: boolean; garble?: boolean } = {},
): Promise<Generation & { asked: number }> {
  let asked = 0;
  const host = {
    ask: async (requests: readonly Request[]) => {
      asked += requests.length;
      const answers = requests.map((r) =>
        goodTeacher({
          ...r,
          key: "",
          model: "m",
          temperature: 1,
          messages: [{ role: "user", content: r.user }],
          response_format: { json_schema: { ...r.reply, strict: true } },
        }),
      );
      const hidden = (text: string) =>
        JSON.stringify({ messages: (JSON.parse(text) as { messages: string[] }).messages.map((m) => m.replace(/\p{L}/gu, "x")) });
      const garbled = (r: Request, text: string) => (o.garble === true && r.reply.name === "reworded" ? hidden(text) : text);
      return ok(answers.map((a, i) => ({ text: garbled(requests[i] as Request, a.content ?? ""), input: 1, output: 1 })));
    },
  };
  const teacher = o.hosted ? hostedTeacher("h/m", set, 7, host) : undefined;
  const r = await generate(
    { toolset: set, plan: planOf(set, samples), seed: 7, session: o.session ?? null, answerPlain, augment, reword: o.reword === true },
    teacher,
  );
  if (!r.ok) throw new Error(r.error.message);
  return { ...r.value, asked };
}

const user = (s: Sample) => s.messages.filter((m) => m.role === "user").map((m) => m.content ?? "");

describe.each(ALL)("variations for the %s toolset", (_, set) => {
  it("fill the plan with valid calls, in words of their own, mostly varied", async () => {
    const { train, statistics } = await make(set, 120, 5);
    expect(statistics.short).toEqual([]);
    const varied = train.filter((s) => s.source === "augmented");
    expect(varied.length).toBeGreaterThan(40);
    const checks = new Map(set.tools.map((t) => [t.name, compileArguments(t)]));
    for (const s of train) {
      expect(validSample(s), JSON.stringify([s, validSample.errors])).toBe(true);
      for (const c of readCalls(s)) expect(checks.get(c.name)?.(c.value as never), JSON.stringify(s)).toEqual([]);
      expect(user(s).join(" ")).not.toMatch(/\{v\d+\}/);
    }
    expect(new Set(train.map((s) => user(s).join("/"))).size).toBe(train.length);
  });
});

it("cost nothing, and ask for no answer", async () => {
  const { train, heldout, asked } = await make(weatherSet, 100, 5, { hosted: true });
  const seeds = train.filter((s) => s.source === "seed");
  expect(train.length).toBeGreaterThanOrEqual(100);
  expect(seeds.length).toBeLessThan(45);
  expect(asked).toBe(seeds.length + heldout.length);
  expect(heldout).toHaveLength(planOf(weatherSet, 100).evaluation.length);
});

it("are said by the teacher where it rewords them, with the values of their calls", async () => {
  const { train, statistics, asked } = await make(weatherSet, 100, 5, { hosted: true, reword: true });
  expect(statistics.short).toEqual([]);
  const varied = train.filter((s) => s.source === "augmented");
  expect(varied.length).toBeGreaterThan(40);
  expect(varied.every((s) => user(s).every((u) => /^Listen, number \d+: .*\(said anew\)$/s.test(u)))).toBe(true);
  for (const s of varied)
    for (const c of readCalls(s)) expect(user(s).join(" ").toLowerCase()).toContain(String((c.value as { location: string }).location).toLowerCase());
  expect(new Set(train.map((s) => s.frame)).size).toBeGreaterThan(80);
  expect(asked).toBeGreaterThan(train.length);
});

it("are refused where the teacher's words lost a value, and tried no oftener than what it writes", async () => {
  const { train, statistics } = await make(weatherSet, 60, 5, { hosted: true, reword: true, garble: true });
  const calls = train.filter((s) => s.source === "augmented" && readCalls(s).length > 0);
  expect(calls).toEqual([]);
  expect(statistics.short.length).toBeGreaterThan(20);
});

it("say and call the same new value, and tell what it really gave", async () => {
  const { train } = await make(weatherSet, 100, 5, { hosted: true, session: sessionOn(weatherStub) });
  const varied = train.filter((s) => s.source === "augmented" && s.scenario === "standard");
  expect(varied.length).toBeGreaterThan(30);
  let changed = 0;
  for (const s of varied) {
    const seed = train.find((x) => x.source === "seed" && x.frame === s.frame);
    for (const [i, c] of readCalls(s).entries()) {
      const { location } = c.value as { location: string };
      expect(user(s)[i]?.toLowerCase(), JSON.stringify(s)).toContain((location.split(",")[0] as string).toLowerCase());
      const before = seed && readCalls(seed)[i];
      if (before && (before.value as { location: string }).location !== location) changed++;
      expect(JSON.parse(s.messages.find((m) => m.role === "tool")?.content as string)).toBeTypeOf("object");
    }
  }
  expect(changed).toBeGreaterThan(20);
});

it("keep every sample of a shorter plan", async () => {
  const [few, more] = await Promise.all([make(weatherSet, 60, 4), make(weatherSet, 90, 4)]);
  for (const s of few.train) expect(more.train.find((x) => x.id === s.id)).toEqual(s);
});

it("go back to the first of their so many, whatever is planned after", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 100 }), fc.integer({ min: 2, max: 12 }), (samples, extra, factor) => {
      const slots = (n: number) => planSynthesis({ toolset: weatherSet, samples: n, minPerTool: 0, scenarios: WEIGHTS, evaluationSamples: 0, seed: 1 }).train;
      const [a, b] = [seedsOf(slots(samples), factor), seedsOf(slots(samples + extra), factor)];
      for (const [slot, seed] of a) {
        if (b.get(slot) !== seed) return false;
        if (a.has(seed)) return false;
      }
      const counts = new Map<string, number>();
      for (const seed of b.values()) counts.set(seed, (counts.get(seed) ?? 0) + 1);
      return [...counts.values()].every((n) => n < factor);
    }),
  );
});

/** A teacher that writes the same conversation for each slot, as a hosted one would give it: without saying which words stand for what. */
const writes = (user: string, args: object, o: { failing?: (slot: Slot) => boolean } = {}): { teacher: Teacher; asked: string[] } => {
  const asked: string[] = [];
  return {
    asked,
    teacher: {
      name: "fixed",
      attempts: () => 4,
      draft: async (requests) =>
        ok(
          requests.map(({ slot, attempt }) => {
            asked.push(slot.id);
            if (o.failing?.(slot)) return null;
            const text = JSON.stringify({
              turns: [
                {
                  user: `${user} (${slot.id} ${attempt})`,
                  call: { name: slot.tool, arguments: JSON.stringify(args) },
                  also_right: [],
                  result: "{}",
                  answer: "Done.",
                },
              ],
            });
            return readConversation(text, slot, attempt);
          }),
        ),
    },
  };
};
const hotel: Toolset = {
  ...weatherSet,
  tools: [
    {
      name: "book_hotel",
      description: "Books a hotel room",
      input_schema: {
        type: "object",
        properties: {
          city: { type: "string" },
          title: { type: "string" },
          nights: { type: "integer" },
          guests: { type: "integer" },
          max_price: { type: "number", description: "Most that it may cost in US dollars" },
        },
        required: ["city"],
      },
      source: 0,
    },
  ],
} as unknown as Toolset;
const plain = (samples: number) => planSynthesis({ toolset: hotel, samples, minPerTool: 0, scenarios: { standard: 1 }, evaluationSamples: 0, seed: 1 });
const onlyPlain = (samples: number) => {
  const plan = plain(samples);
  return { ...plan, train: plan.train.map((s) => ({ ...s, kind: "plain" })) } as typeof plan;
};

it("puts a value where a value was, with no second unit, and leaves alone what two arguments share", async () => {
  const cases: [string, Record<string, unknown>, string[]][] = [
    ["Hotel in Rome for 5 nights under 100 dollars", { city: "Rome", nights: 5, max_price: 100 }, ["city", "nights", "max_price"]],
    ["Rome, 3 nights, 3 guests", { city: "Rome", nights: 3, guests: 3 }, ["city"]],
    ["A trip called Berlin trip to Berlin", { city: "Berlin", title: "Berlin trip" }, []],
  ];
  for (const [user, args, changing] of cases) {
    const made = await generate({ toolset: hotel, plan: onlyPlain(12), seed: 3, session: null, answerPlain, augment: 6 }, writes(user, args).teacher);
    if (!made.ok) throw new Error(made.error.message);
    const varied = made.value.train.filter((s) => s.source === "augmented");
    expect(varied.length).toBeGreaterThanOrEqual(8);
    for (const s of varied) {
      const called = readCalls(s)[0]?.value as Record<string, unknown>;
      for (const [name, value] of Object.entries(called)) {
        expect(userText(s), JSON.stringify(s)).toContain(String(value).toLowerCase());
        if (!changing.includes(name)) expect(value).toBe(args[name]);
      }
      expect(userText(s)).not.toMatch(/nights nights|dollars dollars|nights.*nights.*guests/);
    }
  }
});
const userText = (s: Sample) => user(s).join(" ").toLowerCase();

it("writes what was to be varied where its seed came to nothing, with as many attempts as a seed has", async () => {
  const { teacher, asked } = writes("Rome please", { city: "Rome" }, { failing: (slot) => slot.id.endsWith("0000") });
  const made = await generate({ toolset: hotel, plan: onlyPlain(10), seed: 3, session: null, answerPlain, augment: 5 }, teacher);
  if (!made.ok) throw new Error(made.error.message);
  expect(made.value.statistics.short.map((s) => s.slot)).toEqual([onlyPlain(10).train[0]?.id]);
  expect(asked.filter((id) => id.endsWith("0000"))).toHaveLength(4);
  expect(made.value.train).toHaveLength(9);
  const hopeless = writes("Rome please", { city: "Rome" }, { failing: () => true });
  await generate({ toolset: hotel, plan: onlyPlain(10), seed: 3, session: null, answerPlain, augment: 5 }, hopeless.teacher);
  expect(hopeless.asked).toHaveLength(40);
});

it("keeps earlier samples when a later one has to be answered again", async () => {
  const run = async (samples: number) => {
    let first = true;
    const blankOnce: typeof answerPlain = async (questions) => {
      const answers = await answerPlain(questions);
      if (!answers.ok || !first || samples < 90) return answers;
      first = false;
      return ok(answers.value.map((a, i) => (i === answers.value.length - 1 ? "" : a)));
    };
    const plan = planSynthesis({ toolset: weatherSet, samples, minPerTool: 2, scenarios: WEIGHTS, evaluationSamples: 0, seed: 7 });
    const r = await generate({ toolset: weatherSet, plan, seed: 7, session: null, answerPlain: blankOnce });
    if (!r.ok) throw new Error(r.error.message);
    return r.value.train;
  };
  const [few, more] = [await run(60), await run(90)];
  for (const s of few) expect(more.find((x) => x.id === s.id)).toEqual(s);
});

describe("slips of the hand", () => {
  const all = Array.from({ length: 400 }, (_, n) => n);

  it("misspell a common word now and then, and never a blank or a word that a value is said by", () => {
    const text = "Please show me what the {v0} will be with {what} and where you want the THAT-file.";
    const said = all.map((n) => misspelt(text, ["the what", '{"name":"THAT-file"}'], rngFor(7, "t", n)));
    expect(all.map((n) => misspelt(text, ["the what", '{"name":"THAT-file"}'], rngFor(7, "t", n)))).toEqual(said);
    const changed = said.filter((t) => t !== text);
    expect(changed.length / said.length).toBeGreaterThan(0.08);
    expect(changed.length / said.length).toBeLessThan(0.25);
    for (const t of said) {
      expect(t).toMatch(/ what the \{v0\} .*\{what\}.* the THAT-file\.$/);
      expect(t.split(" ")).toHaveLength(text.split(" ").length);
    }
  });

  it("take small talk and courtesies away, or add a courtesy, and leave the request", () => {
    const request = "How warm is it in {v0}? I leave at noon.";
    const talk = `It's been a long day. ${request} Thanks in advance.`;
    const cut = new Set(all.map((n) => shorter(talk, rngFor(7, "s", n))));
    expect([...cut].sort()).toEqual([request, talk].sort());
    for (const n of all) expect(shorter(request, rngFor(7, "s", n))).toBe(request);
    const more = new Set(all.map((n) => longer(request, rngFor(7, "l", n))));
    expect(more.size).toBeGreaterThan(4);
    for (const t of more) expect(t.startsWith(request)).toBe(true);
    for (const n of all) expect(longer(`${request} Thanks!`, rngFor(7, "l", n))).toBe(`${request} Thanks!`);
  });

  it("are in the variations", async () => {
    const { train } = await make(weatherSet, 150, 5);
    const slips = train.filter((s) =>
      /\b(teh|hte|waht|whta|woudl|coudl|plese|pleae|plaese|yuo|yoou|shwo|giev|hlep|wiht|whit|adn|nad)\b/i.test(user(s).join(" ")),
    );
    expect(slips.length).toBeGreaterThan(2);
    expect(slips.every((s) => s.source === "augmented")).toBe(true);
  });
});
