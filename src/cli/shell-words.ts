/**
 * Splits a command line as a POSIX shell splits words: white space, single and double quotes, and the
 * backslash. Nothing is expanded (no variables, globs, pipes): the words are started as a process, no
 * shell in between.
 */
import { err, ok, type Result } from "../platform/result.ts";
import { usage } from "./failure.ts";

/** The words of `line`; a failure for an open quote or an empty line. */
export function splitCommandLine(line: string): Result<string[]> {
  const words: string[] = [];
  let word: string | undefined;
  let quote: "'" | '"' | undefined;
  for (let i = 0; i < line.length; i++) {
    const c = line[i] as string;
    if (quote === "'") {
      if (c === "'") quote = undefined;
      else word += c;
    } else if (c === "\\" && (quote === undefined || '"\\$`'.includes(line[i + 1] ?? ""))) {
      if (i + 1 >= line.length) return err(usage("bad-value", "the command ends in a backslash"));
      word = (word ?? "") + line[++i];
    } else if (quote === '"') {
      if (c === '"') quote = undefined;
      else word += c;
    } else if (c === "'" || c === '"') {
      quote = c;
      word ??= "";
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + c;
  }
  if (quote !== undefined) return err(usage("bad-value", `the command has an open ${quote === "'" ? "single" : "double"} quote`, "close the quote"));
  if (word !== undefined) words.push(word);
  if (words.length === 0 || words[0] === "")
    return err(usage("bad-value", "the command is empty", 'give a program with its arguments: --server "npx -y some-server"'));
  return ok(words);
}
