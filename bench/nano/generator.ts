/**
 * The second generator: toolsets and requests that judge the family `nano`, written apart from the curriculum that trains it (src/data/curriculum)
 * and from the builtin teacher. Other trades, other wordings, values of its own. Never training data.
 */

import type { JsonObject } from "../../src/platform/json.ts";
import { rngFor } from "../../src/platform/rng.ts";
import type { EvaluationCase } from "../../src/schemas/generated/case.ts";

type Rng = ReturnType<typeof rngFor>;
/** A value as people write it and as the call has it. */
type Value = readonly [said: string, meant: string | number | boolean];
interface Parameter {
  readonly schema: JsonObject;
  readonly required: boolean;
  readonly draw: (rng: Rng) => Value;
}
interface Tool {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** `{name}` stands for what people write for that parameter; one that is not there is left out of the call. */
  readonly requests: readonly string[];
}

const FIRST = ["Oona", "Bram", "Leocadia", "Tiago", "Wren", "Ishaan", "Mirela", "Casper", "Yuki", "Nell", "Dragan", "Филип", "Zoë", "Abdul"];
const TOWN = ["Quimper", "Ludlow", "Tampere", "Arequipa", "Gdynia", "Matsue", "Dunedin", "Cefalù", "Brno", "Kirkwall", "Oaxaca", "Hobart"];
const PET = ["Biscuit", "Sir Fluff", "Pepper", "Otto", "Miss Marple", "Gizmo", "Tofu", "Zorro"];

const text = (schema: JsonObject, values: readonly string[], required = true): Parameter => ({
  schema: { type: "string", ...schema },
  required,
  draw: (rng) => both(rng.pick(values)),
});
const both = (value: string): Value => [value, value];
const whole = (description: string, low: number, high: number, required = true): Parameter => ({
  schema: { type: "integer", description },
  required,
  draw: (rng) => {
    const n = rng.int(low, high);
    return [String(n), n];
  },
});
const decimal = (description: string, low: number, high: number): Parameter => ({
  schema: { type: "number", description },
  required: true,
  draw: (rng) => {
    const n = rng.int(low * 10, high * 10) / 10;
    return [String(n), n];
  },
});
const choice = (description: string, values: Readonly<Record<string, string>>, required = true): Parameter => ({
  schema: { type: "string", enum: Object.values(values), description },
  required,
  draw: (rng) => rng.pick(Object.entries(values)),
});
/** A code that nobody has ever seen. */
const code = (description: string, shape: string): Parameter => ({
  schema: { type: "string", description },
  required: true,
  draw: (rng) => both(shape.replace(/[A9]/g, (c) => (c === "A" ? String.fromCharCode(65 + rng.int(0, 25)) : String(rng.int(0, 9))))),
});

