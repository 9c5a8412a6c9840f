/**
 * generate: plans the quotas by scenario and tool, lets the teacher write conversations, executes the
 * calls that may be executed, checks every sample, drops and regenerates until the plan is met or the teacher's budget ends, and
 * splits by frame: training samples here, evaluation cases there. Plain questions are answered by the
 * untuned base model itself, so that what it knew stays as it was; a family that knows nothing has sentences for them.
 */
import { readFile, writeFile } from "node:fs/promises";
import { flawsInWords } from "../data/teacher/hosted/use.ts";
import type { Generation, GenerationStatistics, SynthesisPlan } from "../data/types.ts";
import type { StageContext, StageDefinition } from "../engine/stage.ts";
import type { Spending } from "../models/hosted/client.ts";
import { fixedAnswers } from "../models/plain-answers.ts";
import { EXIT } from "../platform/exit.ts";
import { toJsonLines } from "../platform/json.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import type { ToolSession } from "../tools/types.ts";
import { baseSettings, fakedFiles, llamaRuntime, modelSlice, type PipelineContext, stateFolder, toolSlice, toolsInUse, view } from "./context.ts";
import { kitSettings, openTeacher, readingOf, saySpending, teacherFile, teacherSlice } from "./teacher.ts";
import { openSession } from "./tool-session.ts";

export const VERSION = 11;

export function generateStage(c: PipelineContext): StageDefinition {
  const { recipe } = c;
  return {
    kind: "stage",
    id: "generate",
    title: "Make training data",
    version: VERSION,
    recipe: {
      seed: recipe.seed,
      "data.samples": recipe.data.samples,
      "data.min_per_tool": recipe.data.min_per_tool,
      "data.calls_per_server": recipe.data.calls_per_server,
      "data.teacher": teacherSlice(recipe),
      "data.augment": { ...recipe.data.augment },
      "data.scenarios": { ...recipe.data.scenarios },
      "evaluation.samples": recipe.evaluation.samples,
      tools: toolSlice(c, { execute: true }),
      ...modelSlice(c),
    },
    settings: { ...baseSettings(c), ...readingOf(recipe), ...kitSettings(recipe) },
    runtime: llamaRuntime(),
    files: { ...fakedFiles(c), ...teacherFile(c) },
    inputs: { toolset: { stage: "inspect", output: "toolset" } },
    outputs: { train: "file", heldout: "file", plan: "file", statistics: "file" },
    views: { train: view(c, "data", "train.jsonl"), heldout: view(c, "data", "heldout.jsonl"), plan: view(c, "synthesis_plan.json") },
    resources: { cpu: 1 },
    exclusive: toolsInUse(c),
    costFigure: "teacher_usd",
    // The budget is in no key: what it cut short stands until there is more of it.
    outdated: ({ cut_at_budget_usd: cut }) => {
      const { budget_usd: now } = recipe.data.teacher;
      if (typeof cut !== "number" || (now !== undefined && now <= cut)) return undefined;
      return `\`data.teacher.budget_usd\` ${cut} → ${now ?? "(not set)"}: it had ended`;
    },
    async run({ inputs, outputs, scratch, logFile, signal, emit }) {
      const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
      const suits = await suitsFamily(c, toolset, { signal, emit });
      if (!suits.ok) return suits;
      const plan = await planOf(c, toolset);
      const file = inputs.teacher;
      const open = () => openSession(c, toolset, { signal, emit });
      const made = await makeData(c, { toolset, plan, open, signal, emit, work: { scratch, logFile }, ...(file !== undefined && { file }) });
      if (!made.ok) return made;
      const { spent, cut } = made.value;
      const { train, heldout, statistics: counted } = made.value.generation;
      if (train.length === 0 && plan.train.length > 0) return err(nothingMade(c, counted, cut));
      const missing = await notMade(c, toolset, counted.short.length);
      const statistics = { ...counted, warnings: [...counted.warnings, ...missing] };
      for (const message of statistics.warnings) emit({ type: "log", level: "warning", message });
      await writeFile(outputs.train as string, toJsonLines(train));
      await writeFile(outputs.heldout as string, toJsonLines(heldout));
      await writeFile(outputs.plan as string, `${JSON.stringify(plan, null, 2)}\n`);
      await writeFile(outputs.statistics as string, `${JSON.stringify(statistics, null, 2)}\n`);
      return ok({
        figures: {
          samples: train.length,
          cases: heldout.length,
          frames: new Set(train.map((s) => s.frame)).size,
          ...(cut !== undefined && recipe.data.teacher.budget_usd !== undefined && { cut_at_budget_usd: recipe.data.teacher.budget_usd }),
          ...(spent !== undefined && {
            teacher_tokens: spent.input + spent.output,
            ...(spent.usd !== null && { teacher_usd: Number(spent.usd.toFixed(6)) }),
          }),
        },
        summary: `${train.length} samples, ${heldout.length} evaluation cases${cut === undefined ? "" : "; the teacher's budget has ended"}`,
      });
    },
  };
}

