/**
 * Training and evaluation where nobody knows the frames: a hosted teacher that says much the same over and over, and a file of somebody's own.
 * No wording is on both sides, more samples change nothing that is there, and nothing depends on when an answer arrives.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generate } from "../../src/data/generate.ts";
import { importSamples } from "../../src/data/import.ts";
import { wordingLeakage } from "../../src/data/leakage.ts";
import { type Candidate, lineFor } from "../../src/data/line.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { jaccard } from "../../src/data/similarity.ts";
import { builtinTeacher } from "../../src/data/teacher/builtin/index.ts";
import { fileTeacher } from "../../src/data/teacher/file/index.ts";
import { type Hosted, hostedTeacher } from "../../src/data/teacher/hosted/index.ts";
import type { Draft } from "../../src/data/teacher/teacher.ts";
import type { Generation } from "../../src/data/types.ts";
import { NEAR_WORDING, type Wording, wordingOfCase, wordingOfSample } from "../../src/data/wording.ts";
import type { Request } from "../../src/models/hosted/client.ts";
import type { Reply } from "../../src/models/hosted/replies.ts";
import { err, ok, type Result } from "../../src/platform/result.ts";
import { rngFor } from "../../src/platform/rng.ts";
import { type Asked, goodTeacher } from "../models/openai-server.ts";
import { answerPlain, weatherSet } from "./fixtures.ts";

const OPENINGS = ["What's", "What is", "Tell me", "Can you check", "I wonder about", "Show", "Hi, look up", "Please find"];
const TOPICS = ["the weather", "weather", "the weather like", "how it looks", "the forecast", "rain chances", "any alerts", "storm warnings"];
const TAILS = ["", " today", " before I leave"];
const PLACES = ["Oslo", "Lima", "Quito", "Perth"];

/** What a model of few words replies: the same to the same request, and much the same to others. */
function reply(request: Request, salt: number): Reply {
  const { content } = goodTeacher({
    messages: [{ role: "user", content: request.user }],
    seed: request.seed,
    response_format: { json_schema: { name: request.reply.name, schema: {}, strict: true } },
  } as unknown as Asked);
  const { turns } = JSON.parse(content as string) as { turns: { user: string; call: { arguments: string } | null }[] };
  const said = turns.map((turn, i) => {
    const rng = rngFor(salt, "reply", request.seed ?? 0, request.user, i);
    const place = rng.pick(PLACES);
    const user = `${rng.pick(OPENINGS)} ${rng.pick(TOPICS)} in ${place}${rng.pick(TAILS)}?`;
    if (turn.call === null) return { ...turn, user: `${user} ${rng.pick(["No, wait.", "Never mind.", "Or rather a poem."])}` };
    return { ...turn, user, call: { ...turn.call, arguments: JSON.stringify({ location: place }) } };
  });
  return { text: JSON.stringify({ turns: said }), input: 1, output: 1 };
}

/** @param most replies before it breaks off; what was replied is kept */
function hosted(salt: number, kept = new Map<string, Reply>(), most = Number.POSITIVE_INFINITY): Hosted {
  let replied = 0;
  return {
    ask: async (requests) => {
      const rng = rngFor(salt, "delay", requests.length, kept.size);
      const answered = await Promise.all(
        requests.map(async (r) => {
          const key = JSON.stringify(r);
          const known = kept.get(key);
          if (known !== undefined) return known;
          // Answers come back in any order.
          for (let turns = rng.int(0, 20); turns > 0; turns--) await Promise.resolve();
          if (replied++ >= most) return null;
          const made = reply(r, salt);
          kept.set(key, made);
          return made;
        }),
      );
      const whole = answered.every((a) => a !== null);
      return whole ? ok(answered as Reply[]) : err({ code: "test/killed", message: "killed", exit: 1 });
    },
  };
}

interface Asks {
  salt: number;
  samples: number;
  cases: number;
  augment?: number;
}

const SHARES = { standard: 0.7, no_tool: 0.15, error: 0.15 };

async function attempt(o: Asks, model: Hosted = hosted(o.salt)): Promise<Result<Generation>> {
  const plan = planSynthesis({ toolset: weatherSet, samples: o.samples, minPerTool: 0, scenarios: SHARES, evaluationSamples: o.cases, seed: o.salt });
  const teacher = hostedTeacher("openai/m", weatherSet, o.salt, model);
  return generate({ toolset: weatherSet, plan, seed: o.salt, session: null, answerPlain, augment: o.augment ?? 1 }, teacher);
}

async function make(o: Asks, model?: Hosted): Promise<Generation> {
  const made = await attempt(o, model);
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
}

const isNear = (a: Wording, b: Wording): boolean => jaccard(a.blanked, b.blanked) >= NEAR_WORDING || jaccard(a.said, b.said) >= NEAR_WORDING;

