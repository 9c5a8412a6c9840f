/** Variations in languages that have a pack, and in those that have none. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { saysFailed } from "../../src/data/answers.ts";
import { readCalls } from "../../src/data/checks/check.ts";
import { sampleChecker } from "../../src/data/checks/index.ts";
import { generate } from "../../src/data/generate.ts";
import { addressOf } from "../../src/data/languages/address.ts";
import { varied } from "../../src/data/languages/dress.ts";
import { putBack, takeOut } from "../../src/data/languages/keep.ts";
import { lexiconOf, listOf, packOf, packs } from "../../src/data/languages/pack.ts";
import { recognise } from "../../src/data/languages/recognise.ts";
import { misspelt, small, withoutKeys, withoutMarks } from "../../src/data/languages/typing.ts";
import { spoken } from "../../src/data/languages/values.ts";
import { measureQuality } from "../../src/data/qa.ts";
import { jaccard, NEAR_DUPLICATE, shingles } from "../../src/data/similarity.ts";
import { promptKey } from "../../src/data/split.ts";
import * as ENGLISH from "../../src/data/teacher/builtin/patterns.ts";
import { fileTeacher } from "../../src/data/teacher/file/index.ts";
import { readConversation } from "../../src/data/teacher/hosted/read.ts";
import type { CallExchange, Draft, Teacher } from "../../src/data/teacher/teacher.ts";
import type { CallPort, Generation, Sample, Slot, SynthesisPlan } from "../../src/data/types.ts";
import { ok } from "../../src/platform/result.ts";
import { rngFor } from "../../src/platform/rng.ts";
import { answerPlain } from "./fixtures.ts";
import { varyAll } from "./language-rig.ts";
import { SEEDS, seedTools } from "./language-seeds.ts";

const CODES = packs().map((p) => p.code);
const userOf = (s: Sample): string => s.messages.find((m) => m.role === "user")?.content ?? "";
const toldBy = (s: Sample): string => s.messages.at(-1)?.content ?? "";
const pack = (code: string) => packOf(code) as NonNullable<ReturnType<typeof packOf>>;
/** A line as it may stand in a text: in small letters, without marks and keys. */
const plain = (text: string): string =>
  text
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replaceAll("ß", "ss")
    .replace(/[^\p{L}]+/gu, " ")
    .trim();
const linesOf = (code: string): string[] => {
  const { greetings, leads, contexts, closers } = pack(code).lines;
  return [...contexts, ...closers, ...leads, ...greetings].map(plain);
};
const ENGLISH_LINES = [...ENGLISH.CONTEXTS, ...ENGLISH.CLOSERS, ...ENGLISH.LEADS].map(plain);

const english = varyAll("en", 10);

