/**
 * When a required argument that a call lacks may be filled in with the schema's `default`: that is what the tool itself would take, so the call stays the same
 * unless the user asked for something else, which would then be taught away. So it is done only where the words can be judged: a number, a flag, or one of a
 * few values; and only where no word of the users names the argument, another of its values, or a quantity that no other argument has. Where a sample is not
 * mended for a word too many, it is taken out, as it would have been.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { Property } from "./schema.ts";
import type { Sample } from "./types.ts";

/** What the users of a conversation say. */
export interface Words {
  readonly text: string;
  readonly words: ReadonlySet<string>;
}

export function wordsOfUsers({ messages }: Pick<Sample, "messages">): Words {
  const text = messages.flatMap((m) => (m.role === "user" ? [m.content] : [])).join("\n");
  return { text, words: new Set(wordsIn(text)) };
}

/** Letters and digits, in lower case; of a name like `maxItems` or `max_items` both words. */
const wordsIn = (text: string): string[] =>
  text
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .toLowerCase()
    .match(/[\p{L}\p{M}]+|\p{N}+/gu) ?? [];

/** Words that speak of a quantity without a digit. */
const QUANTITIES = new Set(
  (
    "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty hundred thousand million first second third last next " +
    "once twice single double couple few several many dozen half quarter all every both most least more fewer max maximum min minimum top entire whole full " +
    "hour hours day days week weeks weekend fortnight month months year years today tonight tomorrow"
  ).split(" "),
);

/** So many letters that two words share at their beginning make them forms of one: "including" and "include". */
const STEM = 4;
/** So many letters an ending has after a shorter word: "pet" and "pets". */
const ENDING = 2;

/** Whether two words may mean the same. */
function alike(a: string, b: string): boolean {
  if (a === b) return true;
  const short = Math.min(a.length, b.length);
  if (short === STEM - 1) return (a.startsWith(b) || b.startsWith(a)) && Math.max(a.length, b.length) <= short + ENDING;
  return short >= STEM && a.slice(0, Math.max(STEM, short - 2)) === b.slice(0, Math.max(STEM, short - 2));
}

const says = ({ words }: Words, names: readonly string[]): boolean => names.some((name) => [...words].some((word) => alike(word, name)));

/** Whether the schema's default is what a call without the argument means. The default's form is for the schema to judge. */
export function defaultsDue(property: Property, said: Words, args: JsonObject): boolean {
  if (!Object.hasOwn(property.schema, "default")) return false;
  const value = property.schema.default as JsonValue;
  // Short words ("of", "in") are in every sentence.
  if (
    says(
      said,
      wordsIn(property.name).filter((w) => w.length > 2),
    )
  )
    return false;
  if (property.enum !== undefined) return property.enum.includes(value) && !namesAnother(property.enum, value, said);
  if (typeof value === "boolean" && property.type === "boolean")
    return !says(
      said,
      wordsIn(property.description).filter((w) => w.length >= STEM),
    );
  return typeof value === "number" && (property.type === "integer" || property.type === "number") && !namesQuantity(said, args);
}

/** Whether a value is named that is not the default: by a word of it that the default lacks, or by its first letter alone ("in °F"). */
function namesAnother(values: readonly JsonValue[], value: JsonValue, said: Words): boolean {
  const own = new Set(wordsIn(String(value)));
  return values.some((other) => {
    if (other === value) return false;
    const words = wordsIn(String(other)).filter((w) => !own.has(w));
    const initial = (words[0] ?? "").charAt(0).toUpperCase();
    const alone = [...said.text.matchAll(/(?<![\p{L}\p{N}'’])(\p{Lu})(?![\p{L}\p{N}'’])/gu)].some(([, letter]) => letter === initial && letter !== "I");
    return words.length === 0 || alone || says(said, words);
  });
}

/** Whether a number is said that is in no other argument, or a quantity in words. */
function namesQuantity({ words }: Words, args: JsonObject): boolean {
  const used = new Set(wordsIn(JSON.stringify(args)));
  return [...words].some((word) => !used.has(word) && (/^\p{N}/u.test(word) || QUANTITIES.has(word)));
}