/** The failure of data without a single sample. @param cut why the teacher was asked no more, if it was not */
export function nothingMade(c: PipelineContext, { planned, short, warnings, replies, dropped }: GenerationStatistics, cut?: Failure): Failure {
  const repeated = (dropped.duplicate ?? 0) + (dropped.near_duplicate ?? 0);
  const useless = flawsInWords({ ...replies, ...(replies !== undefined && repeated > 0 && { "duplicate or nearly": repeated }) });
  const because = useless === "" ? "" : ` (replies of no use: ${useless})`;
  if (cut !== undefined) return { ...cut, message: `${cut.message}; none of ${planned} conversations is finished${because}` };
  const hosted = c.recipe.data.teacher.provider.startsWith("openai") ? `what the teacher wrote lies in ${stateFolder(c, "teacher")}; ` : "";
  return {
    code: "data/nothing-made",
    // One line: what prints it keeps no other.
    message: [`none of ${planned} conversations passed the checks: ${short[0]?.reason ?? "no reason is known"}${because}`, ...warnings.slice(1, 6)].join("; "),
    hint: `${hosted}a stronger model, or clearer descriptions of the tools, may help`,
    exit: EXIT.failed,
  };
}

/** Of which tools no conversation could be made and why, where that was the builtin teacher's to do. */
async function notMade(c: PipelineContext, toolset: Toolset, short: number): Promise<string[]> {
  if (short === 0 || c.recipe.data.teacher.provider !== "builtin") return [];
  const { unsayable } = await import("../data/teacher/builtin/unsayable.ts");
  return unsayable(toolset);
}

/** The quotas that the recipe asks for. */
export async function planOf({ recipe }: PipelineContext, toolset: Toolset): Promise<SynthesisPlan> {
  const { planSynthesis } = await import("../data/plan.ts");
  return planSynthesis({
    toolset,
    samples: recipe.data.samples,
    minPerTool: recipe.data.min_per_tool,
    scenarios: recipe.data.scenarios,
    evaluationSamples: recipe.evaluation.samples,
    seed: recipe.seed,
  });
}

export interface DataWanted {
  readonly toolset: Toolset;
  readonly plan: SynthesisPlan;
  /** What the plan is a part of: the recipe's conversations are dealt to the slots of this one. */
  readonly whole?: SynthesisPlan;
  /** Opens the tools, once the teacher is known to be ready; the session is closed when the data is made. */
  readonly open: () => Promise<Result<ToolSession>>;
  /** The recipe's file of conversations, if it names one. */
  readonly file?: string;
  /** In place of the base model's own answers to plain questions, for which it would have to be fetched. */
  readonly plainAnswer?: string;
  /** Variations of what the teacher writes; the recipe's own number if left out. */
  readonly factor?: number;
  /** Where steps work; of no need where nothing is varied. */
  readonly work?: Pick<StageContext, "scratch" | "logFile">;
  readonly signal: AbortSignal;
  readonly emit: StageContext["emit"];
}

export interface DataMade {
  readonly generation: Generation;
  /** What the teacher cost; undefined where nothing can be charged. */
  readonly spent: Spending | undefined;
  /** Set where the teacher's budget is why something is short. */
  readonly cut: Failure | undefined;
}

