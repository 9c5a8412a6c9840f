/**
 * `generate` from a file of samples, and the `qa` that belongs to it: of what was left out there may be more than fits into a report in memory, so that it
 * goes from the one to the other in a file of its own. The file may have millions of samples: it is read line by line.
 */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Brought, bringFile } from "../../data/brought.ts";
import { foreignWords } from "../../data/import.ts";
import { lostWords } from "../../data/other-fields.ts";
import type { StageContext, StageDefinition, StageEvent } from "../../engine/stage.ts";
import { parseCases, strayArguments } from "../../evaluation/cases.ts";
import { EXIT } from "../../platform/exit.ts";
import { toJsonLines } from "../../platform/json.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { GenerationStatistics } from "../../schemas/generated/generation.ts";
import type { Sample } from "../../schemas/generated/sample.ts";
import type { Toolset } from "../../schemas/generated/toolset.ts";
import { llamaRuntime } from "../context.ts";
import type { LengthSetup, Measuring } from "../lengths.ts";
import { measureData, QA_OUTPUTS, VERSION } from "../qa.ts";
import { stage } from "./given.ts";

export interface GivenData {
  readonly fix: boolean;
  /** The file is a share of a data set (given-shares.ts), whose conversations are not to be told apart yet; `read` is a further output, what was read (`Brought`). */
  readonly share?: boolean;
  /** The file of held-out cases. */
  readonly cases?: string;
  /** For which model the samples are measured, and with `fix` taken out where it cannot read them; undefined where none is named. */
  readonly lengths?: LengthSetup;
}

/** `generate` from a file of samples, with `fix` repaired and cleaned on the way, the figures then being those of what is left; and `qa` of what it gives. */
export const givenData = (path: string, o: GivenData): readonly StageDefinition[] => [readData(path, o), checkData(o.lengths)];

/** Lines that are no conversation and are said right away. */
const SAID = 5;

export function readData(path: string, o: GivenData): StageDefinition {
  const read = stage(
    "generate",
    "Read the data",
    { train: "file", heldout: "file", plan: "file", statistics: "file", taken_out: "file", repairs: "file", ...(o.share === true ? { read: "file" } : {}) },
    {
      ...settingsOf(o.lengths),
      recipe: { fix: o.fix, ...(o.share === true ? { share: true } : {}) },
      inputs: { toolset: { stage: "inspect", output: "toolset" } },
      files: { data: resolve(path), ...(o.cases === undefined ? {} : { cases: resolve(o.cases) }) },
      async run({ inputs, outputs, scratch, signal, emit }) {
        const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
        const cases = o.cases === undefined ? ok([]) : parseCases(await readFile(inputs.cases as string, "utf8"), o.cases, toolset);
        if (!cases.ok) return cases;
        for (const message of strayArguments(cases.value, toolset)) emit({ type: "log", level: "warning", message });
        const read = await readBrought(o, toolset, { inputs, outputs, scratch, signal, emit });
        if (!read.ok) return read;
        const brought = read.value;
        // A share of a data set may be empty.
        if (brought.readable === 0 && o.share !== true) return err(nothingIn(path, brought));
        warnOf(brought, emit);
        if (o.share === true) await writeFile(outputs.read as string, JSON.stringify(brought));
        await writeFile(outputs.heldout as string, toJsonLines(cases.value));
        await writeFile(outputs.plan as string, "null\n");
        await writeFile(outputs.statistics as string, `${JSON.stringify(statisticsOf(brought, o.fix, cases.value.length), null, 2)}\n`);
        return ok({
          figures: { samples: brought.samples, dropped: brought.left },
          summary: `${brought.samples} samples${brought.left > 0 ? `, ${brought.left} of ${brought.lines} lines ${o.fix ? "taken out" : "not readable"}` : ""}`,
        });
      },
    },
  );
  // 2: thoughts apart from what is said. 3: repairs one by one, at any depth, and of defaults. 4: fields that are lost are warned of.
  return { ...read, version: 4 };
}

type Reading = Pick<StageContext, "inputs" | "outputs" | "scratch" | "signal" | "emit">;

