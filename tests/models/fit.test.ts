/** Toolsets that a base model cannot read are refused before anything is made of them, and others are not. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Family, getFamily } from "../../src/models/family.ts";
import { CONVERSATION_TOKENS, fitsWindow, holdsConversations, isNotEnglish, languageWarning } from "../../src/models/fit.ts";
import { SYSTEM_PROMPT } from "../../src/models/prompt.ts";
import { createRenderer } from "../../src/models/render.ts";
import { err, ok } from "../../src/platform/result.ts";
import type { Message } from "../../src/schemas/generated/sample.ts";
import { loadStub } from "../../src/tools/stubs/serve.ts";

const found = getFamily("smollm2");
if (!found.ok) throw new Error(found.error.message);
const smollm2: Family = found.value;
const small: Family = { ...smollm2, name: "small", larger: "smollm2" };
const failed = err({ code: "x/y", message: "no model", exit: 6 as const });
const never = async (): Promise<never> => {
  throw new Error("counted for nothing");
};

test("a prompt of fewer bytes than there is room fits, uncounted", async () => {
  expect(await fitsWindow("x".repeat(8192 - CONVERSATION_TOKENS), 3, small, never)).toEqual(ok(undefined));
});

test("a longer one fits where its tokens do, and is refused where they do not, with the family to use", async () => {
  const prompt = "word ".repeat(5000);
  expect(await fitsWindow(prompt, 3, small, async () => ok(8192 - CONVERSATION_TOKENS))).toEqual(ok(undefined));
  const refused = await fitsWindow(prompt, 31, small, async () => ok(9312));
  expect(refused).toMatchObject({
    ok: false,
    error: {
      code: "models/toolset-too-long",
      message: "the 31 tools take 9312 tokens of every prompt; `small` reads 8192, and a conversation needs 1024 of them",
      hint: expect.stringContaining("use `model: { family: smollm2 }`"),
      exit: 4,
    },
  });
  expect(await fitsWindow(prompt, 1, smollm2, async () => ok(9312))).toMatchObject({ error: { hint: expect.not.stringContaining("model:") } });
});

test.each([
  ["Ruft das aktuelle Wetter für einen Ort ab. Liefert Temperatur, Luftfeuchtigkeit und Windgeschwindigkeit in der gewünschten Einheit."],
  ["Renvoie la météo actuelle pour un lieu donné, avec la température, l'humidité et la vitesse du vent dans l'unité demandée."],
  ["Devuelve el tiempo actual de un lugar, con la temperatura, la humedad y la velocidad del viento en la unidad solicitada."],
  ["Geeft een lijst van alle openstaande facturen van een klant, gesorteerd op datum, en de naam van het bedrijf."],
  ["Zwraca listę wszystkich otwartych faktur dla klienta, posortowanych od daty oraz kwoty, lub numer, jest w bazie."],
  ["Возвращает текущую погоду для указанного места: температуру, влажность и скорость ветра."],
  ["获取指定地点的当前天气,返回温度、湿度和风速。"],
])("is not English: %s", (text) => {
  expect(isNotEnglish(text)).toBe(true);
});

test.each([
  ["Get the current weather for a location. Returns temperature, humidity and wind speed in the unit that was asked for."],
  ["City name. User id. Max results. Sort order. Start date. End date. Include archived. Currency code. Page token. Page size."],
  ["Books a table at La Table de Colette in Paris, El Celler de Can Roca, Die Bank or Het Scheepvaarthuis for a number of people."],
  ["Wetter in Wien"],
  [""],
])("is English, or says too little: %s", (text) => {
  expect(isNotEnglish(text)).toBe(false);
});

test("a family that read little but English warns of tools in another language, however deep their words lie", () => {
  const place = {
    type: "object",
    properties: { ort: { type: "string", description: "Der Name von einem Ort, für den das Wetter mit der Temperatur und dem Wind gesucht ist" } },
  };
  const tools = [{ description: "", input_schema: place }];
  expect(languageWarning(tools, small)).toMatch(/not described in English.*`small`.*model: \{ family: smollm2 \}/);
  expect(languageWarning(tools, { ...small, english_only: false })).toBeUndefined();
});

test.each(["weather", "filesystem"] as const)("the tools of the stub %s are English to it", async (name) => {
  const { tools } = await loadStub(name);
  const defined = tools.map((t) => ({ description: t.description, input_schema: t.inputSchema }));
  expect(languageWarning(defined, small)).toBeUndefined();
});

test("conversations that the window does not hold are told from those that it does, counted only where bytes leave a doubt", async () => {
  const tools = (await loadStub("weather")).tools.map((t) => ({
    name: t.name,
    description: t.description,
    input_schema: t.inputSchema,
    source: "stub" as const,
    origin: "x",
  }));
  const renderer = createRenderer(smollm2);
  const asked: string[] = [];
  const byWords = async (text: string) => {
    asked.push(text);
    return ok(text.split(/\s+/).length);
  };
  const talk = (result: string): Message[] => [
    { role: "system", content: SYSTEM_PROMPT },
    { role: "user", content: "Weather in Oslo?" },
    { role: "assistant", content: null, tool_calls: [{ id: "a", type: "function", function: { name: "get_weather", arguments: '{"location":"Oslo"}' } }] },
    { role: "tool", content: result, tool_call_id: "a" },
    { role: "assistant", content: "Fine." },
  ];
  const holds = holdsConversations(renderer, tools, 8192, byWords);
  expect(await holds([talk('{"sky":"clear"}'), talk("x".repeat(1500))])).toEqual(ok([true, true]));
  expect(asked).toEqual([]);
  expect(await holds([talk("word ".repeat(2000)), talk("word ".repeat(9000))])).toEqual(ok([true, false]));
  expect(asked.length).toBeGreaterThan(0);
  expect(await holdsConversations(renderer, tools, 256, async () => failed)([talk("{}")])).toEqual(failed);
});

test("what is not counted is never longer than the window: a token is at least a byte of what is rendered", () => {
  const renderer = createRenderer(smollm2);
  const nasty = fc.array(fc.constantFrom("<|im_start|>", "</tool_call>", "<s>", "é", "😀", "\n", "word ", "<think>"), { maxLength: 60 }).map((p) => p.join(""));
  return fc.assert(
    fc.asyncProperty(nasty, nasty, nasty, fc.integer({ min: 1, max: 2 }), async (user, args, result, calls) => {
      const made = Array.from({ length: calls }, (_, i) => ({
        id: `c${i}`,
        type: "function" as const,
        function: { name: "f", arguments: JSON.stringify({ a: args }) },
      }));
      const messages: Message[] = [
        { role: "system", content: SYSTEM_PROMPT },
        { role: "user", content: `${user}?` },
        { role: "assistant", content: null, tool_calls: made as [(typeof made)[number]] },
        ...made.map((c) => ({ role: "tool" as const, content: result, tool_call_id: c.id })),
        { role: "assistant", content: user },
      ];
      const length = renderer.segments(messages, []).reduce((sum, s) => sum + Buffer.byteLength(s.text), 0);
      let counted = false;
      const holds = holdsConversations(renderer, [], length - 1, async () => {
        counted = true;
        return ok(0);
      });
      await holds([messages]);
      expect(counted).toBe(true);
    }),
    { numRuns: 200 },
  );
});
