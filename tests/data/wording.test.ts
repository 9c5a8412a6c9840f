/** What people say instead of a parameter's name, and that it still decides the argument. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { realToolset } from "../../src/data/curriculum/real.ts";
import { makeLeftOut, makeToolset } from "../../src/data/curriculum/toolsets.ts";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { splitName } from "../../src/data/teacher/builtin/english.ts";
import { readToolset } from "../../src/data/teacher/builtin/model.ts";
import { sayPair } from "../../src/data/teacher/builtin/values/times.ts";
import { plain } from "../../src/data/teacher/builtin/values/value.ts";
import { KNOWN_PEOPLE } from "../../src/data/teacher/builtin/words/things.ts";
import type { ToolDefinition, Toolset } from "../../src/data/types.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { rngFor } from "../../src/platform/rng.ts";
import { toolsetHash } from "../../src/tools/toolset.ts";

const tool = (name: string, description: string, properties: JsonObject, required: string[]): ToolDefinition => ({
  name,
  description,
  input_schema: { type: "object", properties, required },
  source: "file",
  origin: "test",
});
const set = (...tools: ToolDefinition[]): Toolset => ({ version: 1, hash: toolsetHash(tools), tools });

/** Requests with a call that succeeds, and its arguments. */
async function asked(toolset: Toolset, samples = 300): Promise<{ text: string; args: JsonObject }[]> {
  const scenarios = { standard: 1, no_tool: 0, error: 0, ambiguous: 0, edge: 0 };
  const plan = planSynthesis({ toolset, samples, minPerTool: 1, scenarios, evaluationSamples: 0, seed: 5 });
  const made = await generate({ toolset, plan, seed: 5, session: null, answerPlain: async (q) => ({ ok: true, value: q.map(() => "An answer.") }) });
  if (!made.ok) throw new Error(made.error.message);
  return made.value.train
    .filter((s) => s.kind !== "follow_up")
    .map((s) => {
      const call = s.messages.find((m) => m.role === "assistant")?.tool_calls?.[0];
      return { text: String(s.messages.find((m) => m.role === "user")?.content), args: JSON.parse(call?.function.arguments ?? "{}") as JsonObject };
    });
}

const sights = tool(
  "find_attractions",
  "Find attractions in a city.",
  {
    city: { type: "string", description: "The city, in the format of 'City, State' or 'City, Country'" },
    category: { type: "string", enum: ["Museum", "Park", "Theme Park", "dontcare"], default: "dontcare", description: "Kind of attraction" },
    good_for_kids: { type: "string", enum: ["True", "False", "dontcare"], description: "Whether it suits children" },
    free_entry: { type: "boolean", description: "Only those without an entrance fee" },
  },
  ["city"],
);

describe("people's words for what a parameter means", async () => {
  const requests = await asked(set(sights));

  test("children and fees are spoken of without the parameter's name, with their polarity", () => {
    const kids = requests.filter((r) => r.args.good_for_kids === "True");
    const own = kids.filter((r) => /child|kids|famil|grandchildren/i.test(r.text));
    expect(kids.length).toBeGreaterThan(20);
    expect(own.length / kids.length).toBeGreaterThan(0.9);
    for (const r of requests.filter((x) => /no entry fee|free of charge|cost nothing|free admission/i.test(x.text))) expect(r.args.free_entry).toBe(true);
    for (const r of requests.filter((x) => /charge an entrance fee|with an entry fee/i.test(x.text))) expect(r.args.free_entry).toBe(false);
  });

  test("a kind stands in the object's place: museums, a theme park", () => {
    expect(requests.some((r) => /\b(museums|a museum|parks|theme parks)\b/i.test(r.text) && !/attractions|categor/i.test(r.text))).toBe(true);
    for (const r of requests) if (/\bmuseums?\b/i.test(r.text)) expect(r.args.category).toBe("Museum");
  });

  test("a choice that is left open is the schema's own word for that", () => {
    const open = requests.filter((r) => r.args.category === "dontcare");
    expect(open.length).toBeGreaterThan(2);
    for (const r of open) expect(r.text).toMatch(/categor/i);
  });

  test("a city is written as the description asks, however it was said", () => {
    const bare = requests.filter((r) => !r.text.includes(String(r.args.city)));
    expect(bare.length / requests.length).toBeGreaterThan(0.3);
    for (const r of requests) expect(r.args.city).toMatch(/, /);
    for (const r of requests) if (/\bNYC\b/.test(r.text)) expect(r.args.city).toBe("New York, NY");
  });
});

