/** The flags of single steps, one row each: a command lists the names of those that it takes. */
import { type Command, InvalidArgumentError, Option } from "commander";

const count = (text: string): number => {
  const value = Number(text);
  if (!/^\d+$/.test(text.trim()) || !Number.isSafeInteger(value)) throw new InvalidArgumentError("It takes a whole number.");
  return value;
};

const share = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) throw new InvalidArgumentError("It takes a number from 0 to 1.");
  return value;
};

const many = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

interface Row {
  readonly flags: string;
  readonly text: string;
  readonly parse?: (text: string, before?: never) => unknown;
}

const ROWS = {
  server: { flags: "--server <command>", text: "the tools of this MCP server (quoted as in a shell)" },
  stub: { flags: "--stub <name>", text: "the tools of this stub: weather, filesystem" },
  tools: { flags: "--tools <file>", text: "the tools, from a file (`forge tools inspect --output` writes one)" },
  execute: { flags: "--execute <policy>", text: "calls that are really made: read_only, all, none, or names with commas" },
  data: { flags: "--data <file>", text: "training samples, one JSON object a line" },
  cases: { flags: "--cases <file>", text: "evaluation cases, one JSON object a line" },
  output: { flags: "-o, --output <path>", text: "where the result goes" },
  samples: { flags: "--samples <n>", text: "how many", parse: count },
  minPerTool: { flags: "--min-per-tool <n>", text: "at least so many for every tool, in the scenario `standard` alone (10)", parse: count },
  noToolRatio: { flags: "--no-tool-ratio <share>", text: "share of requests that no tool is for (0.15)", parse: share },
  errorRatio: { flags: "--error-ratio <share>", text: "share of requests whose tool fails (0.10)", parse: share },
  seed: { flags: "--seed <n>", text: "the seed (7)", parse: count },
  model: { flags: "--model <model>", text: "the base model's family: smollm2, nano, FAMILY/SIZE that ./forge.lock pins, or a family file" },
  family: { flags: "--family <name>", text: "base model line of the model (smollm2, nano, FAMILY/SIZE that ./forge.lock pins, or a family file)" },
  profile: { flags: "--profile <name>", text: "fast_dev, balanced or max_quality" },
  name: { flags: "--name <name>", text: "name of the model" },
  format: {
    flags: "--format <format>",
    text: "q8_0 (default), q4_k_m, f16, …, or lora, the adapter alone (docs/exports.md has all); may be repeated",
    parse: many,
  },
  imatrix: { flags: "--imatrix", text: "round by an importance matrix of the training samples, in every format that it changes" },
  fix: { flags: "--fix", text: "repair what can be repaired, take out what cannot, write the cleaned file" },
  shard: {
    flags: "--shard <file>",
    text: "the data is a share of a data set: measure it, for --merge, and write what was measured here; no report and no gate",
  },
  merge: {
    flags: "--merge <file>",
    text: "report and gate of a data set whose shares were measured with --shard; once for each share, in the order of the data",
    parse: many,
  },
  report: { flags: "--report <path>", text: "where the report goes, in four forms: .json, .md, .csv, .html" },
  skipVerify: { flags: "--skip-verify", text: "do not compare the file with the trained model" },
  validation: { flags: "--validation <file>", text: "the report of `forge validate --output`" },
  benchmark: { flags: "--benchmark <file>", text: "the report of `forge benchmark --output`" },
  training: { flags: "--training <file>", text: "training.json of `forge train --output`" },
  records: { flags: "--records <file>", text: "the validation's records (default: beside the report)" },
  baseline: { flags: "--baseline <file>", text: "a GGUF to compare with, in place of the untuned base" },
} satisfies Readonly<Record<string, Row>>;

export type StepFlagName = keyof typeof ROWS;

/** Thresholds of gates as flags: the figure's name with dashes. */
export const THRESHOLDS = {
  qa: [
    "schema_pass_rate",
    "min_samples_per_tool",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "max_self_similarity",
    "max_shared_frames",
    "max_shared_prompts",
    "max_near_prompts",
    "max_near_wordings",
    "max_shared_values",
    "max_too_long",
  ],
  validate: ["tool_call_parse_rate", "schema_conformance_rate", "tool_selection_accuracy", "loop_completion_rate", "error_handling_rate"],
  benchmark: ["no_tool_correctness", "exact_arguments", "slots_right", "overall_score"],
} as const;

/** Two values of a flag that takes one would leave one of them out unseen. */
const once =
  (parse: (text: string, before?: never) => unknown = (text) => text) =>
  (text: string, before: unknown): unknown => {
    if (before !== undefined) throw new InvalidArgumentError("It is given twice, and takes one value.");
    return parse(text);
  };

/** Gives a command these flags. `texts` replaces the words of single ones. */
export function withStepFlags(command: Command, names: readonly StepFlagName[], texts: Readonly<Partial<Record<StepFlagName, string>>> = {}): Command {
  for (const name of names) {
    const row: Row = ROWS[name];
    const option = new Option(row.flags, texts[name] ?? row.text);
    option.negate = false; // commander takes `--no-tool-ratio` for the negation of `--tool-ratio`.
    if (row.parse === many) option.argParser(many as (text: string, before: unknown) => unknown);
    else if (row.flags.includes("<")) option.argParser(once(row.parse));
    command.addOption(option);
  }
  return command;
}

/** Thresholds that are numbers of something; the others are shares. */
const COUNTS: ReadonlySet<string> = new Set(["min_samples_per_tool", "max_shared_frames", "max_shared_prompts", "max_near_prompts", "max_too_long"]);

/** The threshold flags of a gate. */
export function withThresholds(command: Command, gate: keyof typeof THRESHOLDS): Command {
  for (const figure of THRESHOLDS[gate]) {
    const whole = COUNTS.has(figure);
    const option = new Option(
      `--${figure.replaceAll("_", "-")} <${whole ? "n" : "rate"}>`,
      figure.startsWith("max_") ? "limit of the gate" : "threshold of the gate",
    );
    option.negate = false; // `--no-tool-correctness` too is no negation
    command.addOption(option.argParser(once(whole ? count : share)));
  }
  return command;
}

/** The thresholds among a command's options, by figure. */
export function thresholdsIn(options: Readonly<Record<string, unknown>>, gate: keyof typeof THRESHOLDS): Record<string, number> {
  const found: Record<string, number> = {};
  for (const figure of THRESHOLDS[gate]) {
    const value = options[figure.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase())];
    if (typeof value === "number") found[figure] = value;
  }
  return found;
}

export { count, share };
