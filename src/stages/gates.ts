/**
 * Gates: thresholds of the recipe judged against the recorded figures of a stage. Nothing is measured
 * here; a changed threshold is judged again in milliseconds. A threshold is the least that a figure may be; one that begins
 * with `max_` is a limit, the most that the figure behind it may be.
 */
import type { GateDefinition, Verdict } from "../engine/stage.ts";
import type { JsonObject } from "../platform/json.ts";
import type { PipelineContext } from "./context.ts";

export const VERSION = 3;

/** A figure as stages record it: a plain number, or a rate with its denominator and interval. */
interface Figure {
  readonly value: number | null;
  readonly n?: number;
  readonly low?: number;
  readonly high?: number;
}

const FEW_CASES = 20;

/** Begins the name of a limit; what follows is the figure's. */
const LIMIT = "max_";

const SAYS_THE_SAME = "the teacher repeats itself across training and evaluation: raise `data.teacher.temperature`, or lower `evaluation.samples`";

const COLLAPSE = "the requests are too much alike to teach more than their wording";
const TEACHER_VARIETY = "raise `data.teacher.temperature`, take a stronger model, or lower `data.augment.factor`";

/** What to try when a figure is under its threshold, or over its limit. */
const ADVICE: Readonly<Record<string, string>> = {
  schema_pass_rate: "look at the dropped samples in the QC report; a tool's schema may contradict its description",
  min_samples_per_tool:
    "bring more samples of the tools with few (in a recipe: raise `data.samples`), or lower the threshold (`gates.qa.min_samples_per_tool`)",
  plan_met: "ask for less (`data.samples`, `data.min_per_tool`), or lower the threshold (`gates.qa.plan_met`)",
  scenarios_covered: "leave the scenario out of `data.scenarios`, or lower the threshold (`gates.qa.scenarios_covered`)",
  distinct_1: `${COLLAPSE}: ${TEACHER_VARIETY}; it falls with the number of samples, so choose the threshold for that (\`gates.qa.distinct_1\`)`,
  distinct_2: `${COLLAPSE}: ${TEACHER_VARIETY}; it falls with the number of samples, so choose the threshold for that (\`gates.qa.distinct_2\`)`,
  distinct_3: `${COLLAPSE}: ${TEACHER_VARIETY}; it falls with the number of samples, so choose the threshold for that (\`gates.qa.distinct_3\`)`,
  max_self_similarity: `${COLLAPSE}: the report says of which tools (\`self_similarity_by_tool\`); ${TEACHER_VARIETY}, or say things in more ways; or allow more (\`gates.qa.max_self_similarity\`)`,
  max_too_long:
    "the model cannot learn from what it cannot read, and no sample is ever cut: take them out (`forge qa --fix --family NAME`), offer fewer tools, or take a family with a longer window",
  max_shared_frames: `${SAYS_THE_SAME}; or allow some (\`gates.qa.max_shared_frames\`)`,
  max_shared_prompts: `${SAYS_THE_SAME}; or allow some (\`gates.qa.max_shared_prompts\`)`,
  max_near_prompts: `${SAYS_THE_SAME}; or allow some (\`gates.qa.max_near_prompts\`)`,
  max_near_wordings:
    "cases say, values aside, nearly what training says: take the one or the other out, or allow more (`gates.qa.max_near_wordings`, `--max-near-wordings`); the builtin teacher's wordings are split by frame, and those of two frames may be near",
  max_shared_values:
    "held-out calls have values that training has too: where an argument has few, give it an `enum` in the tool's schema; else lower `data.samples`, or allow more (`gates.qa.max_shared_values`)",
  tool_call_parse_rate: "raise `data.samples` or `train.epochs`: the model has not yet learned the call's syntax",
  schema_conformance_rate: "raise `data.samples`; or judge and ship the model with its grammar (`gates.decoding: constrained`)",
  tool_selection_accuracy: "make the tools' descriptions say when each is to be used, and raise `data.samples`",
  loop_completion_rate: "read the failed loops in the validation report; raise `train.epochs` if answers break off",
  error_handling_rate: "raise `data.scenarios.error` and lower `standard` by as much; name all the shares, they add up to 1",
  no_tool_correctness:
    "the model calls tools where none is due: raise `data.scenarios.no_tool` and lower `standard` by as much; name all the shares, they add up to 1",
};

/** What to do about slots that stayed empty, by the reason that `generate` gives (data/generate.ts); the others speak for themselves. */
const REMEDY: Readonly<Record<string, string>> = {
  "the teacher's budget has ended":
    "raise `data.teacher.budget_usd` (the run's warning says to what): what was paid for is kept, and only the rest is asked for",
  "the teacher found no wording that fits": "the teacher wrote nothing of use for these: read its replies (`forge logs`), or take another model",
  near_heldout: "all that was written for them is nearly a held-out case: raise `data.teacher.temperature`, or lower `evaluation.samples`",
  heldout_value: "all that was written for them has values of held-out cases: raise `data.teacher.temperature`, or lower `evaluation.samples`",
  duplicate: "the teacher says the same again and again: raise `data.teacher.temperature`, or lower `data.samples`",
  near_duplicate: "the teacher says nearly the same again and again: raise `data.teacher.temperature`, or lower `data.samples`",
  required: "the teacher leaves required arguments out: say in their descriptions how people speak of them",
  schema: "what the teacher writes does not fit the tools' schemas: look for a description that contradicts its schema",
  parse: "the teacher's replies are no conversations: take another model",
  execution_failed: "the tools refuse the calls: look at what they answer, or set `execute: none`",
  too_long: "the model's window does not hold them: offer fewer tools, or take a family with a longer window",
  thought: "the teacher, asked for its thought, decides otherwise: take a stronger model",
  grounded_answer: "the teacher's answers say what the results do not: take a stronger model",
};

