/**
 * A data set that is measured in shares, on as many machines as one likes (`forge qa --shard`), and the report of the whole (`--merge`): that of `forge qa --data` on all
 * of it. What is read and what is measured are the stages of given-data.ts, cut in two.
 */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Brought } from "../../data/brought.ts";
import { ShardError, ShardReader, ShardWriter } from "../../data/scale/shard-file.ts";
import type { StageContext, StageDefinition, StageOutcome } from "../../engine/stage.ts";
import { parseCases, strayArguments } from "../../evaluation/cases.ts";
import { EXIT } from "../../platform/exit.ts";
import { digestJson } from "../../platform/hash.ts";
import { type JsonValue, parseJsonLines, toJsonLines } from "../../platform/json.ts";
import { linesOf } from "../../platform/line-file.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { EvaluationCase } from "../../schemas/generated/case.ts";
import type { GenerationStatistics } from "../../schemas/generated/generation.ts";
import type { Toolset } from "../../schemas/generated/toolset.ts";
import type { LengthSetup } from "../lengths.ts";
import { lengthsOf, QA_OUTPUTS, reported, VERSION } from "../qa.ts";
import { stage } from "./given.ts";
import { nothingIn, readData, settingsOf, statisticsOf, warnOf } from "./given-data.ts";

/** Version of what is measured on a share: raise it with what tally.ts measures, and shares of before are refused. */
const MEASURED_BY = 2;

export interface Sharing {
  /** The file of held-out cases. */
  readonly cases?: string;
  /** For which model the samples are measured; undefined where none is named. */
  readonly lengths?: LengthSetup;
}

const of = (output: string): { readonly stage: string; readonly output: string } => ({ stage: "generate", output });
const TOOLSET = { stage: "inspect", output: "toolset" } as const;

/**
 * The two stages that measure a share: `share` stands beside the recipe's stages, and has one output, `shard`.
 * @param o.frames whether the data knows its frames
 */
export const givenShare = (path: string, o: Sharing & { readonly frames: boolean }): readonly StageDefinition[] => [
  readData(path, { fix: false, share: true, ...o }),
  stage(
    "share",
    "Measure a share",
    { shard: "file" },
    {
      ...settingsOf(o.lengths),
      recipe: { frames: o.frames },
      version: MEASURED_BY,
      inputs: { toolset: TOOLSET, train: of("train"), heldout: of("heldout"), taken_out: of("taken_out"), read: of("read") },
      run: (context) => measureShard(context, o),
    },
  ),
];

async function measureShard(context: StageContext, { lengths: setup, frames }: Sharing & { readonly frames: boolean }): Promise<Result<StageOutcome>> {
  const { inputs, outputs, scratch, signal } = context;
  const { measureShare } = await import("../../data/scale/measure.ts");
  const text = async (name: string): Promise<string> => readFile(inputs[name] as string, "utf8");
  const toolset = JSON.parse(await text("toolset")) as Toolset;
  const heldout = parseJsonLines<EvaluationCase>(await text("heldout"));
  const read = JSON.parse(await text("read")) as Brought;
  const lengths = setup === undefined ? ok(undefined) : await lengthsOf(inputs.train as string, setup, toolset, context);
  if (!lengths.ok) return lengths;
  const thinking = setup === undefined ? undefined : setup.family.thinking !== null;
  const writer = new ShardWriter(outputs.shard as string, {
    version: 1,
    measured_by: MEASURED_BY,
    toolset: toolsDigest(toolset),
    cases: casesDigest(heldout),
    thinking: thinking ?? null,
    frames,
    line_ends: read.lineEnds,
    read: {
      lines: read.lines,
      readable: read.readable,
      samples: read.samples,
      left: read.left,
      dropped: { ...read.dropped },
      foreign: { count: read.foreign.count, first: read.foreign.lines.map((line) => ({ line, message: "" })) },
      unreadable: { count: read.unreadable.count, first: read.unreadable.first.map(({ line, message }) => ({ line, message })) },
    },
    lengths: lengths.value ?? null,
  });
  try {
    for await (const lines of linesOf(inputs.taken_out as string)) writer.left(Buffer.from(lines.map((l) => `${l.text}\n`).join("")));
    await measureShare(inputs.train as string, { toolset, heldout, ...(thinking === undefined ? {} : { thinking }) }, { scratch, signal }, writer);
  } catch (e) {
    writer.abandon();
    if (!signal.aborted) throw e;
    return err({ code: "data/interrupted", message: "measuring the samples was interrupted", exit: EXIT.interrupted });
  }
  writer.close();
  return ok({ figures: { samples: read.samples }, summary: `${read.samples} samples measured; the report is made of all shares (forge qa --merge)` });
}