describe.each(CODES)("ten samples of each conversation in %s", (code) => {
  const made = varyAll(code, 10);

  it("are all there, pass every check, and none is nearly another", async () => {
    const { train, statistics } = await made;
    expect(statistics.short).toEqual([]);
    expect(statistics.warnings).toEqual([]);
    expect(train).toHaveLength((SEEDS[code] ?? []).length * 10);
    expect(train.filter((s) => s.source === "augmented")).toHaveLength((SEEDS[code] ?? []).length * 9);
    const check = sampleChecker(seedTools, {});
    for (const s of train) expect(check(s), JSON.stringify(s)).toBeNull();
    const sets = train.map((s) => shingles(promptKey(userOf(s))));
    expect(Math.max(...sets.flatMap((a, i) => sets.slice(0, i).map((b) => jaccard(a, b))))).toBeLessThan(NEAR_DUPLICATE);
  });

  it("say every value of their calls, in a form of the language, and tell what came back in it", async () => {
    const { train } = await made;
    let changed = 0;
    const wrong: unknown[] = [];
    for (const [i, s] of train.entries()) {
      const seed = (SEEDS[code] ?? [])[Math.floor(i / 10)];
      for (const call of readCalls(s))
        for (const [name, value] of Object.entries(call.value as Record<string, string | number>)) {
          const before = seed?.args?.[name] as string | number;
          // What the seed says in words that the pack does not know (Portuguese "duas") stays.
          const isSaid = spoken(before, seed?.user ?? "", pack(code)) === null ? value === before : spoken(value, userOf(s), pack(code)) !== null;
          if (!isSaid) wrong.push([value, userOf(s)]);
          if (value !== before) changed++;
        }
      for (const text of [userOf(s), toldBy(s)]) if (!["", code].includes(recognise(text)?.code ?? "")) wrong.push(text);
    }
    expect(wrong).toEqual([]);
    expect(changed).toBeGreaterThan(100);
  });

  it("have nothing of another language around them, and speak to people in one way", async () => {
    const { train } = await made;
    const own = new Set(linesOf(code));
    const foreign = [...CODES.filter((c) => c !== code).flatMap(linesOf), ...ENGLISH_LINES].filter((line) => !own.has(line) && line.length > 7);
    for (const s of train) {
      const said = ` ${plain(userOf(s))} `;
      expect(
        foreign.filter((line) => said.includes(` ${line} `)),
        userOf(s),
      ).toEqual([]);
      expect(addressOf(userOf(s), pack(code)), userOf(s)).not.toBe("both");
    }
    const lined = train.filter((s) => [...own].some((line) => ` ${plain(userOf(s))} `.includes(` ${line} `)));
    expect(lined.length).toBeGreaterThan(30);
  });

  it("are as various as English ones", async () => {
    const diversityOf = (samples: readonly Sample[]) => measureQuality({ samples, heldout: [], toolset: seedTools } as never).diversity;
    const [mine, theirs] = [diversityOf((await made).train), diversityOf((await english).train)];
    expect(mine.distinct_2).toBeGreaterThan(theirs.distinct_2 * 0.95);
    expect(mine.self_similarity).toBeLessThan(theirs.self_similarity + 0.02);
  });

  it("come out the same of the same seed, and otherwise of another", async () => {
    const [one, again, other] = await Promise.all([varyAll(code, 4), varyAll(code, 4), varyAll(code, 4, { seed: 8 })]);
    expect(again.train).toEqual(one.train);
    const before = new Set(one.train.map(userOf));
    expect(other.train.filter((s) => !before.has(userOf(s))).length).toBeGreaterThan(18);
  });

  it("tell a real result in the language too", async () => {
    const session: CallPort = {
      canExecute: () => true,
      call: async (name) =>
        name === "find_contact"
          ? { text: "internal error 5012", isError: true, timedOut: false, executed: true }
          : { text: JSON.stringify({ temperature: 17, humidity: 61, status: "ready" }), isError: false, timedOut: false, executed: true },
    };
    const { train } = await varyAll(code, 3, { session });
    const told = train.filter((s) => s.source === "augmented" && s.scenario === "standard" && s.simulated !== true);
    expect(told.length).toBeGreaterThan(8);
    for (const s of told) {
      expect(toldBy(s)).toContain("17");
      expect(["", code], toldBy(s)).toContain(recognise(toldBy(s))?.code ?? "");
    }
  });
});