/** Clusters of near wordings, as chains of any length make them, that have members on both sides. */
function clustersAcross({ train, heldout }: Generation): number {
  const all = [...train.map((s) => ({ side: 0, w: wordingOfSample(s) })), ...heldout.map((c) => ({ side: 1, w: wordingOfCase(c) }))];
  const cluster = all.map((_, i) => i);
  const rootOf = (i: number): number => (cluster[i] === i ? i : rootOf(cluster[i] as number));
  for (const [i, a] of all.entries()) for (const [j, b] of all.slice(0, i).entries()) if (isNear(a.w, b.w)) cluster[rootOf(i)] = rootOf(j);
  const sides = new Map<number, Set<number>>();
  for (const [i, { side }] of all.entries()) sides.set(rootOf(i), (sides.get(rootOf(i)) ?? new Set()).add(side));
  return [...sides.values()].filter((s) => s.size > 1).length;
}

const asked = fc.record({
  salt: fc.nat(1000),
  samples: fc.integer({ min: 1, max: 24 }),
  cases: fc.integer({ min: 1, max: 12 }),
  augment: fc.constantFrom(1, 3),
});

describe("a hosted teacher's data", () => {
  it("has no cluster of near wordings on both sides", async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(asked, async (o) => {
        const made = await make(o);
        refused += made.statistics.dropped.near_heldout ?? 0;
        expect(clustersAcross(made)).toBe(0);
        expect(wordingLeakage(made.train, made.heldout, weatherSet).near_wordings.numerator).toBe(0);
      }),
      { numRuns: 25 },
    );
    // Else the property would hold without anything being done for it.
    expect(refused).toBeGreaterThan(0);
  });

  it("changes no sample and no case when more samples are asked for", async () => {
    await fc.assert(
      fc.asyncProperty(asked, fc.integer({ min: 1, max: 20 }), async (o, more) => {
        const [few, many] = await Promise.all([make(o), make({ ...o, samples: o.samples + more })]);
        expect(many.heldout).toEqual(few.heldout);
        const ids = new Set(few.train.map((s) => s.id));
        expect(many.train.filter((s) => ids.has(s.id))).toEqual(few.train);
      }),
      { numRuns: 25 },
    );
  });

  it("is the same whenever answers arrive, and after any number of kills", async () => {
    await fc.assert(
      fc.asyncProperty(asked, fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 4 }), async (o, kills) => {
        const kept = new Map<string, Reply>();
        for (const most of kills) await attempt(o, hosted(o.salt, kept, most));
        expect(await make(o, hosted(o.salt, kept))).toEqual(await make(o));
      }),
      { numRuns: 15 },
    );
  });

  it("says of slots that stay empty what can be done", async () => {
    const one: Hosted = {
      ask: async (requests) =>
        ok(
          requests.map((r) => {
            const { turns } = JSON.parse(reply(r, 1).text) as { turns: { call: object | null }[] };
            const place = PLACES[(r.seed ?? 0) % PLACES.length];
            const said = turns.map((t, i) => ({
              ...t,
              user: `How is the weather in ${place} number ${r.seed}${i}?`,
              ...(t.call !== null && { call: { ...t.call, arguments: `{"location":"${place}"}` } }),
            }));
            return { text: JSON.stringify({ turns: said }), input: 1, output: 1 };
          }),
        ),
    };
    const { statistics, heldout, train } = await make({ salt: 1, samples: 10, cases: 4 }, one);
    expect(heldout.length).toBeGreaterThan(0);
    expect(train).toEqual([]);
    expect(statistics.warnings.join("\n")).toMatch(/raise `data\.teacher\.temperature`, or lower `evaluation\.samples`/);
  });

  it("has mostly values in training that no held-out case has, where there are many", async () => {
    const many: Hosted = {
      ask: async (requests) =>
        ok(
          requests.map((r) => {
            const rng = rngFor(3, "many", r.user);
            const place = `${rng.pick(["Turin", "Lagos", "Hanoi", "Porto", "Izmir", "Dakar", "Malmo", "Cusco"])} ${rng.pick(["North", "South", "Old Town", "Harbour"])}`;
            const { turns } = JSON.parse(reply(r, 3).text) as { turns: { call: object | null }[] };
            const said = turns.map((t, i) => {
              const words = Array.from({ length: 6 }, () => `${rng.pick(["ba", "ko", "ri", "tu"])}${rng.int(100, 999)}x`).join(" ");
              return { ...t, user: `${words} ${place} ${i}`, ...(t.call !== null && { call: { ...t.call, arguments: JSON.stringify({ location: place }) } }) };
            });
            return { text: JSON.stringify({ turns: said }), input: 1, output: 1 };
          }),
        ),
    };
    const made = await make({ salt: 3, samples: 40, cases: 20 }, many);
    expect(made.statistics.short).toEqual([]);
    expect(made.statistics.dropped.heldout_value).toBeGreaterThan(0);
    expect(wordingLeakage(made.train, made.heldout, weatherSet).shared_values.value).toBeLessThan(0.5);
  });
});

