/**
 * Families as people (and other tools) write them: `qwen2.5`, `Qwen-2.5-7B`, `mistral-nemo`, `smollm2_360m`. The name that is meant is said; nothing else is taken for it.
 */
import { FAMILIES } from "./available.ts";

/** What a name means: a family, and what follows it, which may be one of its sources. */
export interface Meant {
  readonly family: string;
  readonly source?: string;
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9.]/g, "");

/** The family that is meant by a name written otherwise than ours; undefined where none is. */
export function wellKnown(name: string): Meant | undefined {
  const written = plain(name.split("/").at(-1) ?? "").replace(/-?(instruct|it|chat)$/, "");
  const families = FAMILIES.filter((family) => written.startsWith(plain(family))).sort((a, b) => b.length - a.length);
  const [family] = families;
  if (family === undefined || name === family) return undefined;
  const rest = written.slice(plain(family).length);
  if (rest === "") return { family };
  return /^(\d+(\.\d+)?[bm]|nemo|small)$/.test(rest) ? { family, source: rest } : undefined;
}

/** How to write it. */
export const wellKnownHint = ({ family, source }: Meant): string =>
  source === undefined ? `write \`family: ${family}\`` : `write \`model: { family: ${family}, source: ${source} }\` (its sizes: forge models info ${family})`;
