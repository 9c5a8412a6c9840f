/** Python's way with texts, where chat templates rely on it. */

/** What `str.strip()` takes off: `str.isspace()` of the Python reference, "Lib/stdtypes". */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are white space to Python
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;

/**
 * `str.strip`, `str.lstrip`, `str.rstrip`.
 * @param characters those to take off; undefined: white space
 * @param method its name
 */
export function stripped(text: string, characters: string | undefined, method: string): string {
  const set = characters === undefined ? undefined : new Set(characters);
  const off = (c: string): boolean => (set === undefined ? SPACE.test(c) : set.has(c));
  let from = 0;
  let to = text.length;
  if (method !== "rstrip") while (from < to && off(text.charAt(from))) from++;
  if (method !== "lstrip") while (to > from && off(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}

/**
 * The moment that a template is told when it asks what day it is, in the parts of `strftime`: 26 July 2024, 00:00, which Llama 3.1's and 3.2's own templates
 * name where nobody tells them another. A constant, because a prompt that changes from day to day is in no key; python/tests/test_chat_template.py has the same.
 */
const PARTS: Readonly<Record<string, string>> = {
  ...{ "%Y": "2024", "%y": "24", "%m": "07", "%d": "26", "%e": "26", "%b": "Jul", "%B": "July", "%a": "Fri", "%A": "Friday", "%j": "208" },
  ...{ "%H": "00", "%I": "12", "%M": "00", "%S": "00", "%p": "AM", "%F": "2024-07-26", "%T": "00:00:00", "%%": "%" },
};

/** `strftime_now` of transformers at that moment, in English. Throws for a part of a format that is not in the table. */
export function strftimeNow(format: unknown): string {
  if (typeof format !== "string" || format.length > 1000) throw new Error("strftime_now() takes a format");
  return format.replace(/%-?[\s\S]?/g, (part) => {
    const found = PARTS[part.replace("-", "")];
    if (found === undefined) throw new Error(`strftime_now() with \`${part}\`, which forge does not know`);
    return part.includes("-") ? found.replace(/^0+(?=\d)/, "") : found;
  });
}