/** Of what samples are checked against, wherever the tools came from. */
const toolsDigest = ({ tools }: Toolset): string =>
  digestJson(tools.map(({ name, description, input_schema }) => ({ name, description: description ?? null, input_schema: input_schema as JsonValue })));
const casesDigest = (cases: readonly EvaluationCase[]): string => digestJson(cases as unknown as JsonValue);

/** The two stages that put shares together, in the order of the data; `qa` gives the report. */
export const givenShares = (paths: readonly string[], o: Sharing): readonly StageDefinition[] => [
  readShares(paths, o),
  {
    ...stage("qa", "Put the shares together", QA_OUTPUTS, {
      ...settingsOf(o.lengths),
      recipe: { shares: paths.length },
      files: filesOf(paths),
      run: (context) => mergeAll(context, paths, o),
    }),
    version: VERSION,
    inputs: { toolset: TOOLSET, heldout: of("heldout"), statistics: of("statistics"), taken_out: of("taken_out") },
  },
];

/** By their places: a key of its own for each order. */
const filesOf = (paths: readonly string[]): Record<string, string> => Object.fromEntries(paths.map((path, i) => [`share_${i}`, resolve(path)]));

function readShares(paths: readonly string[], o: Sharing): StageDefinition {
  return stage(
    "generate",
    "Read the shares",
    { train: "file", heldout: "file", plan: "file", statistics: "file", taken_out: "file" },
    {
      ...settingsOf(o.lengths),
      recipe: { shares: paths.length },
      inputs: { toolset: TOOLSET },
      files: { ...filesOf(paths), ...(o.cases === undefined ? {} : { cases: resolve(o.cases) }) },
      async run({ inputs, outputs, signal, emit }) {
        const [{ mergedRead, writeLeft }, toolsetText] = await Promise.all([import("../../data/scale/shares.ts"), readFile(inputs.toolset as string, "utf8")]);
        const toolset = JSON.parse(toolsetText) as Toolset;
        const cases = o.cases === undefined ? ok([]) : parseCases(await readFile(inputs.cases as string, "utf8"), o.cases, toolset);
        if (!cases.ok) return cases;
        for (const message of strayArguments(cases.value, toolset)) emit({ type: "log", level: "warning", message });
        return told(async () => {
          const shares = open(paths, inputs);
          const digests: string[] = [];
          for (const [i, share] of shares.entries()) {
            // Its records may have another form.
            if (share.head.measured_by !== MEASURED_BY) return err(otherVersion(paths[i] as string));
            await new Promise((done) => setImmediate(done));
            digests.push(inShare(paths[i] as string, () => share.verify(signal)));
          }
          const strange = twice(paths, shares, digests) ?? unlike(paths, shares, { toolset, cases: cases.value, lengths: o.lengths });
          if (strange !== undefined) return err(strange);
          const read = mergedRead(shares);
          if (read.readable === 0) return err(nothingIn("these shares", read));
          warnOf(read, emit);
          await writeFile(outputs.train as string, "");
          await writeFile(outputs.heldout as string, toJsonLines(cases.value));
          await writeFile(outputs.plan as string, "null\n");
          await writeFile(outputs.statistics as string, `${JSON.stringify(statisticsOf(read, false, cases.value.length), null, 2)}\n`);
          writeLeft(shares, outputs.taken_out as string);
          return ok({
            figures: { samples: read.samples, dropped: read.left },
            summary: `${read.samples} samples in ${paths.length} shares${read.left > 0 ? `, ${read.left} of ${read.lines} lines not readable` : ""}`,
          });
        });
      },
    },
  );
}