describe("what a request says", () => {
  const anyCode = fc.constantFrom(...CODES);
  const names = fc.array(fc.constantFrom("ä", "é", "Straße", "bitte", "Danke", "please", "año", "favor", "x-1", "A_b", "Zürich", "où", "3", "über", "nicht"), {
    minLength: 1,
    maxLength: 4,
  });

  it("stays as it is written, whatever is done to the words around it", () => {
    fc.assert(
      fc.property(anyCode, names, fc.integer(), fc.nat(), (code, words, seed, n) => {
        const p = pack(code);
        const value = words.join(" ");
        const forms = p.rewordings.flatMap((r) => r.forms);
        const request = (forms[n % forms.length] as string).replace("{x}", () => value);
        const said = varied({ blanked: request, kept: [value], address: "none", alone: true, pack: p, rng: rngFor(seed, "t"), slips: true });
        return said.includes(value);
      }),
      { numRuns: 200 },
    );
  });

  it("is never misspelt in quotation marks, code, addresses, capitals or short forms", () => {
    fc.assert(
      fc.property(
        anyCode,
        fc.constantFrom(
          '"Bitte nicht"',
          "«por favor»",
          "„Gerne über“",
          "a_bitte",
          "/home/über/nicht.txt",
          "bitte@example.com",
          "BITTE",
          "z. B.",
          "Dr. Über",
          "`nicht`",
        ),
        fc.integer(),
        (code, fixed, seed) => {
          const p = pack(code);
          const request = `${p.lines.contexts[0]} ${fixed} ${p.lines.contexts[1]}`;
          const said = varied({ blanked: request, kept: [], address: "none", alone: true, pack: p, rng: rngFor(seed, "t"), slips: true });
          return said.includes(fixed.replace(" Über", ""));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("speaks to people as before, or begins to, but never in two ways", () => {
    fc.assert(
      fc.property(anyCode, fc.nat(), fc.boolean(), fc.integer(), (code, n, alone, seed) => {
        const p = pack(code);
        const forms = p.rewordings.flatMap((r) => r.forms);
        const request = (forms[n % forms.length] as string).replace("{x}", "{v0}");
        const before = addressOf(request, p);
        const after = addressOf(varied({ blanked: request, kept: [], address: "none", alone, pack: p, rng: rngFor(seed, "t"), slips: false }), p);
        // An order may become a wish, which speaks to nobody.
        return before === "none" ? (alone ? after !== "both" : after === "none") : after === before || after === "none";
      }),
      { numRuns: 300 },
    );
  });

  it("is taken out and put back whole", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 60 }).filter((t) => !/[{}]/.test(t)),
        fc.array(
          fc.string({ maxLength: 8 }).filter((t) => !/[{}]/.test(t)),
          { maxLength: 3 },
        ),
        (text, values) => {
          const { text: rest, taken } = takeOut(text, values);
          return putBack(rest, taken) === text;
        },
      ),
    );
  });
});

describe("typing", () => {
  it("changes words of the language alone, and stays off what is kept", () => {
    const de = pack("de");
    expect(small("Zeig mir bitte das Wetter in Oberammergau und {v0}", de)).toBe("zeig mir bitte das wetter in Oberammergau und {v0}");
    expect(small("Schick Frau Schwarz und Herrn Dr. Klein die Liste von Anna Weiß", de)).toBe(
      "schick frau Schwarz und Herrn Dr. Klein die liste von Anna Weiß",
    );
    expect(small("¿Hay mesa en Casa Pepe? Quiero una", pack("es"))).toBe("¿hay mesa en Casa Pepe? quiero una");
    expect(withoutKeys("Könntest du mir die Größe von Jürgen Weiß {v0} nennen?", de)).toBe("Koenntest du mir die Groesse von Jürgen Weiß {v0} nennen?");
    expect(withoutMarks("¿Qué tiempo hace en {v0}?", pack("es"))).toBe("Qué tiempo hace en {v0}?");
    const slips = Array.from({ length: 200 }, (_, n) => misspelt("Kannst du bitte suchen {k0}", new Set(["bitte"]), de, rngFor(n, "s")));
    expect(new Set(slips).size).toBeGreaterThan(5);
    for (const s of slips) expect(s).toMatch(/ bitte .*\{k0\}$/);
    const { known } = lexiconOf(de);
    for (const s of slips)
      for (const word of s.toLowerCase().match(/\p{L}+/gu) ?? [])
        if (!known.has(word))
          expect(
            listOf(de.typing.slips).some((w) =>
              [...w]
                .sort()
                .join("")
                .includes([...word][0] as string),
            ),
          ).toBe(true);
  });
});

