/** Toolsets that a base model cannot read are refused before anything is made of them, and others are not. */
import { expect, test } from "vitest";
import { type Family, getFamily } from "../../src/models/family.ts";
import { CONVERSATION_TOKENS, fitsWindow, isNotEnglish, languageWarning } from "../../src/models/fit.ts";
import { ok } from "../../src/platform/result.ts";
import { loadStub } from "../../src/tools/stubs/serve.ts";

const found = getFamily("smollm2");
if (!found.ok) throw new Error(found.error.message);
const smollm2: Family = found.value;
const small: Family = { ...smollm2, name: "small", larger: "smollm2" };
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