async function mergeAll(context: StageContext, paths: readonly string[], { lengths }: Sharing): Promise<Result<StageOutcome>> {
  const { inputs, scratch, signal } = context;
  const { mergedLengths, mergeShares } = await import("../../data/scale/shares.ts");
  const text = async (name: string): Promise<string> => readFile(inputs[name] as string, "utf8");
  const toolset = JSON.parse(await text("toolset")) as Toolset;
  const heldout = parseJsonLines<EvaluationCase>(await text("heldout"));
  const statistics = JSON.parse(await text("statistics")) as GenerationStatistics;
  return told(async () => {
    const shares = open(paths, inputs);
    const long = mergedLengths(shares);
    const beside = {
      toolset,
      heldout,
      statistics,
      brought: true,
      ...(lengths === undefined ? {} : { thinking: lengths.family.thinking !== null }),
      ...(long === undefined ? {} : { lengths: long }),
    };
    return reported(context, mergeShares(shares, beside, { scratch, signal }));
  });
}

const open = (paths: readonly string[], inputs: StageContext["inputs"]): ShardReader[] =>
  paths.map((path, i) => inShare(path, () => new ShardReader(inputs[`share_${i}`] as string)));

/** What is wrong with a share is said with its path, as the user wrote it. */
function inShare<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (e) {
    if (e instanceof ShardError) throw new ShardError(`${path} ${e.message}`);
    throw e;
  }
}

async function told<T>(act: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await act();
  } catch (e) {
    if (e instanceof ShardError)
      return err({
        code: "data/bad-share",
        message: e.message,
        hint: "measure that share again: forge qa --data PART --tools F --shard FILE",
        exit: EXIT.usage,
      });
    if ((e as Error).name !== "AbortError") throw e;
    return err({ code: "data/interrupted", message: "putting the shares together was interrupted", exit: EXIT.interrupted });
  }
}

/** A share that is named twice, be it under another name. Shares without a sample may be alike. */
function twice(paths: readonly string[], shares: readonly ShardReader[], digests: readonly string[]): Failure | undefined {
  for (const [i, digest] of digests.entries()) {
    const first = digests.indexOf(digest);
    if (first === i || (shares[i] as ShardReader).head.read.samples === 0) continue;
    return {
      code: "data/other-share",
      message:
        resolve(paths[i] as string) === resolve(paths[first] as string) ? `${paths[i]} is named twice` : `${paths[i]} is the same share as ${paths[first]}`,
      hint: "name each share once, in the order of the data",
      exit: EXIT.usage,
    };
  }
  return undefined;
}

const otherVersion = (path: string): Failure => ({
  code: "data/other-share",
  message: `${path} was measured by another version of forge`,
  hint: "measure all shares with this one",
  exit: EXIT.usage,
});

/** What is not alike between shares, or between them and what is named here. */
function unlike(
  paths: readonly string[],
  shares: readonly ShardReader[],
  { toolset, cases, lengths }: { readonly toolset: Toolset; readonly cases: readonly EvaluationCase[]; readonly lengths?: LengthSetup | undefined },
): Failure | undefined {
  const differs = (i: number, message: string, hint: string): Failure => ({
    code: "data/other-share",
    message: `${paths[i]} ${message}`,
    hint,
    exit: EXIT.usage,
  });
  const model = lengths === undefined ? "no model" : `${lengths.family.name} (${lengths.profile}, ${lengths.family.context_tokens} tokens)`;
  for (const [i, { head }] of shares.entries()) {
    if (head.toolset !== toolsDigest(toolset)) return differs(i, "was measured with other tools", "name the same --tools for every share and here");
    if (head.cases !== casesDigest(cases)) return differs(i, "was measured with other held-out cases", "name the same --cases for every share and here");
    const its = head.lengths === null ? "no model" : `${head.lengths.family} (${head.lengths.profile}, ${head.lengths.window} tokens)`;
    if (its !== model) return differs(i, `was measured for ${its}, here it is ${model}`, "name the same --family and --profile for every share and here");
  }
  return undefined;
}

/** Whether the data that shares are of knows its frames: as its first conversation tells. False where that cannot be read, which is told later. */
export function sharesKnowFrames(paths: readonly string[]): boolean {
  for (const path of paths)
    try {
      const { head } = new ShardReader(path);
      if (head.read.samples > 0) return head.frames;
    } catch {
      return false;
    }
  return false;
}
