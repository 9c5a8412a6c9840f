/**
 * Reads evaluation cases (cases.jsonl) that people write by hand: every error names its line, and all
 * errors of a file are found at once.
 */
import { readFile } from "node:fs/promises";
import { EXIT } from "../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import { validate } from "../schemas/generated/case.validate.js";
import type { Message } from "../schemas/generated/sample.ts";

/** More errors than this are counted, not listed. */
const LISTED = 5;

/**
 * Reads a file of cases, one JSON object a line, blank lines skipped.
 * Failures: `evaluation/no-cases-file`, `evaluation/bad-cases` (its place is the first error), `evaluation/no-cases`.
 */
export async function readCases(file: string): Promise<Result<EvaluationCase[]>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (e) {
    return err({
      code: "evaluation/no-cases-file",
      message: `the cases in ${file} cannot be read: ${(e as NodeJS.ErrnoException).code ?? e}`,
      exit: EXIT.usage,
    });
  }
  return parseCases(text, file);
}

/** As `readCases`, of a text; `file` is only named in errors. */
export function parseCases(text: string, file: string): Result<EvaluationCase[]> {
  const cases: EvaluationCase[] = [];
  const problems: { readonly line: number; readonly source: string; readonly message: string }[] = [];
  const seen = new Map<string, number>();
  for (const [i, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const source = raw.trimEnd();
    if (source.trim() === "") continue;
    const line = i + 1;
    const read = readCase(source);
    if (!read.ok) problems.push({ line, source, message: read.error });
    else if (seen.has(read.value.id))
      problems.push({ line, source, message: `the id ${JSON.stringify(read.value.id)} is already that of line ${seen.get(read.value.id)}` });
    else {
      seen.set(read.value.id, line);
      cases.push(read.value);
    }
  }
  const first = problems[0];
  if (first !== undefined) return err(failure(file, problems, first));
  if (cases.length === 0)
    return err({
      code: "evaluation/no-cases",
      message: `there are no cases in ${file}`,
      hint: 'write one a line: {"id": "a", "messages": [{"role": "user", "content": "…"}], "expect": null}',
      exit: EXIT.usage,
    });
  return ok(cases);
}

function readCase(source: string): Result<EvaluationCase, string> {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (e) {
    return err(`not JSON: ${(e as Error).message}`);
  }
  if (!validate(value)) {
    const e = validate.errors?.find((x) => x.keyword !== "oneOf") ?? validate.errors?.[0];
    const extra = e?.keyword === "additionalProperties" ? ` (${JSON.stringify((e.params as { additionalProperty?: string }).additionalProperty)})` : "";
    return err(`${e?.instancePath ? e.instancePath.slice(1).replaceAll("/", ".") : "the case"} ${e?.message ?? "is not valid"}${extra}`);
  }
  const found = value as EvaluationCase;
  const last = found.messages.at(-1);
  if (last?.role !== "user" && last?.role !== "tool") return err("the last message must be a request: its role is `user` (or `tool`)");
  if (found.messages.some((m) => m.role !== "assistant" && m.content === null)) return err("only an assistant's message may have no content");
  return ok(found);
}

function failure(file: string, problems: readonly { line: number; message: string }[], first: { line: number; source: string; message: string }): Failure {
  const more = problems.slice(1, LISTED).map((p) => `line ${p.line}: ${p.message}`);
  if (problems.length > LISTED) more.push(`and ${problems.length - LISTED} more`);
  return {
    code: "evaluation/bad-cases",
    message: first.message,
    hint: "see schemas/case.schema.json for the form of a case",
    place: { file, line: first.line, column: 1, length: Math.max(1, Math.min(first.source.length, 80)), source: first.source.slice(0, 200) },
    ...(more.length > 0 ? { details: more.join("\n") } : {}),
    exit: EXIT.usage,
  };
}

/** A case's conversation in the form that is rendered. */
export function caseMessages(found: EvaluationCase): Message[] {
  return found.messages.map((m, i): Message => {
    const content = m.content ?? "";
    if (m.role === "tool") return { role: "tool", content, tool_call_id: typeof m.tool_call_id === "string" ? m.tool_call_id : `call_${i}` };
    if (m.role !== "assistant") return { role: m.role, content };
    const calls = Array.isArray(m.tool_calls) ? m.tool_calls.flatMap((c: unknown, k) => toolCall(c, `call_${i}_${k}`)) : [];
    return calls.length > 0 ? { role: "assistant", content: m.content, tool_calls: calls } : { role: "assistant", content };
  });
}

type ToolCall = Extract<Message, { role: "assistant" }>["tool_calls"] extends (infer T)[] | undefined ? T : never;

function toolCall(value: unknown, id: string): ToolCall[] {
  if (typeof value !== "object" || value === null || !("function" in value)) return [];
  const fn = value.function;
  if (typeof fn !== "object" || fn === null || !("name" in fn) || typeof fn.name !== "string") return [];
  const args = "arguments" in fn ? fn.arguments : {};
  return [{ id, type: "function", function: { name: fn.name, arguments: typeof args === "string" ? args : JSON.stringify(args) } }];
}
