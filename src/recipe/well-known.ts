/**
 * Families and their sizes as people (and other tools) write them: `qwen2.5`, `Qwen-2.5-7B`, `qwen-2.5/7b`, `smollm2_360m`, `meta-llama/Llama-3.1-8B-Instruct`. The name that is meant is said; nothing else is
 * taken for it. Guarantees: every source that is offered is there.
 */
import { FAMILIES, MODELS } from "./available.ts";

/** What a name means: a family, one of its sources, or a size that the family has not. */
export interface Meant {
  readonly family: string;
  readonly source?: string;
  /** The sources that there are, where the size that was written is none of them. */
  readonly sources?: readonly string[];
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9.]/g, "");

/** What a repository is called without its owner and without the words for its kind; Meta's older names begin with its own. */
const modelPart = (name: string): string => plain((name.split("/").at(-1) ?? "").replace(/[-_ :]?(instruct|it|chat)$/i, "").replace(/^meta-(?=llama)/i, ""));

const sourcesOf = (family: string): string[] => MODELS.flatMap(([f, source]) => (f === family && source !== "default" ? [source] : []));

/** How a model of ours may be called: `FAMILY SIZE` and its repository's name. */
const CALLED: ReadonlyMap<string, Meant> = new Map(
  MODELS.flatMap(([family, source, repository]): [string, Meant][] => {
    const meant = source === "default" ? { family } : { family, source };
    return [...(source === "default" ? [] : [[plain(family + source), meant] as [string, Meant]]), [modelPart(repository), meant], [plain(repository), meant]];
  }),
);

/** The family that is meant by a name written otherwise than ours; undefined where none is. */
export function wellKnown(name: string): Meant | undefined {
  if (FAMILIES.includes(name)) return undefined;
  const at = name.indexOf("/");
  // A slash after a family of ours parts it from its size, any other one the owner from the name.
  const written = modelPart(FAMILIES.includes(name.slice(0, at)) ? name.replace("/", "-") : name);
  const [family] = FAMILIES.filter((f) => written.startsWith(plain(f))).sort((a, b) => b.length - a.length);
  const rest = written.slice(plain(family ?? "").length);
  if (family !== undefined && rest === "") return { family };
  const called = CALLED.get(plain(name)) ?? CALLED.get(written);
  if (called !== undefined || family === undefined) return called;
  const sources = sourcesOf(family);
  if (sources.length === 0 || !/^\d+(\.\d+)?[bm]$/.test(rest)) return undefined;
  // `deepseek-r1:7b`: the size alone, where one is so large.
  const [one, ...more] = sources.filter((source) => source.endsWith(`-${rest}`));
  return one !== undefined && more.length === 0 ? { family, source: one } : { family, sources };
}

/** How to write it, in a recipe and as the word of a flag. */
export function wellKnownHint({ family, source, sources }: Meant): string {
  if (sources !== undefined)
    return `\`${family}\` has the sources ${sources.join(", ")}: write \`model: { family: ${family}, source: ${sources[0]} }\` (as a flag: ${family}/${sources[0]}); for another model: forge models add OWNER/NAME`;
  if (source === undefined) return `write \`family: ${family}\``;
  return `write \`model: { family: ${family}, source: ${source} }\` (as a flag: ${family}/${source}; its sizes: forge models info ${family})`;
}
