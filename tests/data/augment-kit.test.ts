/** Variations that synthetic-data-kit says anew: what it is given, and that its words are taken only where the calls' values stand in them. */
import { describe, expect, it } from "vitest";
import { type Kit, rewordedByKit } from "../../src/data/augment-kit.ts";
import { readCalls } from "../../src/data/checks/check.ts";
import { BUDGET_ENDED, generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { hostedTeacher } from "../../src/data/teacher/hosted/index.ts";
import type { Generation, Sample } from "../../src/data/types.ts";
import type { Request } from "../../src/models/hosted/client.ts";
import type { KitEntry } from "../../src/models/kit/kit.ts";
import { err, ok } from "../../src/platform/result.ts";
import { goodTeacher } from "../models/openai-server.ts";
import { answerPlain, WEIGHTS, weatherSet } from "./fixtures.ts";

const planOf = (samples: number) => planSynthesis({ toolset: weatherSet, samples, minPerTool: 2, scenarios: WEIGHTS, evaluationSamples: 12, seed: 7 });
const host = {
  names: new Set<string>(),
  ask: async (requests: readonly Request[]) => {
    for (const r of requests) host.names.add(r.reply.name);
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
    return ok(answers.map((a) => ({ text: a.content ?? "", input: 1, output: 1 })));
  },
};
const anew = (e: KitEntry): string[] => e.messages.map((m) => `As ${e.person} no. ${e.example} says: ${m} (${e.writes})`);

async function make(samples: number, kit: (e: KitEntry) => readonly string[] | null): Promise<Generation & { entries: KitEntry[] }> {
  const entries: KitEntry[] = [];
  host.names.clear();
  const asks: Kit = async (some) => {
    entries.push(...some);
    return ok(some.map(kit));
  };
  const teacher = rewordedByKit(hostedTeacher("h/m", weatherSet, 7, host), 7, "synthetic-data-kit 0", asks);
  const r = await generate({ toolset: weatherSet, plan: planOf(samples), seed: 7, session: null, answerPlain, augment: 5, reword: true }, teacher);
  if (!r.ok) throw new Error(r.error.message);
  return { ...r.value, entries };
}
const user = (s: Sample) => s.messages.filter((m) => m.role === "user").map((m) => m.content ?? "");
const varied = (train: readonly Sample[]) => train.filter((s) => s.source === "augmented");

describe("what synthetic-data-kit rewords", () => {
  it("is every variation and nothing else, with the values of its calls, and the report says by whom", async () => {
    const { train, heldout, statistics, entries } = await make(100, anew);
    expect(statistics.short).toEqual([]);
    expect(statistics.teacher).toBe("h/m, reworded by synthetic-data-kit 0");
    expect(varied(train).length).toBeGreaterThan(40);
    expect(host.names).toEqual(new Set(["conversation"]));
    const said = (s: Sample) => user(s).some((u) => /^As .* no\. \d+ says: /.test(u));
    expect(train.filter((s) => said(s) !== (s.source === "augmented"))).toEqual([]);
    expect(JSON.stringify(heldout)).not.toContain("says: ");
    for (const s of varied(train))
      for (const c of readCalls(s)) expect(user(s).join(" ").toLowerCase()).toContain(String((c.value as { location: string }).location).toLowerCase());
    expect(new Set(entries.map((e) => e.person)).size).toBeGreaterThan(6);
    expect(new Set(entries.map((e) => e.writes)).size).toBeGreaterThan(6);
    for (const e of entries)
      expect(
        e.keep.every((words, i) => words.every((w) => e.messages[i]?.toLowerCase().includes(w.toLowerCase()))),
        JSON.stringify(e),
      ).toBe(true);
  });

  it("is not taken where a value of a call is gone, the count is another, or a text is blank or endless", async () => {
    const ways: ((e: KitEntry) => readonly string[] | null)[] = [
      (e) => e.messages.map((m) => m.replace(/\p{L}/gu, "x")),
      (e) => [...anew(e), "one more"],
      (e) => anew(e).slice(1),
      (e) => e.messages.map(() => "  "),
      (e) => anew(e).map((m) => m.padEnd(9000, "!")),
      () => null,
    ];
    for (const way of ways) {
      const { train, statistics, entries } = await make(60, way);
      expect(
        varied(train).filter((s) => readCalls(s).length > 0),
        way.toString(),
      ).toEqual([]);
      expect(statistics.short.length).toBeGreaterThan(10);
      // As often as a hosted teacher is asked for a slot, and each time for something else.
      const tries = new Map<string, number>();
      for (const e of entries) tries.set(e.id.split("#")[0] as string, (tries.get(e.id.split("#")[0] as string) ?? 0) + 1);
      expect(Math.max(...tries.values())).toBeLessThanOrEqual(4);
      expect(new Set(entries.map((e) => JSON.stringify(e))).size).toBe(entries.length);
    }
  });

  it("is the same for a slot on every run, and whatever is planned after it", async () => {
    const [few, again, more] = [await make(60, anew), await make(60, anew), await make(90, anew)];
    expect(again.entries).toEqual(few.entries);
    expect(again.train).toEqual(few.train);
    const later = new Map(more.entries.map((e) => [e.id, e]));
    const first = few.entries.filter((e) => e.id.endsWith("#0"));
    expect(first.length).toBeGreaterThan(20);
    expect(first.filter((e) => later.has(e.id)).map((e) => later.get(e.id))).toEqual(first.filter((e) => later.has(e.id)));
  });

  it("ends generation where the kit fails", async () => {
    const failure = { code: "teacher/key", message: "refused", exit: 6 } as const;
    const teacher = rewordedByKit(hostedTeacher("h/m", weatherSet, 7, host), 7, "k", async () => err(failure));
    const r = await generate({ toolset: weatherSet, plan: planOf(60), seed: 7, session: null, answerPlain, augment: 5, reword: true }, teacher);
    expect(r).toEqual(err(failure));
  });

  it("is left out where the budget ends, and what the teacher wrote is there", async () => {
    const failure = { code: "teacher/budget", message: "spent", exit: 1 } as const;
    const teacher = rewordedByKit(hostedTeacher("h/m", weatherSet, 7, host), 7, "k", async () => err(failure));
    const r = await generate({ toolset: weatherSet, plan: planOf(60), seed: 7, session: null, answerPlain, augment: 5, reword: true }, teacher);
    if (!r.ok) throw new Error(r.error.message);
    expect(r.value.train.length).toBeGreaterThan(10);
    expect(varied(r.value.train)).toEqual([]);
    expect(new Set(r.value.statistics.short.map((s) => s.reason))).toEqual(new Set([BUDGET_ENDED]));
    expect(r.value.train.length + r.value.statistics.short.length).toBe(planOf(60).train.length);
  });
});