/** Fills the plan with the recipe's teacher, its tools and its base model. */
export async function makeData(c: PipelineContext, o: DataWanted): Promise<Result<DataMade>> {
  const { toolset, plan, file, plainAnswer, work, signal, emit } = o;
  const { augment } = c.recipe.data;
  const factor = o.factor ?? augment.factor;
  const [{ generate }, { budgetToGoOn, isCut, sayCut }, { openBase }, { holdsConversations }, { createRenderer }] = await Promise.all([
    import("../data/generate.ts"),
    import("./teacher-budget.ts"),
    import("./base-model.ts"),
    import("../models/fit.ts"),
    import("../models/render.ts"),
  ]);
  const varying = factor > 1 && work !== undefined ? { work } : {};
  const writer = await openTeacher(c, { toolset, plan: o.whole ?? plan, signal, emit, ...varying, ...(file !== undefined && { file }) });
  if (!writer.ok) return writer;
  // The base model is wanted for its own answers to plain questions, and only then fetched.
  const fixed = plainAnswer === undefined ? fixedAnswers(c.family) : async (questions: string[]) => ok(questions.map(() => plainAnswer));
  const thinking = c.family.thinking !== null;
  // A teacher that thinks answers them itself.
  const asksBase =
    fixed === undefined &&
    !(thinking && writer.value.teacher?.think !== undefined) &&
    [...plan.train, ...plan.evaluation].some((slot) => slot.kind === "general");
  const opened = await o.open();
  if (!opened.ok) return opened;
  const session = opened.value;
  let base = asksBase ? await openBase(c, { signal, emit }) : undefined;
  const countTokens = async (text: string): Promise<Result<number>> => {
    base ??= await openBase(c, { signal, emit });
    if (!base.ok) return base;
    const ids = await base.value.engine.tokenize(text);
    return ids.ok ? ok(ids.value.length) : ids;
  };
  try {
    if (base?.ok === false) return base;
    const input = {
      toolset,
      plan,
      seed: c.recipe.seed,
      thinking,
      // What is only looked at (plainAnswer) fetches no model to be measured.
      ...(plainAnswer === undefined && { fits: holdsConversations(createRenderer(c.family), toolset.tools, c.family.context_tokens, countTokens) }),
      augment: factor,
      reword: augment.by !== "builtin",
      ...(augment.languages !== undefined && { languages: augment.languages }),
      callsPerServer: c.recipe.data.calls_per_server,
      session,
      answerPlain: base?.value.answerPlain ?? fixed ?? (async (questions: string[]) => ok(questions.map(() => ""))),
      signal,
      onProgress: (done: number, total: number, message: string) => emit({ type: "progress", done, total, unit: "samples", message }),
    };
    const made = await generate(input, writer.value.teacher);
    const spent = writer.value.spending();
    if (spent !== undefined) emit({ type: "log", level: "info", message: saySpending(spent, writer.value.teacher?.replies?.()) });
    if (!made.ok) return made;
    const { refused, statistics } = made.value;
    const ended = isCut(statistics) ? writer.value.ended?.() : undefined;
    const { budget_usd: limit } = c.recipe.data.teacher;
    const toGoOn =
      ended === undefined || spent === undefined || limit === undefined
        ? []
        : [sayCut(statistics, ended, limit, budgetToGoOn(c.recipe, plan, statistics, spent, ended))];
    const warnings = [...toGoOn, ...statistics.warnings, ...(writer.value.sayRefused?.(refused) ?? [])];
    return ok({ generation: { ...made.value, statistics: { ...statistics, warnings } }, spent, cut: ended?.failure });
  } finally {
    await session.close();
    if (base?.ok) await base.value.close();
  }
}

/** Refuses tools that are too long for the model, and warns of a language that it has not read. */
async function suitsFamily(c: PipelineContext, toolset: Toolset, o: Pick<StageContext, "signal" | "emit">): Promise<Result<void>> {
  const [{ fitsWindow, languageWarning }, { createRenderer }] = await Promise.all([import("../models/fit.ts"), import("../models/render.ts")]);
  const warning = languageWarning(toolset.tools, c.family);
  if (warning !== undefined) o.emit({ type: "log", level: "warning", message: warning });
  return fitsWindow(createRenderer(c.family).toolPrompt(toolset.tools), toolset.tools.length, c.family, async (text) => {
    const { openBase } = await import("./base-model.ts");
    const base = await openBase(c, o);
    if (!base.ok) return base;
    const ids = await base.value.engine.tokenize(text);
    await base.value.close();
    return ids.ok ? ok(ids.value.length) : ids;
  });
}