describe("the line by wordings", () => {
  const candidate = (place: number, side: "eval/" | "", user: string, location: string, late = false): Candidate => {
    const call = { name: "get_weather", arguments: { location }, accepted: { location: [location] }, said: {} };
    const outcome = { text: "{}", isError: false, timedOut: false };
    const draft: Draft = {
      slot: { id: `${side}standard/get_weather/${place}`, scenario: "standard", kind: "plain", tool: "get_weather" },
      attempt: 0,
      frame: user,
      exchanges: [{ kind: "call", user, call, answer: () => "-", simulate: () => outcome }],
      focus: 0,
    };
    return { place, draft, served: [{ outcome, answer: "-" }], late };
  };
  const line = () => lineFor({}, weatherSet);

  it("has a draft of training give way to a held-out case that comes later, until it is let go", () => {
    const l = line();
    expect(l.takes(candidate(5, "", "What's the weather in Oslo?", "Oslo"))).toEqual([]);
    expect(l.takes(candidate(4, "", "What's the weather in Perth today?", "Perth"))).toEqual([]);
    expect(l.takes(candidate(0, "eval/", "What is the weather like in Lima?", "Lima"))).toEqual([4, 5]);
    l.releases(5);
    expect(l.takes(candidate(1, "eval/", "What is the weather in Quito?", "Quito"))).toEqual([4]);
    expect(l.refuses(candidate(5, "", "whats the weather in Perth", "Perth"))).toBe("near_heldout");
    l.releases(0);
    l.releases(1);
    expect(l.refuses(candidate(5, "", "whats the weather in Perth", "Perth"))).toBeNull();
  });

  it("asks for values of its own while there are attempts to spare, and then puts up with others", () => {
    const l = line();
    l.takes(candidate(0, "eval/", "Is it cold in Lima?", "Lima"));
    expect(l.refuses(candidate(5, "", "Storm warnings, Lima", "Lima"))).toBe("heldout_value");
    expect(l.refuses(candidate(5, "", "Storm warnings, Lima", "Lima", true))).toBeNull();
    expect(l.refuses(candidate(5, "", "Storm warnings, Oslo", "Oslo"))).toBeNull();
    l.releases(0);
    expect(l.refuses(candidate(5, "", "Storm warnings, Lima", "Lima"))).toBeNull();
  });

  it("leaves wordings to their frames where the frames are the project's own", () => {
    const l = lineFor({ knows: (d) => d.frame.startsWith("What") }, weatherSet);
    l.takes(candidate(0, "eval/", "What is the weather like in Lima?", "Lima"));
    expect(l.refuses(candidate(5, "", "What's the weather in Oslo?", "Oslo"))).toBeNull();
    expect(l.refuses(candidate(5, "", "Hi! What's the weather in Oslo?", "Oslo"))).toBe("near_heldout");
  });
});

describe("a file as the teacher", () => {
  const line = (user: string, location: string) =>
    JSON.stringify({
      messages: [
        { role: "user", content: user },
        { role: "assistant", tool_calls: [{ function: { name: "get_weather", arguments: { location } } }] },
        { role: "tool", content: '{"sky":"clear"}' },
        { role: "assistant", content: "Clear." },
      ],
    });
  const fill = async (lines: readonly string[], samples: number) => {
    const plan = planSynthesis({ toolset: weatherSet, samples, minPerTool: 0, scenarios: SHARES, evaluationSamples: 20, seed: 7 });
    const brought = importSamples(lines.join("\n"), false).samples;
    const made = await generate(
      { toolset: weatherSet, plan, seed: 7, session: null, answerPlain },
      fileTeacher(brought, weatherSet, 7, plan.train, builtinTeacher(weatherSet, 7)),
    );
    if (!made.ok) throw new Error(made.error.message);
    return { ...made.value, brought };
  };

  it("keeps what it says, and held-out cases keep away from all of it, with a slot or without", async () => {
    // What the builtin teacher holds out when there is no file: somebody may say just that.
    const alone = await fill([line("Nothing like it at all, honestly, near Oslo", "Oslo")], 30);
    const theirs = alone.heldout.flatMap((c) => {
      const location = c.expect?.[0]?.name === "get_weather" ? (c.expect[0].arguments.location?.[0] as string | undefined) : undefined;
      const user = c.messages.at(-1)?.content;
      return location === undefined || !user || c.messages.length > 1 ? [] : [line(user.replaceAll(location, "Brno"), "Brno")];
    });
    expect(theirs.length).toBeGreaterThan(2);
    const [few, many] = await Promise.all([fill(theirs, 3), fill(theirs, 60)]);
    for (const made of [few, many]) {
      expect(wordingLeakage(made.brought, made.heldout, weatherSet).near_wordings.numerator).toBe(0);
      expect(made.statistics.dropped.near_training).toBeGreaterThan(0);
      expect(made.heldout.length).toBe(alone.heldout.length);
    }
    expect(many.heldout).toEqual(few.heldout);
    expect(many.train.filter((s) => JSON.stringify(s).includes("Brno")).length).toBeGreaterThanOrEqual(theirs.length);
  });
});