test("of two dates the year is said once, or the second by the first, and both stay determined", () => {
  const day = fc.date({ min: new Date("2022-01-01T00:00:00Z"), max: new Date("2027-06-01T00:00:00Z"), noInvalidDate: true });
  fc.assert(
    fc.property(day, fc.integer({ min: 1, max: 20 }), fc.integer(), (date, apart, seed) => {
      const iso = (d: Date) => d.toISOString().slice(0, 10);
      const say = (d: Date) => d.toLocaleDateString("en-US", { timeZone: "UTC", month: "long", day: "numeric", year: "numeric" });
      const end = new Date(date.getTime() + apart * 86_400_000);
      const said = sayPair(plain(iso(date), say(date)), plain(iso(end), say(end)), "YYYY-MM-DD", rngFor(seed, "pair"));
      if (said === null) return;
      const year = String(date.getUTCFullYear());
      expect(iso(end).slice(0, 4)).toBe(year);
      expect([said.start, said.end].some((s) => s.includes(year))).toBe(true);
      const later = /^(\d+|a|two) (day|week)s? later$/.exec(said.end);
      if (later === null) expect([say(date), say(date).replace(`, ${year}`, "")]).toContain(said.start);
      else expect((later[1] === "a" ? 1 : later[1] === "two" ? 2 : Number(later[1])) * (later[2] === "week" ? 7 : 1)).toBe(apart);
    }),
  );
});

test("who says when it begins mostly says when it ends", async () => {
  const date = (description: string) => ({ type: "string", description: `${description}, in the format YYYY-MM-DD` });
  const trips = tool(
    "search_flights",
    "Search for round trips between two airports.",
    {
      origin: { type: "string", description: "Departure airport" },
      departure_date: date("Day of departure"),
      return_date: date("Day of return"),
      seats: { type: "integer", description: "Seats" },
      airline: { type: "string", description: "Airline" },
    },
    ["origin"],
  );
  const requests = await asked(set(trips));
  const dated = requests.filter((r) => r.args.departure_date !== undefined || r.args.return_date !== undefined);
  const both = dated.filter((r) => r.args.departure_date !== undefined && r.args.return_date !== undefined);
  expect(dated.length).toBeGreaterThan(40);
  expect(both.length / dated.length).toBeGreaterThan(0.6);
  expect(both.length).toBeLessThan(dated.length);
});

test("an identifier stands for the tool's object only where it is the object's own", async () => {
  const id = (name: string) => ({ [name]: { type: "integer", description: `Unique identifier of the ${name.replace("_id", "")}` } });
  const profile = tool("view_provider_profile", "View the provider profile of a service.", id("service_id"), ["service_id"]);
  for (const { text } of await asked(set(profile), 150)) expect(text, text).toMatch(/profile/i);
  const status = tool("get_order_status", "Get the order status.", id("order_id"), ["order_id"]);
  expect((await asked(set(status), 150)).some(({ text }) => !/status/i.test(text))).toBe(true);
});

test("of a person one asks who, of a thing what", async () => {
  const web = tool("web_search", "Search the web for information.", { query: { type: "string", description: "What to search for" } }, ["query"]);
  const asking = (word: string, { text, args }: { text: string; args: JsonObject }) =>
    [" is", "'s", " was"].some((is) =>
      text
        .toLowerCase()
        .replaceAll('"', "")
        .includes(`${word}${is} ${String(args.query).toLowerCase()}`),
    );
  const requests = (await asked(set(web), 400)).filter((r) => asking("who", r) || asking("what", r));
  expect(requests.length).toBeGreaterThan(12);
  for (const r of requests) expect(asking("who", r), r.text).toBe(KNOWN_PEOPLE.includes(String(r.args.query)));
});

test("what a description includes is asked for by that name", () => {
  const [model] = readToolset(
    set(tool("inventory_management", "Manage inventory-related queries, including checking product availability, stock updates and sizes.", {}, [])),
  );
  expect(model?.objects).toEqual(expect.arrayContaining(["product availability", "stock updates"]));
});

test("what a toolset's services leave out shares no verb with its tools", () => {
  const words = (toolset: Toolset) => toolset.tools.map((t) => splitName(t.name));
  let found = 0;
  for (let i = 0; i < 300; i++) {
    const out = makeLeftOut(6, i);
    if (out === null) continue;
    found += 1;
    const own = new Set(words(makeToolset(6, i)).flat());
    for (const name of words(out))
      expect(name.filter((w) => /^(cancel|delete|return|rename|move|archive|renew|forward|lock)$/.test(w) && own.has(w))).toEqual([]);
  }
  expect(found).toBeGreaterThan(60);
});

