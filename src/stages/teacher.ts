/**
 * The teacher that a recipe names, ready to write. A hosted one needs a key from the environment: OPENAI_API_KEY for OpenAI alone, so that
 * a recipe of a stranger's cannot have it sent to an address of theirs; FORGE_TEACHER_API_KEY for any other server.
 */
import { join, resolve } from "node:path";
import { flawsInWords } from "../data/teacher/hosted/use.ts";
import type { Teacher } from "../data/teacher/teacher.ts";
import type { RefusedConversation, SynthesisPlan } from "../data/types.ts";
import type { StageContext } from "../engine/stage.ts";
import type { Ended, HostedModel, Spending } from "../models/hosted/client.ts";
import { EXIT } from "../platform/exit.ts";
import type { JsonValue } from "../platform/json.ts";
import { isOffline, offlineFailure } from "../platform/offline.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { ResolvedRecipe } from "../recipe/types.ts";
import { ensureKitPython, kitVersion } from "../runners/kit-env.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { type PipelineContext, plain, stateFolder } from "./context.ts";

/** The reference's teacher, and the middle of its temperatures. */
const MODEL = "gpt-4o";
const TEMPERATURE = 0.7;
/** Milliseconds that a request may take of a teacher that thinks first. */
const THINKING_TIMEOUT_MS = 600_000;
/** The variable with the key of a server that is not OpenAI's. */
export const OTHER_TEACHER_KEY = "FORGE_TEACHER_API_KEY";

/** What the recipe says of the teacher that changes what it writes; limits, prices and batches do not. */
export const teacherSlice = ({ data: { teacher } }: ResolvedRecipe): JsonValue =>
  plain({ ...teacher, batch: undefined, concurrency: undefined, rpm: undefined, tpm: undefined, budget_usd: undefined, price_usd: undefined });

/**
 * Raised where a file of conversations is read otherwise than before (2: encodings line by line, numbers that would be others refused; 3: split by
 * wording, data/line.ts; 4: thoughts apart): only recipes with such a file make their data anew.
 */
const READING = 4;
/** The same where a hosted teacher's conversations are split otherwise than before (1: by wording). */
const SPLIT = 1;
export function readingOf({ data: { teacher } }: ResolvedRecipe): { readonly reading?: number; readonly split?: number } {
  if (teacher.provider === "builtin") return {};
  return teacher.provider === "file" ? { reading: READING } : { split: SPLIT };
}

/** The file of conversations that the recipe names, so that an edit of it is noticed. */
export const teacherFile = (c: PipelineContext): Record<string, string> => {
  const { path } = c.recipe.data.teacher;
  return path === undefined ? {} : { teacher: resolve(c.loaded.dir, path) };
};

/** Whether Meta's synthetic-data-kit varies what the teacher writes. */
export const usesKit = ({ data: { augment } }: ResolvedRecipe): boolean => augment.by === "synthetic-data-kit" && augment.factor > 1;

/** The kit's version where it has a part in the data. */
export const kitSettings = (recipe: ResolvedRecipe): { readonly synthetic_data_kit?: string } => (usesKit(recipe) ? { synthetic_data_kit: kitVersion() } : {});

export interface OpenTeacher {
  /** Undefined: the builtin one. */
  readonly teacher: Teacher | undefined;
  /** What it cost so far; undefined where nothing can be charged. */
  spending(): Spending | undefined;
  /** What its budget had no room for, if anything. */
  ended?(): Ended | undefined;
  /** What is to be said of somebody's own conversations that were refused. */
  sayRefused?(refused: readonly RefusedConversation[]): string[];
}

export interface TeacherContext {
  readonly toolset: Toolset;
  readonly plan: SynthesisPlan;
  /** Where the recipe's file of conversations lies, if it names one. */
  readonly file?: string;
  /** Where the steps of what varies the conversations work; undefined: nothing varies them. */
  readonly work?: Pick<StageContext, "scratch" | "logFile">;
  readonly signal: AbortSignal;
  readonly emit: StageContext["emit"];
}

