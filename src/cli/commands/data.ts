/** `forge data convert`: conversations from one program's form to another's. `forge data undo`: repairs taken back. */
import { resolve } from "node:path";
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { jsonText } from "../json.ts";
import { missingFile, unwritable } from "../named-files.ts";
import { plural } from "../words.ts";

interface Options {
  readonly from: string;
  readonly to: string;
  readonly tools?: string;
  readonly output: string;
  readonly json?: boolean;
}

const NAMES = ["forge", "openai", "trl", "sharegpt"];

export function define(context: CliContext): Command {
  const data = new Command("data").description("Files of conversations (JSON lines).");
  data
    .command("convert")
    .description(
      "Brings conversations into another program's form: forge (our own samples), openai (fine-tuning files), trl (SFTTrainer), sharegpt (LLaMA-Factory, Axolotl).\nEach of these forms is read, mixed ones too. Lines that are no conversation, or have a number that the form cannot hold, are left out and named; then the exit code is 1. What else the form has no place for is said, with the lines that had it.",
    )
    .requiredOption("--from <file>", "the conversations")
    .requiredOption("--to <form>", NAMES.join(", "))
    .requiredOption("--output <file>", "where to write them")
    .option("--tools <file>", "the tools that they could have called (a toolset file, OpenAI functions), to be written into each line")
    .option("--json", "print what was done as JSON")
    .addHelpText("after", "\nExample:\n  $ forge data convert --from train.jsonl --to sharegpt --output sharegpt.jsonl")
    .action(action(context, (options: Options) => run(context, options)));
  data
    .command("undo")
    .description("Takes back what `forge qa --fix` repaired: the samples as they were read, in our form. What it took out is in its report, not here.")
    .requiredOption("--from <file>", "the cleaned samples (NAME.clean.jsonl)")
    .option("--repairs <file>", "the repairs (default: NAME.clean.repairs.jsonl beside them)")
    .requiredOption("--output <file>", "where to write the samples")
    .option("--sample <id>", "only of this sample; may be repeated", (id: string, before: readonly string[] = []) => [...before, id])
    .option("--json", "print what was done as JSON")
    .addHelpText("after", "\nExample:\n  $ forge data undo --from train.clean.jsonl --output train.before.jsonl")
    .action(action(context, (options: UndoOptions) => undo(context, options)));
  return data;
}

interface UndoOptions {
  readonly from: string;
  readonly repairs?: string;
  readonly output: string;
  readonly sample?: readonly string[];
  readonly json?: boolean;
}

async function undo(context: CliContext, o: UndoOptions): Promise<ExitCode> {
  const { terminal } = context;
  const [{ UndoError, undoFile }, { fsFailure }, { isStandardOutput, OutputError }, { safeText }] = await Promise.all([
    import("../../data/undo.ts"),
    import("../../platform/fs.ts"),
    import("../../platform/output-file.ts"),
    import("../../platform/redact.ts"),
  ]);
  const repairs = o.repairs ?? `${o.from.replace(/\.jsonl$/, "")}.repairs.jsonl`;
  const problem = missingFile("--from", o.from) ?? missingFile("--repairs", repairs) ?? (await unwritable(o.output, [o.from, repairs]));
  if (problem !== undefined) return fail(context, problem);
  try {
    const done = await undoFile(resolve(o.from), resolve(repairs), resolve(o.output), o.sample === undefined ? undefined : new Set(o.sample));
    if (o.json === true) terminal.out(jsonText({ ...done }));
    else {
      if (done.encodings > 0) terminal.err(`warning: ${plural(done.encodings, "line")} had another encoding: the text is as it was, in UTF-8\n`);
      const say = isStandardOutput(resolve(o.output)) ? terminal.err : terminal.out;
      say(`${plural(done.samples, "sample")} in ${o.output}, ${plural(done.repairs, "repair")} taken back in ${done.changed} of them\n`);
    }
    return EXIT.ok;
  } catch (error) {
    if (error instanceof UndoError) {
      const file = error.file === "samples" ? o.from : repairs;
      return fail(context, {
        code: "data/undo",
        message: safeText(`line ${error.line} of ${file} ${error.message}`, 300),
        hint: "name both files as one `forge qa --fix` wrote them: --from NAME.clean.jsonl --repairs NAME.clean.repairs.jsonl",
        exit: EXIT.usage,
      });
    }
    const writing = error instanceof OutputError;
    const failure = writing ? fsFailure(error.cause, `write ${o.output}`) : fsFailure(error, `read ${o.from} and ${repairs}`);
    if (failure === undefined) throw error;
    return fail(context, writing ? failure : { ...failure, exit: EXIT.usage });
  }
}

