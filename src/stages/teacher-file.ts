/**
 * The teacher of a recipe that names a file of conversations (`data.teacher.path`): reads the file, deals it to the plan's slots, and says of every line
 * that is not among the samples in the end which it is and why.
 */
import { readFile } from "node:fs/promises";
import type { FileTeacher } from "../data/teacher/file/index.ts";
import type { RefusedConversation, SynthesisPlan } from "../data/types.ts";
import type { StageContext } from "../engine/stage.ts";
import { EXIT } from "../platform/exit.ts";
import { safeText } from "../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";

export interface FileWanted {
  /** As the recipe names it, and where it lies. */
  readonly name: string;
  readonly file: string;
  readonly seed: number;
  /** Conversations that each one becomes. */
  readonly factor: number;
  /** Whether the model thinks aloud. */
  readonly thinking: boolean;
  readonly toolset: Toolset;
  readonly plan: SynthesisPlan;
  readonly emit: StageContext["emit"];
}

export interface OpenFile {
  readonly teacher: FileTeacher;
  /** What is to be said of conversations that were refused while the data was made. */
  sayRefused(refused: readonly RefusedConversation[]): string[];
}

/** Warns of what has no use at once, and gives the teacher. Fails where the file holds no conversation. Throws the file system's error. */
export async function openFile({ name, file, seed, factor, thinking, toolset, plan, emit }: FileWanted): Promise<Result<OpenFile>> {
  const [{ foreignWords, importSamples, readBytes }, { fileTeacher }, { builtinTeacher }, { seedsOf }] = await Promise.all([
    import("../data/import.ts"),
    import("../data/teacher/file/index.ts"),
    import("../data/teacher/builtin/index.ts"),
    import("../data/augment.ts"),
  ]);
  const { text, foreign } = readBytes(await readFile(file));
  const { samples, unreadable, lineOf } = importSamples(text.replace(/^\ufeff/, ""), false);
  if (samples.length === 0) return err(nothingIn(name, unreadable[0]?.message));
  const warn = (message: string) => emit({ type: "log", level: "warning", message: `${name}: ${message}` });
  const lines = (ids: readonly string[]): string => namedLines(ids.flatMap((id) => lineOf.get(id) ?? []));
  if (foreign.length > 0) warn(foreignWords(foreign));
  for (const { message } of unreadable.slice(0, 5)) warn(message);
  if (unreadable.length > 5) warn(`and ${unreadable.length - 5} more lines that are no conversation: ${namedLines(unreadable.slice(5).map((u) => u.line))}`);
  const varied = seedsOf(plan.train, factor);
  const slots = plan.train.filter((s) => !varied.has(s.id));
  const teacher = fileTeacher(samples, toolset, seed, slots, builtinTeacher(toolset, seed), thinking);
  const { used, unfit, over } = teacher;
  if (thinking && teacher.thinking < used)
    warn(`${used - teacher.thinking} of ${used} conversations come without thoughts (\`reasoning_content\`): there the model learns to think nothing`);
  for (const [why, ids] of grouped(unfit, (u) => u.why))
    warn(`${conversations(ids.length)} cannot be taught and ${left(ids.length)}: it ${why} (${lines(ids.map((u) => u.id))})`);
  if (over.length > 0)
    warn(
      `${over.length} of ${samples.length} conversations have no place in ${slots.length} written ones (${lines(over)}); raise \`data.samples\`, or change \`data.scenarios\``,
    );
  emit({
    type: "log",
    level: "info",
    message: `${conversations(used)} of ${name} ${used === 1 ? "has" : "have"} a place; the builtin teacher writes the other ${slots.length - used} and the held-out cases`,
  });
  return ok({
    teacher,
    sayRefused: (refused) =>
      [...grouped(refused, (r) => r.reason)].map(([reason, all]) => {
        const [first] = all as [RefusedConversation];
        const which = lines(all.map((r) => r.id));
        const said = first.message === undefined ? "" : safeText(first.message, 200);
        const where = said === "" ? which : all.length === 1 ? `${which}: ${said}` : `${which}; ${lines([first.id])}: ${said}`;
        return `${name}: ${conversations(all.length)} ${left(all.length)}: it ${WHY[reason] ?? `did not pass \`${reason}\``} (${where})`;
      }),
  });
}

/** Why a conversation was refused, by the reason in `dropped`. */
const WHY: Readonly<Record<string, string>> = {
  parse: "has a call whose arguments are no JSON object",
  tool_exists: "calls a tool that is not there",
  required: "has a call without an argument that its tool needs",
  schema: "has a call that does not fit its tool's definition",
  roles: "has its turns out of order",
  secrets: "holds a key or a password",
  template_marks: "holds the marks of a chat template",
  thoughts: "has a think tag where none may be",
  execution_failed: "has a call that was really made, and failed",
  duplicate: "says what another conversation says",
  near_duplicate: "says nearly what another conversation says",
  near_heldout: "says nearly what a held-out case says",
  too_long: "is longer than the model's window",
};

const conversations = (n: number): string => `${n} ${n === 1 ? "conversation" : "conversations"}`;
const left = (n: number): string => (n === 1 ? "is left out" : "are left out, each for the same reason");

/** Lines that are named. */
const NAMED = 20;

/** "line 3", "lines 3, 7 and 9", "lines 1, 2, … and 40 more". */
function namedLines(lines: readonly number[]): string {
  const sorted = [...lines].sort((a, b) => a - b);
  const more = sorted.length - NAMED;
  const [last, ...rest] = sorted.slice(0, NAMED).reverse();
  if (sorted.length <= 1) return `line ${last ?? "?"}`;
  return more > 0 ? `lines ${[...rest.reverse(), last].join(", ")} and ${more} more` : `lines ${rest.reverse().join(", ")} and ${last}`;
}

function grouped<T>(items: readonly T[], by: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(by(item));
    if (group === undefined) groups.set(by(item), [item]);
    else group.push(item);
  }
  return groups;
}

const nothingIn = (name: string, first: string | undefined): Failure => ({
  code: "teacher/no-conversations",
  message: `${name} holds no conversation${first === undefined ? "" : `: ${first}`}`,
  hint: "a line is one conversation in JSON, with a list `messages` as OpenAI's fine-tuning files have it",
  exit: EXIT.usage,
});