export async function openTeacher(c: PipelineContext, o: TeacherContext): Promise<Result<OpenTeacher>> {
  const { toolset, signal } = o;
  const said = c.recipe.data.teacher;
  if (said.provider === "builtin") {
    if (c.family.thinking !== null) o.emit({ type: "log", level: "warning", message: NO_THOUGHTS });
    return ok({ teacher: undefined, spending: () => undefined });
  }
  if (said.provider === "file") {
    const { openFile } = await import("./teacher-file.ts");
    const { seed, data } = c.recipe;
    const wanted = { name: said.path as string, file: o.file as string, seed, factor: data.augment.factor, thinking: c.family.thinking !== null };
    const opened = await openFile({ ...wanted, toolset, plan: o.plan, emit: o.emit });
    return opened.ok ? ok({ ...opened.value, spending: () => undefined }) : opened;
  }
  const keyName = said.provider === "openai" ? "OPENAI_API_KEY" : OTHER_TEACHER_KEY;
  const key = process.env[keyName] ?? "";
  if (key === "" && said.provider === "openai") return err(NO_KEY);
  if (!/^[\x21-\x7e]*$/.test(key)) return err(badKey(keyName));
  if (key !== "" && said.base_url !== undefined && goesInTheOpen(said.base_url)) {
    const message = `the key in ${keyName} goes over plain HTTP, where anyone on the way can read it: use https in \`base_url\``;
    o.emit({ type: "log", level: "warning", message });
  }
  if (isOffline())
    return err(offlineFailure("the teacher writes the training data on a server", "use `teacher: { provider: builtin }`, or run without --offline"));
  const [{ HostedModel }, { listPrice }, { hostedTeacher }] = await Promise.all([
    import("../models/hosted/client.ts"),
    import("../models/hosted/prices.ts"),
    import("../data/teacher/hosted/index.ts"),
  ]);
  const model = said.model ?? MODEL;
  const price = said.price_usd ?? (said.provider === "openai" ? listPrice(model) : undefined);
  if (said.budget_usd !== undefined && price === undefined) return err(noPrice(model));
  const hosted = new HostedModel({
    ...(said.base_url !== undefined && { baseUrl: said.base_url }),
    ...(key !== "" && { key }),
    keyName,
    model,
    temperature: said.temperature ?? TEMPERATURE,
    ...(price !== undefined && { price }),
    ...(said.budget_usd !== undefined && { budgetUsd: said.budget_usd }),
    ...(said.concurrency !== undefined && { inFlight: said.concurrency }),
    ...(said.rpm !== undefined && { rpm: said.rpm }),
    ...(said.tpm !== undefined && { tpm: said.tpm }),
    ...(c.family.thinking !== null && { timeoutMs: THINKING_TIMEOUT_MS }),
    repliesFolder: stateFolder(c, "teacher"),
    ledger: stateFolder(c, "teacher", `paid-${c.recipe.name}.jsonl`),
    batches: stateFolder(c, "teacher", `batches-${c.recipe.name}.jsonl`),
    batch: said.batch === true,
    say: (message) => o.emit({ type: "log", level: "info", message }),
    signal,
  });
  const teacher = hostedTeacher(`${said.provider}/${model}`, toolset, c.recipe.seed, hosted, c.family.thinking !== null);
  const reworded = o.work !== undefined && usesKit(c.recipe) ? await byKit(c, { ...o, work: o.work }, teacher, hosted, model) : ok(teacher);
  return reworded.ok ? ok({ teacher: reworded.value, spending: () => hosted.spending(), ended: () => hosted.ended }) : reworded;
}

/** The teacher with synthetic-data-kit for its variations. Its environment is made first: before anything is paid for. */
async function byKit(
  c: PipelineContext,
  { signal, emit, work }: TeacherContext & Required<Pick<TeacherContext, "work">>,
  teacher: Teacher,
  model: HostedModel,
  name: string,
): Promise<Result<Teacher>> {
  const python = await ensureKitPython({ signal, onProgress: emit });
  if (!python.ok) return python;
  const [{ rewordByKit }, { rewordedByKit }] = await Promise.all([import("../models/kit/kit.ts"), import("../data/augment-kit.ts")]);
  const { seed, data } = c.recipe;
  const o = { model, name, temperature: data.teacher.temperature ?? TEMPERATURE, signal, emit, logFile: work.logFile, scratch: join(work.scratch, "kit") };
  return ok(rewordedByKit(teacher, seed, `synthetic-data-kit ${kitVersion()}`, (entries) => rewordByKit(entries, o)));
}

/**
 * For people: "1,240 replies of the teacher, 140 of them paid for before, $0.7412 now, $0.8300 in all; of no use: 31 refused, 4 no fit".
 * @param replies what the teacher has made of them (Teacher.replies); without it only those without a text are known to be of no use
 */
export function saySpending({ requests, kept, cutOff, usd, now, cutOffUsd, flaws }: Spending, replies: Readonly<Record<string, number>> = flaws): string {
  const useless = flawsInWords(replies);
  const n = (x: number) => x.toLocaleString("en-US");
  const dollars = (x: number) => `$${x.toFixed(4)}`;
  const said = [
    `${n(requests)} replies of the teacher`,
    ...(kept > 0 ? [`${n(kept)} of them paid for before`] : []),
    ...(kept > 0 && now !== null ? [`${dollars(now)} now`] : []),
    ...(usd !== null ? [`${dollars(usd)} in all`] : []),
    ...(cutOff > 0 && cutOffUsd !== null ? [`and ${dollars(cutOffUsd)} at worst for ${n(cutOff)} that were cut off`] : []),
  ].join(", ");
  return useless === "" ? said : `${said}; of no use: ${useless}`;
}

const NO_THOUGHTS =
  "the builtin teacher has no thoughts: the model learns to think nothing before it acts. Name a teacher that thinks, or describe the model anew without --thinking";

const NO_KEY: Failure = {
  code: "teacher/no-key",
  message: "the teacher `openai` needs a key, and OPENAI_API_KEY is not set",
  hint: "set it, or use `teacher: { provider: builtin }`, which needs none",
  exit: EXIT.environment,
};

const badKey = (name: string): Failure => ({
  code: "teacher/key",
  message: `${name} holds a character that no key has`,
  hint: "copy the key again: letters, digits and signs, in one line",
  exit: EXIT.environment,
});

/** Whether an address is neither encrypted nor on this machine. */
function goesInTheOpen(address: string): boolean {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url?.protocol === "http:" && !/^(localhost|127\.|\[::1\])/.test(url.hostname);
}

const noPrice = (model: string): Failure => ({
  code: "teacher/no-price",
  message: `\`budget_usd\` needs to know what \`${model}\` costs`,
  hint: "add `price_usd: { input: 2.5, output: 10 }` (US dollars a million tokens) beside it, with your server's prices",
  exit: EXIT.usage,
});
