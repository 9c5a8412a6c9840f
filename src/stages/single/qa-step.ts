/** What the flags of `forge qa --data` mean beyond the files that they name: which forms of the report go where, for which model samples are measured, which limits hold. */
import { closeSync, openSync, readSync } from "node:fs";
import { modelOfWord } from "../../models/family-file.ts";
import { notPinnedHere, pinsOfFolder } from "../../models/pin.ts";
import { sizeWord } from "../../models/registry.ts";
import { resolveModel } from "../../models/resolve.ts";
import { EXIT } from "../../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { PROFILES, type ProfileName } from "../../recipe/profiles.ts";
import type { LengthSetup } from "../lengths.ts";
import type { Delivery } from "./deliver.ts";

const ENDINGS = { report: "json", markdown: "md", csv: "csv", html: "html" } as const;
type Form = keyof typeof ENDINGS;

/**
 * Where the forms of the report go. Of a path with the ending of one that one is named, and the others go beside it.
 * @param named `--report`; @param otherwise the path without an ending where nothing was said
 */
export function reportDeliveries(named: string | undefined, otherwise: string): Delivery[] {
  const ending = /\.(json|md|csv|html)$/.exec(named ?? "")?.[1];
  const stem = named === undefined ? otherwise : ending === undefined ? named : named.slice(0, -ending.length - 1);
  return (Object.keys(ENDINGS) as Form[]).map((output) => {
    const isNamed = named !== undefined && (ending === undefined || ending === ENDINGS[output]);
    return { stage: "qa", output, to: `${stem}.${ENDINGS[output]}`, ...(isNamed ? {} : { implied: true as const }) };
  });
}

interface ModelFlags {
  readonly family?: string | undefined;
  readonly profile?: string | undefined;
  readonly thresholds?: Readonly<Record<string, number>>;
}

/** Which model the samples are for; undefined where no flag says so. What its name says wrong is told where the recipe is made. */
export function lengthsFor({ family, profile, thresholds }: ModelFlags): Result<LengthSetup | undefined> {
  const stray = profile !== undefined ? "--profile" : thresholds?.max_too_long !== undefined ? "--max-too-long" : undefined;
  if (family === undefined && stray === undefined) return ok(undefined);
  if (family === undefined)
    return err({
      code: "usage/missing-flag",
      message: `${stray} is about the length of samples, and no model is named to measure them for`,
      hint: "name its family: --family smollm2, --family qwen-2.5/7b, or --family models/NAME.json",
      exit: EXIT.usage,
    });
  const found = resolveModel(modelOfWord(family), process.cwd(), [pinsOfFolder(process.cwd())]);
  if (!found.ok) return err(found.error.failure);
  if (found.value.unpinned !== undefined) return err(notPinnedHere(sizeWord(found.value.unpinned)));
  const name = (profile ?? "balanced") as ProfileName;
  return ok({
    family: found.value.family,
    source: found.value.source,
    profile: name,
    maxTokens: (PROFILES[name] ?? PROFILES.balanced).max_tokens,
    exact: true,
  });
}

/**
 * The limits that hold where cases are named, unless flags say otherwise: no case nearly says what training says. Where both sides know their frames, as what
 * `forge generate` wrote does, they were kept apart by those, and wordings of two frames may be near.
 * @param frames whether the data knows them
 */
export const limitsWithCases = (frames: () => boolean, cases: string | undefined): { readonly max_near_wordings?: number } =>
  cases === undefined || (frames() && knowsFrames(cases)) ? {} : { max_near_wordings: 0 };

/** So much of a file tells its form. */
const PEEKED = 1 << 16;

/** Whether the first line of a file has a frame of its own. */
export function knowsFrames(path: string): boolean {
  const bytes = Buffer.alloc(PEEKED);
  let read = 0;
  try {
    const file = openSync(path, "r");
    try {
      read = readSync(file, bytes, 0, PEEKED, 0);
    } finally {
      closeSync(file);
    }
    const first = JSON.parse(bytes.toString("utf8", 0, read).trimStart().split("\n")[0] ?? "") as { frame?: unknown } | null;
    return typeof first?.frame === "string" && first.frame !== "";
  } catch {
    return false; // A file that cannot be read, and a line that is none, are told of where they are read.
  }
}

interface ShareFlags {
  readonly data?: string;
  readonly shard?: string;
  readonly merge?: readonly string[];
  readonly fix?: boolean;
  readonly output?: string;
  readonly report?: string;
  readonly thresholds?: Readonly<Record<string, number>>;
}

/** What does not go with `--shard` or `--merge`. */
export function strayOfShares({ data, shard, merge, fix, output, report, thresholds }: ShareFlags): Failure | undefined {
  const no = (message: string, hint: string): Failure => ({ code: "usage/conflict", message, hint, exit: EXIT.usage });
  if (shard !== undefined && merge !== undefined)
    return no("--shard and --merge are both given", "measure each share first (--data, --shard), then put them together (--merge)");
  if (shard !== undefined && data === undefined) return no("--shard needs --data", "name the share of the data: --data part-1.jsonl --shard part-1.shard");
  if (merge !== undefined && data !== undefined)
    return no("--merge and --data are both given", "measure the data as a share (--shard), and name that with --merge too");
  if (shard === undefined && merge === undefined) return undefined;
  const way = shard === undefined ? "--merge" : "--shard";
  if (fix === true) return no(`--fix does not go with ${way}`, "clean each share by itself first (--fix without --shard), then measure what was written");
  if (output !== undefined)
    return no(`--output does not go with ${way}`, shard === undefined ? "say where the report goes: --report" : "what was measured goes where --shard says");
  if (shard === undefined) return undefined;
  if (report !== undefined) return no("--report does not go with --shard", "the report is made of all shares: name it with --merge");
  const [figure] = Object.keys(thresholds ?? {});
  return figure === undefined
    ? undefined
    : no(`--${figure.replaceAll("_", "-")} does not go with --shard`, "thresholds are for the whole: name them with --merge");
}