const TRADES: readonly (readonly Tool[])[] = [
  [
    {
      name: "schedule_grooming",
      description: "Puts a pet down for a grooming session.",
      parameters: { pet: text({ description: "What the pet is called" }, PET), groomer: text({ description: "Who does it" }, FIRST, false) },
      requests: ["{pet} needs a haircut", "put {pet} down for grooming", "can {groomer} groom {pet}?", "grooming session for {pet}, with {groomer} please"],
    },
    {
      name: "grooming_price",
      description: "What grooming costs for a size of animal.",
      parameters: { size: choice("Size of the animal", { small: "S", "middle-sized": "M", large: "L" }) },
      requests: ["how much is it to groom a {size} dog", "price for a {size} animal?"],
    },
    {
      name: "cancel_grooming",
      description: "Takes a grooming session off the list.",
      parameters: { ticket: code("The session's ticket", "G-9999") },
      requests: ["call off grooming {ticket}", "we can't make it, scrap ticket {ticket}"],
    },
  ],
  [
    {
      name: "unlock_bike",
      description: "Unlocks a shared bicycle.",
      parameters: { bike: whole("Number painted on the frame", 100, 9999), minutes: whole("How long it is needed", 5, 240, false) },
      requests: ["unlock bike {bike}", "I'm standing beside bicycle {bike}, open it", "bike {bike} for {minutes} minutes please"],
    },
    {
      name: "report_bike_fault",
      description: "Tells the workshop that a bicycle is broken.",
      parameters: {
        bike: whole("Number painted on the frame", 100, 9999),
        part: choice("What is broken", {
          "brakes don't work": "brakes",
          "chain came off": "chain",
          "front light is dead": "light",
          "saddle is loose": "saddle",
        }),
      },
      requests: ["the {part} on bike {bike}", "bicycle {bike}: {part}"],
    },
    {
      name: "nearest_dock",
      description: "The closest dock with a free place.",
      parameters: { address: text({ description: "Street and number" }, ["4 Mill Lane", "Rue Cler 19", "88 Harbour Road", "Kalevankatu 3"]) },
      requests: ["where can I leave the bike near {address}", "closest dock to {address}"],
    },
  ],
  [
    {
      name: "order-bread",
      description: "Orders bread for the morning.",
      parameters: {
        kind: choice("Kind of loaf", { rye: "rye", sourdough: "sourdough", wholemeal: "wholemeal" }),
        loaves: whole("How many", 2, 30),
        sliced: { schema: { type: "boolean", description: "Whether it is sliced" }, required: false, draw: () => ["sliced", true] },
      },
      requests: ["{loaves} {kind} loaves for tomorrow", "I'd take {loaves} loaves of {kind}, {sliced}", "order {loaves} {kind} breads"],
    },
    {
      name: "bakery-hours",
      description: "When a branch of the bakery is open.",
      parameters: { branch: text({ description: "Town of the branch" }, TOWN) },
      requests: ["when does the bakery in {branch} open", "opening times of your {branch} shop"],
    },
  ],
  [
    {
      name: "recordResult",
      description: "Enters the result of a chess game.",
      parameters: {
        white: text({ description: "Player with the white pieces" }, FIRST),
        black: text({ description: "Player with the black pieces" }, ["Ulrike", "Mateus", "Sunniva", "Henk", "Priya"]),
        result: choice("The result", { "white won": "1-0", "black won": "0-1", "it was a draw": "draw" }),
      },
      requests: ["{white} played {black}, {result}", "note that {result} between {white} (white) and {black} (black)"],
    },
    {
      name: "playerRating",
      description: "A player's rating.",
      parameters: { player: text({ description: "The player's name" }, FIRST) },
      requests: ["how strong is {player}?", "rating of {player}", "look up the rating {player} has"],
    },
  ],
  [
    {
      name: "feed_tank",
      description: "Feeds the fish of a tank.",
      parameters: {
        tank: text({ description: "The tank's name" }, ["Reef", "Coral Bay", "Tank B", "North Basin"]),
        grams: decimal("Amount of food in grams", 1, 60),
      },
      requests: ["give the fish in {tank} {grams} grams", "feed {tank}, {grams} g"],
    },
    {
      name: "water_report",
      description: "Temperature and salt of a tank's water.",
      parameters: { tank: text({ description: "The tank's name" }, ["Reef", "Coral Bay", "Tank B", "North Basin"]) },
      requests: ["how's the water in {tank}", "water values of {tank} please"],
    },
  ],
  [
    {
      name: "quote_parcel",
      description: "What it costs to send a parcel.",
      parameters: {
        origin: text({ description: "Town it leaves from" }, TOWN.slice(0, 6)),
        destination: text({ description: "Town it goes to" }, TOWN.slice(6)),
        kilograms: decimal("Weight", 1, 30),
      },
      requests: [
        "what would {kilograms} kg from {origin} to {destination} cost",
        "I want to send a parcel of {kilograms} kilos to {destination}, it leaves from {origin}",
      ],
    },
    {
      name: "where_is_parcel",
      description: "Where a parcel is now.",
      parameters: { parcel: code("The parcel's code", "AA99999AA") },
      requests: ["where's {parcel}", "my parcel {parcel} hasn't come, where is it?"],
    },
  ],
  [
    {
      name: "greenhouse.set_humidity",
      description: "Sets how damp the air of a zone is.",
      parameters: { zone: text({ description: "Letter of the zone" }, ["A", "B", "C", "D"]), percent: whole("Relative humidity", 30, 95) },
      requests: ["humidity in zone {zone} to {percent} percent", "make zone {zone} {percent}% humid"],
    },
    {
      name: "greenhouse.log_harvest",
      description: "Writes down what was harvested.",
      parameters: { crop: text({ description: "What was harvested" }, ["okra", "cape gooseberries", "basil", "kohlrabi"]), kilos: decimal("How much", 1, 80) },
      requests: ["we picked {kilos} kilos of {crop}", "harvest: {crop}, {kilos} kg"],
    },
  ],
  [
    {
      name: "store_sample",
      description: "Registers a sample in the freezer.",
      parameters: {
        sample: code("The sample's code", "AA-999"),
        shelf: whole("Shelf, counted from the top", 1, 12),
        label: text({ description: "Words for the label" }, ["keep dark", "do not thaw", "second try"], false),
      },
      requests: ["sample {sample} goes on shelf {shelf}", 'put {sample} on shelf {shelf} and label it "{label}"'],
    },
    {
      name: "find_sample",
      description: "Says which shelf a sample is on.",
      parameters: { sample: code("The sample's code", "AA-999") },
      requests: ["which shelf is {sample} on", "I can't find {sample}"],
    },
  ],
];

