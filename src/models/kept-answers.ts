/**
 * The base model's answers to plain questions, kept in the cache: an answer takes half a second on two cores, and data is
 * made again whenever one changes its recipe. One file a base model and a llama.cpp, a line an answer, appended as they come,
 * so that nothing is asked twice, across recipes and after an interruption too. Where two tokens are all but equally likely an
 * answer may depend on what was asked beside it, so a cache that was emptied can give a few other words.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, hexOf } from "../platform/digest.ts";
import { appendLine } from "../platform/fs.ts";
import { digestJson } from "../platform/hash.ts";
import type { JsonValue } from "../platform/json.ts";
import { cacheDir } from "../platform/paths.ts";
import { type Failure, ok, type Result } from "../platform/result.ts";

/** Raised when other answers would be kept of what the model says: another length, another cut. */
const VERSION = 2;

type Answers = Promise<Result<string[], Failure>>;

/** Hears each answer as it comes: of which question, and what. */
export type Told = (index: number, answer: string) => void;

/**
 * Where the answers of a base model lie.
 * @param asked what else decides them: how a question is put to it, and which llama.cpp
 */
export const answersFile = (base: Digest, asked: JsonValue): string =>
  join(cacheDir(), "answers", `${hexOf(digestJson([VERSION, base, asked])).slice(0, 32)}.jsonl`);

/**
 * Answers from the file, and for what is not there from `ask`. A file that cannot be read or written costs time, never an answer.
 * @param ask tells each answer as it comes, so that it is kept whatever happens to those after it
 * @param onAnswer hears how many are there of all
 */
export function keptAnswers(
  file: string,
  ask: (questions: readonly string[], told: Told) => Answers,
  onAnswer: (done: number, total: number) => void = () => undefined,
): (questions: readonly string[]) => Answers {
  return async (questions) => {
    const known = readAnswers(file);
    const open = [...new Set(questions.filter((q) => !known.has(q)))];
    let told = questions.length - open.length;
    let kept = Promise.resolve();
    const answers = await ask(open, (index, answer) => {
      const question = open[index] as string;
      known.set(question, answer);
      kept = kept.then(() => keep(file, question, answer));
      onAnswer(++told, questions.length);
    });
    await kept;
    if (!answers.ok) return answers;
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

async function keep(file: string, question: string, answer: string): Promise<void> {
  try {
    await appendLine(file, JSON.stringify([question, answer]));
  } catch {
    // A full or read-only cache: it is asked again next time.
  }
}
