/** The forms by name; a new one is a file here and a row. */
import type { Sample } from "../types.ts";
import type { Format } from "./format.ts";
import { openai } from "./openai.ts";
import { sharegpt } from "./sharegpt.ts";
import { trl } from "./trl.ts";

/** Our own: a sample as it is, with its slot, scenario and frame. */
const forge: Format = {
  name: "forge",
  summary: "forge's own samples",
  lacks: ["tools"],
  write: (sample: Sample) => JSON.parse(JSON.stringify(sample)),
};

export const FORMATS: readonly Format[] = [forge, openai, trl, sharegpt];
export const formatNamed = (name: string): Format | undefined => FORMATS.find((f) => f.name === name);

/** A line of any known form with `messages` in it. */
export function withMessages(line: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  for (const { read } of FORMATS) {
    const found = read?.(line);
    if (found !== undefined) return found;
  }
  return line;
}
