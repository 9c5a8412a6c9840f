/**
 * Gates: thresholds of the recipe judged against the recorded figures of a stage. Nothing is measured
 * here; a changed threshold is judged again in milliseconds. A threshold is the least that a figure may be; one that begins
 * with `max_` is a limit, the most that the figure behind it may be.
 */
import type { GateDefinition, Verdict } from "../engine/stage.ts";
import type { JsonObject } from "../platform/json.ts";
import type { PipelineContext } from "./context.ts";

export const VERSION = 2;

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

/** What to try when a figure is under its threshold, or over its limit. */
const ADVICE: Readonly<Record<string, string>> = {
  schema_pass_rate: "look at the dropped samples in the QC report; a tool's schema may contradict its description",
  min_samples_per_tool:
    "bring more samples of the tools with few (in a recipe: raise `data.samples`), or lower the threshold (`gates.qa.min_samples_per_tool`)",
  max_shared_frames: `${SAYS_THE_SAME}; or allow some (\`gates.qa.max_shared_frames\`)`,
  max_shared_prompts: `${SAYS_THE_SAME}; or allow some (\`gates.qa.max_shared_prompts\`)`,
  max_near_prompts: `${SAYS_THE_SAME}; or allow some (\`gates.qa.max_near_prompts\`)`,
  max_near_wordings:
    "the builtin teacher's wordings are split by frame, and those of two frames may be near: lower `data.samples`, or allow more (`gates.qa.max_near_wordings`)",
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
      for (const [name, threshold] of Object.entries(table)) {
        const limit = name.startsWith(LIMIT);
        const measured = limit ? name.slice(LIMIT.length) : name;
        const figure = readFigure(figures[constrained ? `constrained_${measured}` : measured]);
        const passed = limit ? isWithin(figure, threshold) : reaches(figure, threshold);
        const notes: string[] = [];
        if (constrained) notes.push("with the grammar");
        if (figure.value === null) notes.push("not measured: no case asks for it");
        else if (limit && !passed) notes.push(`at most ${threshold} is allowed`);
        else if (!limit && figure.n !== undefined) {
          const needed = Math.ceil(threshold * figure.n - 1e-9);
          notes.push(`n = ${figure.n}`);
          if (figure.n < FEW_CASES) notes.push(`too few cases to mean much: ${threshold} is ${needed} of ${figure.n}`);
        }
        verdicts.push({ figure: name, value: figure.value, threshold, passed, note: notes.join("; ") || undefined });
        if (!passed && ADVICE[name] !== undefined) advice.push(`${name}: ${ADVICE[name]}`);
      }
      return { verdicts, advice };
    },
  };
}

/** A threshold of 0 asks for nothing, so not even for a measurement. */
const reaches = ({ value }: Figure, threshold: number): boolean => threshold <= 0 || (value !== null && value >= threshold);

/** What was not measured (no held-out case could have it) goes over no limit. */
const isWithin = ({ value }: Figure, limit: number): boolean => value === null || value <= limit;

function readFigure(raw: unknown): Figure {
  if (typeof raw === "number") return { value: raw };
  if (raw !== null && typeof raw === "object" && "value" in raw) return raw as Figure;
  return { value: null };
}
