/**
 * Makes conversations stranger: values become words that nobody ever wrote, parameters get names that say nothing. A model
 * that learns from them has to copy, from the request and from the tool's schema, and cannot go by what it has seen.
 * Pure; sound conversations stay sound (the arguments keep to the schema, a value is the same wherever it stands).
 */
import type { JsonObject, JsonValue } from "../../platform/json.ts";
import type { Rng } from "../../platform/rng.ts";
import { toolsetHash } from "../../tools/toolset.ts";
import type { Sample, Toolset } from "../types.ts";

/** Shortest value that is replaced, in characters: shorter ones stand in other words by chance. */
const SHORTEST = 3;
const CONSONANTS = "bcdfghjklmnpqrstvwxz";
const VOWELS = "aeiouy";

/** A word of two to four syllables that is in no dictionary; seldom the same twice. */
export function strangeWord(rng: Rng): string {
  const syllable = (): string => {
    const [first, vowel, last] = [CONSONANTS, VOWELS, CONSONANTS].map((letters) => letters[rng.int(0, letters.length - 1)] as string);
    return `${first}${vowel}${rng.chance(0.35) ? last : ""}`;
  };
  return Array.from({ length: rng.int(2, 4) }, syllable).join("");
}

/** A value of the shape that `value` has: as many words, capital where it had them, digits for digits, marks where they were. */
export const strangeValue = (value: string, rng: Rng): string =>
  value.replace(/\p{L}+|\p{N}/gu, (piece) => {
    if (/\p{N}/u.test(piece)) return String(rng.int(0, 9));
    const word = strangeWord(rng);
    if (piece === piece.toUpperCase() && piece.length > 1) return word.toUpperCase();
    return piece[0] === piece[0]?.toUpperCase() ? word.charAt(0).toUpperCase() + word.slice(1) : word;
  });

/** What a schema leaves free: a string with neither a list of values nor a form. */
function isFree(schema: JsonValue | undefined): boolean {
  if (schema === null || typeof schema !== "object" || Array.isArray(schema)) return false;
  const s = schema as JsonObject;
  return s.type === "string" && s.enum === undefined && s.const === undefined && s.format === undefined && s.pattern === undefined && s.maxLength === undefined;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
/** Not inside another word. */
const alone = (text: string): RegExp => new RegExp(`(?<![\\p{L}\\p{N}])${escaped(text)}(?![\\p{L}\\p{N}])`, "gu");

/** The sample with its free values replaced, those that the user wrote as the call has them; untouched where there is none. */
export function scrambleValues(sample: Sample, toolset: Toolset, rng: Rng): Sample {
  const asked = sample.messages.find((m) => m.role === "user")?.content ?? "";
  const swaps = new Map<string, string>();
  for (const message of sample.messages) {
    if (message.role !== "assistant") continue;
    for (const call of message.tool_calls ?? []) {
      const tool = toolset.tools.find((t) => t.name === call.function.name);
      const properties = (tool?.input_schema.properties ?? {}) as JsonObject;
      for (const [name, value] of Object.entries(JSON.parse(call.function.arguments) as JsonObject)) {
        if (typeof value !== "string" || value.length < SHORTEST || swaps.has(value)) continue;
        // A date, a time, an address has a meaning that a stranger has not.
        if (!/\p{L}/u.test(value) || /[:@]|^\d/.test(value) || !isFree(properties[name]) || !alone(value).test(asked)) continue;
        swaps.set(value, strangeValue(value, rng));
      }
    }
  }
  const values = [...swaps.keys()];
  // Where one value is part of another nothing can be told apart.
  if (swaps.size === 0 || values.some((v) => values.some((w) => v !== w && alone(v).test(w)))) return sample;
  const swap = (text: string): string => [...swaps].reduce((t, [from, to]) => t.replace(alone(from), () => to), text);
  const messages = sample.messages.map((m) => {
    if (m.role !== "assistant" || m.tool_calls === undefined) return typeof m.content === "string" ? { ...m, content: swap(m.content) } : m;
    const calls = m.tool_calls.map((c) => ({ ...c, function: { ...c.function, arguments: swap(c.function.arguments) } }));
    return { ...m, ...(m.content !== null && { content: swap(m.content) }), tool_calls: calls };
  });
  return { ...sample, messages: messages as unknown as Sample["messages"] };
}

/** The toolset and its samples with some tools and parameters called by names that say nothing, the same in definitions and calls. */
export function scrambleNames(toolset: Toolset, samples: readonly Sample[], rng: Rng): { toolset: Toolset; samples: Sample[] } {
  const renamed = new Map<string, Map<string, string>>();
  const titles = new Map<string, string>();
  const used = new Set(toolset.tools.map((t) => t.name));
  const tools = toolset.tools.map((tool) => {
    const properties = (tool.input_schema.properties ?? {}) as JsonObject;
    const taken = new Set(Object.keys(properties));
    const names = new Map(Object.keys(properties).map((name) => [name, rng.chance(0.5) ? freshName(name, taken, rng) : name]));
    renamed.set(tool.name, names);
    const required = tool.input_schema.required as string[] | undefined;
    const schema = {
      ...tool.input_schema,
      properties: Object.fromEntries(Object.entries(properties).map(([name, s]) => [names.get(name) ?? name, s])),
      ...(required !== undefined && { required: required.map((name) => names.get(name) ?? name) }),
    };
    const title = rng.chance(0.5) ? freshName(tool.name, used, rng) : tool.name;
    titles.set(tool.name, title);
    return { ...tool, name: title, input_schema: schema };
  });
  const rename = (call: { function: { name: string; arguments: string } }): string => {
    const names = renamed.get(call.function.name);
    const args = JSON.parse(call.function.arguments) as JsonObject;
    return JSON.stringify(Object.fromEntries(Object.entries(args).map(([name, value]) => [names?.get(name) ?? name, value])));
  };
  const changed = samples.map((sample) => ({
    ...sample,
    messages: sample.messages.map((m) =>
      m.role === "assistant" && m.tool_calls !== undefined
        ? {
            ...m,
            tool_calls: m.tool_calls.map((c) => ({
              ...c,
              function: { ...c.function, name: titles.get(c.function.name) ?? c.function.name, arguments: rename(c) },
            })),
          }
        : m,
    ) as unknown as Sample["messages"],
  }));
  return { toolset: { ...toolset, tools, hash: toolsetHash(tools) }, samples: changed };
}

/** Another name in the style of this one, that no other parameter has. */
function freshName(name: string, taken: Set<string>, rng: Rng): string {
  for (;;) {
    const fresh = name.includes("_") ? `${strangeWord(rng)}_${strangeWord(rng)}` : strangeWord(rng);
    if (taken.has(fresh)) continue;
    taken.add(fresh);
    return fresh;
  }
}