it("English ones come out as they did before there were packs", async () => {
  const digest = createHash("sha256")
    .update(JSON.stringify((await english).train))
    .digest("hex");
  // Of the code before. Whoever changes the builtin teacher's dressing or values raises the stage's version, and writes the new one here.
  expect(digest).toBe("8925ecf34e8692fe2e805adfde0e23f32fdf5e751497df7a36cc3d9a3a731c93");
});

describe("conversations of several requests and calls", () => {
  const made = (city: string) => ({
    call: { name: "get_weather", arguments: JSON.stringify({ city }) },
    also_right: [],
    result: `{"city":"${city}","temperature_c":7}`,
  });
  const vary = async (slot: Pick<Slot, "scenario" | "kind">, turns: object[]): Promise<Sample[]> => {
    const slots = Array.from({ length: 10 }, (_, n) => ({ id: `x/${n}`, tool: "get_weather", ...slot }) as Slot);
    const teacher: Teacher = {
      name: "fixed",
      attempts: () => 12,
      draft: async (requests) => ok(requests.map((r) => (r.slot.id === "x/0" ? readConversation(JSON.stringify({ turns }), r.slot, r.attempt) : null))),
    };
    const plan = { version: 1, train: slots, evaluation: [] } as unknown as SynthesisPlan;
    const r = await generate({ toolset: seedTools, plan, seed: 3, session: null, answerPlain, augment: 10 }, teacher);
    if (!r.ok) throw new Error(r.error.message);
    expect(r.value.statistics.short).toEqual([]);
    return r.value.train.filter((s) => s.source === "augmented");
  };
  const users = (s: Sample): string[] => s.messages.flatMap((m) => (m.role === "user" ? [m.content ?? ""] : []));
  const cities = (s: Sample): string[] => readCalls(s).map((c) => (c.value as { city: string }).city);

  it("have the same new value in every turn, and speak to people in one way through all of them", async () => {
    const answer = (city: string) => `In ${city} sind es 7 Grad.`;
    const turns = [
      { user: "Wie ist das Wetter in Ulm?", ...made("Ulm"), answer: answer("Ulm") },
      { user: "Und in Kiel? Könnten Sie mir das auch sagen?", ...made("Kiel"), answer: answer("Kiel") },
    ];
    for (const s of await vary({ scenario: "standard", kind: "follow_up" }, turns)) {
      const [first, second] = cities(s) as [string, string];
      expect(first).not.toBe(second);
      expect(users(s)[0]).toContain(first);
      expect(users(s)[1]).toBe(`Und in ${second}? Könnten Sie mir das auch sagen?`);
      expect(addressOf(users(s).join(" "), pack("de"))).toBe("formal");
      expect(s.messages.filter((m) => m.role === "assistant" && m.content !== null).map((m) => m.content)).toEqual([answer(first), answer(second)]);
    }
  });

  it("call what they say, each its own", async () => {
    const turns = [{ user: "Wie ist das Wetter in Ulm und in Kiel?", calls: [made("Ulm"), made("Kiel")], answer: "In Ulm sind es 7 Grad, in Kiel auch." }];
    for (const s of await vary({ scenario: "chain", kind: "parallel" }, turns)) {
      const [first, second] = cities(s) as [string, string];
      expect(users(s)[0]).toMatch(new RegExp(`in ${first} und in ${second}`));
      expect(toldBy(s)).toBe(`In ${first} sind es 7 Grad, in ${second} auch.`);
    }
  });
});