/** Figures that only a plan gives a meaning: data that somebody brings has none. */
const OF_A_PLAN: readonly string[] = ["plan_met", "scenarios_covered"];

/** Whether a threshold asks for what nobody could measure here: a plan that there is not, a model that nobody named. */
const isMeaningless = (name: string, figures: JsonObject): boolean =>
  (figures.planned === null && OF_A_PLAN.includes(name)) || (name === "max_too_long" && figures.too_long === undefined);

/** Why a figure may not be there. */
const UNMEASURED: Readonly<Record<string, string>> = { self_similarity: "not measured: too few samples about the same tool" };

/** Id of the gate of a stage. */
export const gateId = (stage: string): string => `gate:${stage}`;

/**
 * @param section the recipe's gate table, e.g. `validate`
 * @param stage the measuring stage, e.g. `validate:q8_0`
 */
export function gate(c: PipelineContext, section: "qa" | "validate" | "benchmark", stage: string): GateDefinition {
  const table = c.recipe.gates[section] as Readonly<Record<string, number>>;
  const decoding = section === "qa" ? "free" : c.recipe.gates.decoding;
  const constrained = decoding === "constrained";
  return {
    kind: "gate",
    id: gateId(stage),
    title: `Gate ${stage}`,
    version: VERSION,
    recipe: { [`gates.${section}`]: { ...table }, ...(section === "qa" ? {} : { "gates.decoding": decoding }) },
    inputs: {},
    stage,
    judge(figures: JsonObject) {
      const verdicts: Verdict[] = [];
      const advice: string[] = [];
      // Of nothing all is well, and all that could be said to do would be beside the point. (A bundle is packed without samples: no `planned` there.)
      const nothing = section === "qa" && figures.samples === 0 && figures.planned !== undefined;
      if (nothing) verdicts.push({ figure: "samples", value: 0, threshold: 1, passed: false, note: "there is nothing to learn from" });
      for (const [name, threshold] of Object.entries(table)) {
        if (section === "qa" && isMeaningless(name, figures)) continue;
        const limit = name.startsWith(LIMIT);
        const measured = limit ? name.slice(LIMIT.length) : name;
        const figure = readFigure(figures[constrained ? `constrained_${measured}` : measured]);
        const passed = limit ? isWithin(figure, threshold) : reaches(figure, threshold);
        const notes: string[] = [];
        if (constrained) notes.push("with the grammar");
        if (figure.value === null) notes.push(UNMEASURED[measured] ?? "not measured: no case asks for it");
        else if (limit && !passed) notes.push(`at most ${threshold} is allowed`);
        else if (!limit && figure.n !== undefined) {
          const needed = Math.ceil(threshold * figure.n - 1e-9);
          notes.push(`n = ${figure.n}`);
          if (figure.n < FEW_CASES) notes.push(`too few cases to mean much: ${threshold} is ${needed} of ${figure.n}`);
        }
        verdicts.push({ figure: name, value: figure.value, threshold, passed, note: notes.join("; ") || undefined });
        if (!passed && ADVICE[name] !== undefined && !nothing) advice.push(`${name}: ${adviceOf(name, figures)}`);
      }
      if (nothing) advice.push(`samples: ${NOTHING}${because(figures)}`);
      return { verdicts, advice };
    },
  };
}

const NOTHING = "no sample is left";

/** What is short and what to do about it, as the stage recorded it; empty where nothing was planned. */
function because({ short, short_reasons: reasons, planned }: JsonObject): string {
  if (typeof planned !== "number") return ": what was brought has none, or all were taken out; the report names each with its reason";
  const all = Array.isArray(reasons) ? reasons : [];
  const known = all.flatMap((reason) => (typeof reason === "string" && Object.hasOwn(REMEDY, reason) ? [REMEDY[reason] as string] : []));
  return `${typeof short === "string" ? `; short: ${short}` : ""}${known.length > 0 ? `. ${known.slice(0, 2).join("; ")}` : ""}`;
}

const adviceOf = (name: string, figures: JsonObject): string =>
  OF_A_PLAN.includes(name) && typeof figures.short === "string" ? `${because(figures).replace(/^; /, "")}; else ${ADVICE[name]}` : (ADVICE[name] as string);

/** A threshold of 0 asks for nothing, so not even for a measurement. */
const reaches = ({ value }: Figure, threshold: number): boolean => threshold <= 0 || (value !== null && value >= threshold);

/** What was not measured (no held-out case could have it) goes over no limit. */
const isWithin = ({ value }: Figure, limit: number): boolean => value === null || value <= limit;

function readFigure(raw: unknown): Figure {
  if (typeof raw === "number") return { value: raw };
  if (raw !== null && typeof raw === "object" && "value" in raw) return raw as Figure;
  return { value: null };
}
