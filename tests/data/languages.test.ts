/** Language packs: each is whole and does not contradict itself, languages are told apart, and answers are judged in their own words. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { saysFailed, saysNone } from "../../src/data/answers.ts";
import { artefacts } from "../../src/data/checks/artefacts.ts";
import { groundedAnswer } from "../../src/data/checks/grounded-answer.ts";
import { addressOf, fits } from "../../src/data/languages/address.ts";
import { packCodes, packOf, packs } from "../../src/data/languages/pack.ts";
import { recognise } from "../../src/data/languages/recognise.ts";
import type { Sample } from "../../src/data/types.ts";
import { validate } from "../../src/schemas/generated/language-pack.validate.js";
import { REQUESTS, STRANGERS } from "./language-requests.ts";
import { SEEDS } from "./language-seeds.ts";

const folder = new URL("../../src/data/languages/", import.meta.url);

describe.each(packs().map((p) => [p.name, p] as const))("the pack for %s", (_, pack) => {
  it("is of its schema, and a row in the table", () => {
    const file: unknown = JSON.parse(readFileSync(new URL(`${pack.code}.json`, folder), "utf8"));
    expect(validate(file), JSON.stringify(validate.errors)).toBe(true);
    expect(packOf(pack.code)).toEqual(file);
  });

  it("has lines for whoever speaks formally, informally and to nobody, and none that does both", () => {
    const { tails, ...lines } = pack.lines;
    for (const [name, list] of Object.entries(lines)) {
      expect(list.filter((l) => addressOf(l, pack) === "none").length, name).toBeGreaterThanOrEqual(6);
      expect(list.filter((l) => addressOf(l, pack) === "both")).toEqual([]);
    }
    for (const address of ["formal", "informal", "none"] as const) expect(tails.some((l) => fits(l, address, pack))).toBe(true);
    expect(lines.closers.every((l) => /[.!]$/.test(l)) && lines.contexts.every((l) => /[.!]$/.test(l))).toBe(true);
    expect([...lines.greetings, ...lines.leads, ...tails].some((l) => /[.!?:]$/.test(l))).toBe(false);
  });

  it("has forms of a request that speak to nobody or in one way, each in one group alone", () => {
    const forms = pack.rewordings.flatMap((r) => r.forms);
    expect(new Set(forms.map((f) => f.toLowerCase())).size).toBe(forms.length);
    for (const form of forms) expect(addressOf(form, pack), form).not.toBe("both");
    for (const form of forms) expect(/\?/.test(form) ? form.endsWith(`}${pack.question_mark}`) || form.endsWith(pack.question_mark) : true, form).toBe(true);
    for (const kind of ["formal", "informal"]) expect(forms.some((f) => addressOf(f, pack) === kind)).toBe(true);
  });

  it("is written in its own language", () => {
    const sentences = [...pack.lines.contexts, ...pack.results.empty, ...pack.results.timeout];
    for (const sentence of sentences) expect(["", pack.code], sentence).toContain(recognise(sentence)?.code ?? "");
    expect(sentences.filter((s) => recognise(s)?.code === pack.code).length / sentences.length).toBeGreaterThan(0.8);
  });

  it("has no value twice, and none in capitals or with a comma", () => {
    const { cities, women, men, last_names, topics, notes } = pack.values;
    for (const list of [cities, women, men, last_names, topics, notes]) for (const v of list) expect(v).not.toMatch(/[,{}"]|^\P{Ll}+$/u);
    expect(women.filter((w) => men.includes(w))).toEqual([]);
  });

  it("says of its own failures that they failed, and of nothing that there is none", () => {
    for (const line of [...pack.results.failed.map((l) => l.replace("{text}", "unexpected value at position 12")), ...pack.results.timeout])
      expect(saysFailed(line), line).toBe(true);
    for (const line of pack.results.empty) expect(saysNone(line), line).toBe(true);
    for (const line of [...pack.results.about, ...pack.results.found, ...pack.results.done]) {
      const told = line.replace("{subject}", "Oslo").replace("{facts}", `${pack.results.labels.temperature} 21 °C`);
      expect(saysFailed(told), told).toBe(false);
    }
  });
});

it("every file in the folder is a pack or the list of other languages, and the recipe may name each", () => {
  const files = readdirSync(folder)
    .filter((f) => f.endsWith(".json"))
    .map((f) => f.replace(".json", ""));
  expect(files.sort()).toEqual([...packCodes(), "others"].sort());
  const recipe = JSON.parse(readFileSync(new URL("../../schemas/forge.schema.json", import.meta.url), "utf8"));
  expect(recipe.properties.data.properties?.augment ?? recipe.definitions.data.properties.augment).toMatchObject({
    properties: { languages: { items: { enum: [...packCodes(), "en"].sort() } } },
  });
});

describe("the language of a request", () => {
  it.each(Object.keys(REQUESTS))("is told in 95 of 100 cases for %s, and never taken for another", (code) => {
    const requests = REQUESTS[code] ?? [];
    expect(requests.length).toBeGreaterThanOrEqual(20);
    const told = requests.map((r) => recognise(r)?.code);
    expect(told.filter((t) => t !== undefined && t !== code)).toEqual([]);
    expect(told.filter((t) => t === code).length / requests.length).toBeGreaterThanOrEqual(0.95);
  });

  it.each(STRANGERS)("is named where it has no pack, and not where there is none: %s", (text, name) => {
    expect(recognise(text)?.name ?? null).toBe(name);
  });

  it("is told of text in either form of its accents, and without them", () => {
    for (const text of ["Wie wird das Wetter in Köln?", "Où est ma commande ?", "¿Cuánto cuesta la habitación?"]) {
      expect(recognise(text.normalize("NFD"))).toEqual(recognise(text));
      expect(recognise(text.normalize("NFD").replace(/\p{M}/gu, ""))).toEqual(recognise(text));
    }
  });

  it("is not that of what stands in quotation marks, and is one of those that there may be", () => {
    expect(recognise('Translate "Wie wird das Wetter morgen in München?" for me please')?.code).toBe("en");
    expect(recognise("Wie wird das Wetter?", ["en", "fr"])).toBeNull();
    expect(recognise("menu del día", ["es"])?.code).toBe("es");
  });
});

describe("checks of samples that are not in English", () => {
  const sample = (user: string, answer: string, result = '{"temperature": 21.5, "price": 1250}', over: object = {}): Sample =>
    ({
      scenario: "standard",
      kind: "plain",
      messages: [
        { role: "user", content: user },
        { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name: "t", arguments: "{}" } }] },
        { role: "tool", content: result, tool_call_id: "c", name: "t" },
        { role: "assistant", content: answer },
      ],
      ...over,
    }) as unknown as Sample;
  const context = { calls: [] } as never;

  it("take no language's words for English seams", () => {
    for (const user of ["¿Hay vuelos de Vigo a esta ciudad?", "Il y a un hôtel à Lyon ?", "Vai a este hotel?"])
      expect(artefacts.run(sample(user, ""), context)).toBeNull();
    expect(artefacts.run(sample("Give me a apple and the weather", ""), context)).toContain("`a` before a vowel");
    expect(artefacts.run(sample("¿Qué tiempo hace en undefined?", ""), context)).toContain("a program's word");
  });

  it("read numbers as the continent writes them, where the result has them", () => {
    expect(groundedAnswer.run(sample("Wie warm?", "Es sind 21,5 Grad, das kostet 1.250 Euro."), context)).toBeNull();
    expect(groundedAnswer.run(sample("Wie warm?", "Es sind 22,7 Grad, das kostet 1.250 Euro."), context)).toContain("nowhere");
    expect(groundedAnswer.run(sample("How warm?", "It is 21.5 degrees, and 1,250 euros."), context)).toBeNull();
    expect(groundedAnswer.run(sample("Combien ?", "Cela coûte 1 250 € à 21,5 °C."), context)).toBeNull();
  });

  it.each(Object.keys(SEEDS))("find nothing in what was written for the tests in %s", (code) => {
    for (const s of SEEDS[code] ?? []) {
      if (s.result === undefined) continue;
      const made = sample(s.user, s.answer, s.result, { scenario: s.scenario, kind: s.kind });
      expect([groundedAnswer.run(made, context), artefacts.run(made, context)], s.user).toEqual([null, null]);
    }
  });

  it("hear of a failure in the words of its language, and not where it says that there was none", () => {
    expect(saysFailed("Das Wetter konnte ich leider nicht abrufen.")).toBe(true);
    expect(saysFailed("Die Buchung wurde ohne Fehler angelegt.")).toBe(false);
    expect(saysFailed("Lo siento, la herramienta no responde.")).toBe(true);
    expect(saysFailed("La reserva se hizo sin problemas.")).toBe(false);
    expect(saysNone("Es gibt keine Warnungen.")).toBe(true);
    expect(saysNone("Il n'y a aucun résultat.")).toBe(true);
    expect(saysNone("Hier sind drei Hotels in Bonn.")).toBe(false);
  });
});
