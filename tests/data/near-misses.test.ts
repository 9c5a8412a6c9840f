/** Requests close to the tools that none of them serves: none that one might serve, and none where a domain's own are better. */
import { describe, expect, it } from "vitest";
import { actionBeside, hasOwn, questionOfPlace, takesPlaces } from "../../src/data/teacher/builtin/near-misses.ts";
import { outOfScope, plainQuestion, readTerritory } from "../../src/data/teacher/builtin/plain.ts";
import type { Toolset } from "../../src/data/types.ts";
import { rngFor } from "../../src/platform/rng.ts";
import { toolset, weatherSet } from "./fixtures.ts";

const tool = (name: string, description: string, properties: Record<string, unknown> = {}) => ({
  name,
  description,
  input_schema: { type: "object", properties },
});
const set = (...tools: ReturnType<typeof tool>[]): Toolset => toolset(tools);
const CITY = { city: { type: "string", description: "The city." } };
const searchHotels = tool("search_hotels", "Search for hotels in a city.", CITY);
const cancelBooking = tool("cancel_booking", "Cancels a hotel booking.", { booking_id: { type: "string" } });

const many = <T>(draw: (i: number) => T | null): T[] => Array.from({ length: 600 }, (_, i) => draw(i)).filter((x): x is NonNullable<typeof x> => x !== null);
const actions = (of: Toolset): string[] => {
  const { tools, territory } = readTerritory(of);
  return many((i) => actionBeside(tools, territory.searchesAnything, rngFor("near", i))).map((p) => p.say);
};

describe("actions beside what the tools do", () => {
  it("are other deeds to their things and their deeds to other things", () => {
    const said = actions(set(searchHotels));
    expect(said.some((s) => /^(cancel|call off) (the|my) hotels?\b/.test(s))).toBe(true);
    expect(said.some((s) => /\btrain to\b/.test(s))).toBe(true);
    expect(new Set(said).size).toBeGreaterThan(150);
    expect(said.filter((s) => /[{}]/.test(s))).toEqual([]);
  });

  it("are none that a tool of the set does, in its class of verbs or by a word of its description", () => {
    const said = actions(set(searchHotels, cancelBooking));
    expect(said.filter((s) => /\b(cancel|call off|delete|remove|get rid of) (the|my) (hotel|booking)/.test(s))).toEqual([]);
    expect(actions(set(searchHotels)).filter((s) => /^(find|search|look|locate).*\b(hotel|apartment)/.test(s))).toEqual([]);
    const rated = actions(set(searchHotels, tool("add_review", "Adds a review of a hotel.")));
    expect(rated.filter((s) => /leave a review|bad review|four stars/.test(s))).toEqual([]);
  });

  it("do no deed where a tool manages things, and look for nothing where one searches for anything", () => {
    expect(actions(set(tool("devices", "Manage the devices of a home."))).filter((s) => /device/.test(s))).toEqual([]);
    const web = set(searchHotels, tool("search_web", "Searches the web for anything.", { query: { type: "string", description: "What to search for." } }));
    expect(actions(web).filter((s) => /\b(train|restaurant|plumber|recipe|sofa)\b/.test(s))).toEqual([]);
  });
});

describe("questions in which a place stands", () => {
  const { tools } = readTerritory(set(searchHotels));

  it("are asked where tools take places, and not of what a description speaks of", () => {
    expect(takesPlaces(tools)).toBe(true);
    expect(takesPlaces(readTerritory(set(cancelBooking)).tools)).toBe(false);
    const said = many((i) => questionOfPlace(tools, rngFor("place", i))).map((p) => p.say);
    expect(new Set(said).size).toBeGreaterThan(200);
    expect(said.filter((s) => /[{}|]/.test(s))).toEqual([]);
    const facts = readTerritory(set(tool("city_facts", "Facts and population of a city.", CITY))).tools;
    expect(many((i) => questionOfPlace(facts, rngFor("place", i))).filter((p) => /fact|how many people|famous/.test(p.say))).toEqual([]);
  });

  it("and such actions make part of what a recipe is shown, with an honest refusal", () => {
    const { tools: read, territory } = readTerritory(set(searchHotels));
    const beyond = many((i) => outOfScope(read, territory, rngFor("beyond", i)));
    expect(beyond.filter((q) => /hotel/i.test(q.text)).length / beyond.length).toBeGreaterThan(0.25);
    for (const q of beyond) expect(q.refusal, q.text).toMatch(/search for (places to stay|hotels)/);
    const plain = many((i) => plainQuestion(read, territory, rngFor("plain", i)));
    expect(plain.some((q) => /language|pronounce|currency|breakfast/i.test(q.text))).toBe(true);
  });
});

it("a toolset whose domains have near misses of their own keeps to those", () => {
  const { tools, territory } = readTerritory(weatherSet);
  expect(hasOwn(tools)).toBe(true);
  expect(many((i) => outOfScope(tools, territory, rngFor("beyond", i))).filter((q) => /four stars|refund|voucher/i.test(q.text))).toEqual([]);
  expect(hasOwn(readTerritory(set(searchHotels)).tools)).toBe(false);
});