test("a real server's tools are taken some at a time, none too long, the same each time", () => {
  const long = tool("long", "x".repeat(4000), {}, []);
  const server = set(
    long,
    ...Array.from({ length: 12 }, (_, i) => tool(`tool_${i}`, `Get the thing number ${i}. ${"It is described at length. ".repeat(20)}`, {}, [])),
  );
  for (let i = 0; i < 100; i++) {
    const some = realToolset([server], 3, i);
    expect(some).toEqual(realToolset([server], 3, i));
    expect(some?.tools.length).toBeLessThanOrEqual(8);
    expect(some?.tools.length).toBeGreaterThan(0);
    expect(some?.tools).not.toContain(long);
    expect(realToolset([server], 3, i, 2)?.tools.length).toBeLessThanOrEqual(2);
  }
  expect(realToolset([set(long)], 3, 0)).toBeNull();
});

describe("what kind of thing, and what is all the same", () => {
  const sights = set(
    tool(
      "find_attractions",
      "Browse attractions in a given city.",
      {
        location: { type: "string", description: "City and country, such as 'Rome, Italy'" },
        free_entry: { type: "string", enum: ["True", "False", "dontcare"], description: "Whether entry is free", default: "dontcare" },
        category: { type: "string", enum: ["Museum", "Park", "Theme Park", "Garden"], description: "Category of the attraction" },
        good_for_kids: { type: "string", enum: ["True", "False", "dontcare"], description: "Whether it is good for kids", default: "dontcare" },
      },
      ["location"],
    ),
    tool("get_news", "Get the news of a topic.", { topic: { type: "string", description: "Topic of the news" } }, ["topic"]),
  );

  test("the kind is said mostly, and stands in the place of the thing half the time", async () => {
    const all = (await asked(sights)).filter((r) => r.args.location !== undefined);
    const kinded = all.filter((r) => r.args.category !== undefined);
    expect(kinded.length).toBeGreaterThan(all.length / 2);
    const instead = kinded.filter((r) => !/attraction|sight|things? to (see|do)|places? to visit|category/i.test(r.text));
    expect(instead.length).toBeGreaterThan(kinded.length * 0.4);
    for (const r of instead) expect(r.text.toLowerCase()).toContain(String(r.args.category).toLowerCase().replace(/y$/, ""));
  });

  test("what is on or off is mostly wanted, whatever the values are called", async () => {
    const said = (await asked(sights)).map((r) => r.args.free_entry).filter((v) => v === "True" || v === "False");
    const yes = said.filter((v) => v === "True").length / said.length;
    expect(yes).toBeGreaterThan(0.6);
    expect(yes).toBeLessThan(0.9);
  });

  test("no name of a parameter is said of a choice that is left open", async () => {
    const open = (await asked(sights, 600)).filter((r) => r.args.free_entry === "dontcare" || r.args.good_for_kids === "dontcare");
    expect(open.length).toBeGreaterThan(3);
    for (const r of open) expect(r.text).not.toMatch(/preference for the (free entry|good for kids)|free entry doesn't matter|any good for kids/i);
  });

  test("a choice of several that is not made may be said to be open, and is no argument", async () => {
    const readings = set(
      tool(
        "get_readings",
        "Get the latest sensor readings.",
        { metrics: { type: "array", items: { type: "string", enum: ["noise", "co2", "door"] }, description: "Metrics to return" } },
        [],
      ),
      tool("get_news", "Get the news of a topic.", { topic: { type: "string", description: "Topic of the news" } }, ["topic"]),
    );
    const open = (await asked(readings)).filter((r) => /\b(each|every|all) metrics?\b/i.test(r.text));
    expect(open.length).toBeGreaterThan(5);
    for (const r of open) expect(r.args.metrics).toBeUndefined();
  });

  test("an abbreviation is written in capitals too", async () => {
    const servers = set(
      tool("list_servers", "List servers.", { type: { type: "string", enum: ["sql", "rds", "graphql"], description: "Type of the servers" } }, []),
      tool("get_news", "Get the news of a topic.", { topic: { type: "string", description: "Topic of the news" } }, ["topic"]),
    );
    const said = (await asked(servers)).filter((r) => r.args.type === "sql").map((r) => r.text);
    expect(said.some((t) => /\bSQL\b/.test(t) && t !== t.toUpperCase())).toBe(true);
    expect(said.some((t) => /\bsql\b/.test(t))).toBe(true);
  });
});