/** The file's samples; with `fix` and a family, those that it can read. */
async function readBrought(
  { fix, share, lengths }: GivenData,
  toolset: Toolset,
  { inputs, outputs, scratch, signal, emit }: Reading,
): Promise<Result<Brought>> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  let failure: Failure | undefined;
  let measuring: Measuring | undefined;
  if (fix && lengths !== undefined) measuring = await (await import("../lengths.ts")).openLengths(lengths, toolset, { signal, emit });
  const tooLong = async (sample: Sample): Promise<string | null> => {
    const seen = await (measuring as Measuring).see(sample);
    if (seen.ok)
      return seen.value !== null && seen.value > (lengths as LengthSetup).family.context_tokens ? longWords(seen.value, lengths as LengthSetup) : null;
    failure = seen.error;
    stop.abort();
    return null;
  };
  try {
    const to = { train: outputs.train as string, takenOut: outputs.taken_out as string, repairs: outputs.repairs as string };
    const model = { ...(lengths === undefined ? {} : { thinking: lengths.family.thinking !== null }), ...(measuring === undefined ? {} : { tooLong }) };
    return ok(await bringFile(inputs.data as string, { toolset, fix, ...(share === true ? { share } : {}), ...to, ...model, scratch, signal: both }));
  } catch (e) {
    if (failure !== undefined) return err(failure);
    if (!signal.aborted) throw e;
    return err({ code: "data/interrupted", message: "reading the data was interrupted", exit: EXIT.interrupted });
  } finally {
    await measuring?.close();
  }
}

const longWords = (tokens: number, { family }: LengthSetup): string =>
  `has ${tokens} tokens with its prompt, and \`${family.name}\` reads ${family.context_tokens}`;

/** What the model that samples are measured for adds to a stage's key. */
export const settingsOf = (lengths: LengthSetup | undefined): Pick<StageDefinition, "settings" | "runtime"> =>
  lengths === undefined
    ? {}
    : {
        settings: { family: lengths.family.name, window: lengths.family.context_tokens, profile: lengths.profile, max_tokens: lengths.maxTokens },
        runtime: llamaRuntime(),
      };

export function warnOf({ foreign, lost, unreadable }: Brought, emit: (event: StageEvent) => void): void {
  const warn = (message: string): void => emit({ type: "log", level: "warning", message });
  if (foreign.count > 0) warn(foreignWords(foreign.lines, foreign.count));
  if (lost !== undefined) warn(lostWords(lost));
  for (const { message } of unreadable.first.slice(0, SAID)) warn(message);
  if (unreadable.count > SAID) warn(`and ${unreadable.count - SAID} more lines that are no conversation`);
}

export const statisticsOf = (read: Brought, fix: boolean, cases: number): GenerationStatistics => ({
  version: 1,
  teacher: "file",
  planned: read.lines,
  produced: read.samples,
  heldout_planned: cases,
  heldout_produced: cases,
  // A cleaned file is judged as it is now; a file that is only looked at with all that it holds.
  generated: fix ? read.samples : read.lines,
  // `qa` counts them, as it looks at each sample anyway.
  first_pass_valid: 0,
  regenerated: 0,
  dropped: { ...read.dropped },
  ...(fix ? { repaired: { ...read.repaired } } : {}),
  // They are in a file of their own.
  taken_out: [],
  calls: { executed: 0, failed: 0, timed_out: 0, simulated: 0, injected: 0 },
  short: [],
  warnings: [
    ...(read.foreign.count > 0 ? [foreignWords(read.foreign.lines, read.foreign.count)] : []),
    ...(read.lost === undefined ? [] : [lostWords(read.lost)]),
  ],
});

export const nothingIn = (path: string, { unreadable }: Brought): Failure => ({
  code: "data/no-samples",
  message: unreadable.count === 0 ? `there are no samples in ${path}` : `no line of ${path} is a conversation: ${unreadable.first[0]?.message}`,
  hint: 'write one a line: {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}',
  exit: EXIT.usage,
});

function checkData(lengths: LengthSetup | undefined): StageDefinition {
  const of = (output: string): { readonly stage: string; readonly output: string } => ({ stage: "generate", output });
  return {
    ...stage("qa", "Check the data", QA_OUTPUTS, { ...settingsOf(lengths), run: (context) => measureData(context, lengths) }),
    version: VERSION,
    inputs: {
      toolset: { stage: "inspect", output: "toolset" },
      train: of("train"),
      heldout: of("heldout"),
      plan: of("plan"),
      statistics: of("statistics"),
      taken_out: of("taken_out"),
      repairs: of("repairs"),
    },
  };
}
