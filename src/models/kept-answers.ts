/**
 * The base model's answers to plain questions, kept in the cache: an answer takes half a second on two cores, and data is
 * made again whenever one changes its recipe. One file a base model, a line an answer, appended as they come, so that
 * nothing is asked twice, across recipes and after an interruption too.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, hexOf } from "../platform/digest.ts";
import { appendLine } from "../platform/fs.ts";
import { cacheDir } from "../platform/paths.ts";
import { type Failure, ok, type Result } from "../platform/result.ts";

/** Raised when other answers would be given to the same questions: another prompt, another cut. */
const VERSION = 1;
/** So many are asked at once, and kept together. */
const BATCH = 32;

type Answers = Promise<Result<string[], Failure>>;

/** Where the answers of a base model lie. */
export const answersFile = (base: Digest): string => join(cacheDir(), "answers", `${hexOf(base).slice(0, 32)}-v${VERSION}.jsonl`);

/**
 * Answers from the file, and for what is not there from `ask`. A file that cannot be read or written costs time, never an answer.
 * @param ask hears how many of its questions are answered through `told`
 * @param onAnswer hears how many are there of all
 */
export function keptAnswers(
  file: string,
  ask: (questions: readonly string[], told: (done: number) => void) => Answers,
  onAnswer: (done: number, total: number) => void = () => undefined,
): (questions: readonly string[]) => Answers {
  return async (questions) => {
    const known = readAnswers(file);
    const open = [...new Set(questions.filter((q) => !known.has(q)))];
    const total = questions.length;
    for (let at = 0; at < open.length; at += BATCH) {
      const batch = open.slice(at, at + BATCH);
      const answers = await ask(batch, (done) => onAnswer(total - open.length + at + done, total));
      if (!answers.ok) return answers;
      for (const [i, question] of batch.entries()) known.set(question, answers.value[i] ?? "");
      await keep(file, batch, answers.value);
    }
    return ok(questions.map((q) => known.get(q) ?? ""));
  };
}

function readAnswers(file: string): Map<string, string> {
  const known = new Map<string, string>();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return known;
  }
  for (const line of text.split("\n")) {
    try {
      const [question, answer] = JSON.parse(line) as unknown[];
      if (typeof question === "string" && typeof answer === "string") known.set(question, answer);
    } catch {
      // The last line of a run that was killed, or the empty one at the end.
    }
  }
  return known;
}

async function keep(file: string, questions: readonly string[], answers: readonly string[]): Promise<void> {
  try {
    await appendLine(file, questions.map((question, i) => JSON.stringify([question, answers[i] ?? ""])).join("\n"));
  } catch {
    // A full or read-only cache: they are asked again next time.
  }
}