it("what somebody brought and was really called is told in its language", async () => {
  const [seed] = SEEDS.de as NonNullable<typeof SEEDS.de>;
  if (seed === undefined) throw new Error("there is no seed");
  const brought = {
    id: "mine",
    source: "seed",
    scenario: "standard",
    kind: "plain",
    tool_name: "get_weather",
    frame: "x",
    qc_passed: true,
    messages: [
      { role: "user", content: seed.user },
      { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name: "get_weather", arguments: '{"city":"München"}' } }] },
      { role: "tool", content: seed.result, tool_call_id: "c", name: "get_weather" },
      { role: "assistant", content: seed.answer },
    ],
  } as unknown as Sample;
  const slot = { id: "s/0", scenario: "standard", kind: "plain", tool: "get_weather" } as Slot;
  const teacher = fileTeacher([brought], seedTools, 1, [slot], { name: "none", draft: async () => ok([]) });
  const drafts = await teacher.draft([{ slot, attempt: 0 }]);
  if (!drafts.ok) throw new Error(drafts.error.message);
  const e = (drafts.value[0] as Draft).exchanges[0] as CallExchange;
  expect(e.answer({ text: seed.result as string, isError: false, timedOut: false }, [])).toBe(seed.answer);
  const real = e.answer({ text: '{"temperature":-3,"humidity":80}', isError: false, timedOut: false }, []) as string;
  expect(real).toContain("Temperatur -3");
  expect(saysFailed(e.answer({ text: "no such city", isError: true, timedOut: false }, []) as string)).toBe(true);
});

describe("conversations without a pack", () => {
  it("in which nothing can change are written by the teacher, each", async () => {
    const slots = Array.from({ length: 4 }, (_, n) => ({ id: `x/${n}`, tool: "book_hotel", scenario: "no_tool", kind: "missing_required" }) as Slot);
    const asked: string[] = [];
    const teacher: Teacher = {
      name: "fixed",
      attempts: () => 3,
      draft: async (requests) =>
        ok(
          requests.map((r) => {
            asked.push(r.slot.id);
            const turn = { user: `Szukam noclegu (${r.slot.id})`, call: null, result: null, also_right: [], answer: "W jakim mieście?" };
            return readConversation(JSON.stringify({ turns: [turn] }), r.slot, r.attempt);
          }),
        ),
    };
    const plan = { version: 1, train: slots, evaluation: [] } as unknown as SynthesisPlan;
    const r = await generate({ toolset: seedTools, plan, seed: 3, session: null, answerPlain, augment: 4 }, teacher);
    if (!r.ok) throw new Error(r.error.message);
    expect(r.value.train.map((s) => [s.source, userOf(s)])).toEqual(slots.map((s) => ["seed", `Szukam noclegu (${s.id})`]));
    expect(asked).toEqual(slots.map((s) => s.id));
  });

  const swedish = (user: string) => `Snälla, jag behöver hjälp och vill veta: ${user.replace(/\p{Ll}{4,}/gu, "vädret")}`;

  it("have other values and no other words, and the run says so once, with the language", async () => {
    const { train, statistics } = await varyAll("de", 4, {
      users: (u) => (u.includes("München") ? "Jag vill veta vad det är för väder i München idag" : swedish(u)),
    });
    const varied = train.filter((s) => s.source === "augmented" && userOf(s).startsWith("Jag vill"));
    expect(varied.length).toBeGreaterThan(0);
    for (const s of varied) expect(userOf(s)).toMatch(/^Jag vill veta vad det är för väder i [\p{L} .'-]+ idag$/u);
    expect(statistics.warnings.filter((w) => w.includes("language pack"))).toEqual([expect.stringMatching(/conversations in Swedish \(\d+\)/)]);
  });

  it("of which nobody knows the language are counted apart, and taken for the one that the recipe names", async () => {
    const o = {
      users: (u: string) => (u.includes("AB-48213") ? "AB-48213 ?" : u),
      answers: (a: string) => (a.includes("AB-48213") ? "AB-48213: shipped, BlueLine." : a),
    };
    const unsure = await varyAll("de", 3, o);
    expect(unsure.statistics.warnings.at(-1)).toContain("a language that was not recognised");
    const orders = (made: Generation) => made.train.filter((s) => s.tool_name === "get_order_status").map(userOf);
    expect(orders(unsure)).toHaveLength(3);
    for (const user of orders(unsure)) expect(user).toMatch(/^\S+ \?$/);
    const named = await varyAll("de", 8, { ...o, languages: ["de"] });
    expect(orders(named).some((user) => !/^\S+ \?$/.test(user))).toBe(true);
    expect(named.statistics.warnings).toEqual([]);
  });
});