/** No tool of any trade is for these. */
const ELSEWHERE = [
  "what's the plural of mouse",
  "who painted the Night Watch?",
  "morning! all well?",
  "cheers, you've been a great help",
  "play the new album by that Icelandic band",
  "remind me to ring the dentist",
  "translate good night into Welsh",
  "how many sides has a hexagon",
  "turn the heating down a bit",
  "write two lines about the sea",
  "what's 12 times 12",
  "transfer fifty euros to my landlord",
  "are you a robot",
  "which planet is the largest?",
];

export interface Judged {
  readonly functions: readonly JsonObject[];
  readonly cases: readonly EvaluationCase[];
}

/** A toolset of `tools` tools and requests for it: most of them for one of the tools, one in five for none. */
export function judged(seed: number, index: number, tools: number, requests: number): Judged {
  const rng = rngFor("second", seed, index);
  const chosen = rng.shuffle(rng.shuffle(TRADES).flat().slice(0, tools));
  const functions = chosen.map(({ name, description, parameters }) => ({
    name,
    description,
    parameters: {
      type: "object",
      properties: Object.fromEntries(Object.entries(parameters).map(([key, p]) => [key, p.schema])),
      required: Object.entries(parameters).flatMap(([key, p]) => (p.required ? [key] : [])),
    },
  }));
  const cases = Array.from({ length: requests }, (_, i): EvaluationCase => {
    const id = `second-${index}-${i}`;
    if (i % 5 === 4) return { id, messages: [{ role: "user", content: rng.pick(ELSEWHERE) }], expect: null, kind: "plain" };
    const tool = rng.pick(chosen);
    const request = rng.pick(tool.requests);
    const due: Record<string, (string | number | boolean)[]> = {};
    const content = request.replace(/\{(\w+)\}/g, (_, key: string) => {
      const [said, meant] = (tool.parameters[key] as Parameter).draw(rng);
      due[key] = [meant];
      return said;
    });
    return {
      id,
      messages: [{ role: "user", content }],
      expect: [{ name: tool.name, arguments: due as Record<string, [unknown, ...unknown[]]> }],
      kind: "call",
    };
  });
  return { functions, cases };
}