async function run(context: CliContext, o: Options): Promise<ExitCode> {
  const { terminal } = context;
  const [{ convertFile }, { foreignWords }, { formatNamed }, { fsFailure }, { isStandardOutput, OutputError }, { safeText }] = await Promise.all([
    import("../../data/convert.ts"),
    import("../../data/import.ts"),
    import("../../data/formats/index.ts"),
    import("../../platform/fs.ts"),
    import("../../platform/output-file.ts"),
    import("../../platform/redact.ts"),
  ]);
  const format = formatNamed(o.to);
  if (format === undefined)
    return fail(context, { code: "cli/bad-value", message: `--to knows no form \`${o.to}\``, hint: `use ${NAMES.join(", ")}`, exit: EXIT.usage });
  const problem =
    missingFile("--from", o.from) ??
    (o.tools === undefined ? undefined : missingFile("--tools", o.tools)) ??
    (await unwritable(o.output, [o.from, ...(o.tools === undefined ? [] : [o.tools])]));
  if (problem !== undefined) return fail(context, problem);
  if (o.tools !== undefined && format.lacks.includes("tools"))
    terminal.err(`warning: ${format.name} has no place for tools: ${o.tools} (--tools) is not used\n`);
  const tools = o.tools === undefined ? [] : await toolsOf(o.tools);
  if ("error" in tools) return fail(context, tools.error);
  try {
    const done = await convertFile(resolve(o.from), resolve(o.output), format, tools);
    if (o.json === true) terminal.out(jsonText(done));
    else {
      const { count, lines } = done.foreign;
      if (count > 0) terminal.err(`warning: ${foreignWords(lines, count)}\n`);
      for (const { what, count, lines: of } of done.lost)
        terminal.err(`warning: ${safeText(`${format.name} has no place for ${what}: left out of ${linesNamed(of, count)}`, 400)}\n`);
      for (const { message } of done.unreadable) terminal.err(`${safeText(message, 300)}\n`);
      const more = done.left - done.unreadable.length;
      if (more > 0) terminal.err(`and ${more} more\n`);
      // The conversations themselves may be what the command prints.
      const say = isStandardOutput(resolve(o.output)) ? terminal.err : terminal.out;
      if (done.written > 0) say(`${plural(done.written, "conversation")} in ${o.output}${done.left > 0 ? `; ${plural(done.left, "line")} left out` : ""}\n`);
    }
    if (done.written === 0)
      return fail(context, {
        code: "data/nothing",
        message: `${o.from} holds no conversation`,
        hint: "a line is one conversation in JSON, with a list `messages` (OpenAI, TRL), `prompt` and `completion` (TRL) or a list `conversations` (ShareGPT)",
        exit: EXIT.usage,
      });
    return done.left > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    const writing = error instanceof OutputError;
    const failure = writing ? fsFailure(error.cause, `write ${o.output}`) : fsFailure(error, `read ${o.from}`);
    if (failure === undefined) throw error;
    return fail(context, writing ? failure : { ...failure, exit: EXIT.usage });
  }
}

/** "3 lines (1, 5, 9)", "40 lines (1, 2, … and 20 more)". */
function linesNamed(lines: readonly number[], count: number): string {
  const more = count > lines.length ? ` and ${count - lines.length} more` : "";
  return `${plural(count, "line")} (${lines.join(", ")}${more})`;
}

async function toolsOf(file: string) {
  const [{ readDefinitions }, { makeToolset }] = await Promise.all([import("../../tools/definitions.ts"), import("../../tools/toolset.ts")]);
  const read = await readDefinitions("any", file, process.cwd());
  if (!read.ok) return { error: read.error };
  const toolset = makeToolset(read.value);
  return toolset.ok ? toolset.value.tools : { error: toolset.error };
}
