/**
 * Reads evaluation cases (cases.jsonl) that people write by hand: every error names its line, and all
 * errors of a file are found at once.
 */
import { readFile } from "node:fs/promises";
import type { ErrorObject } from "ajv";
import { EXIT } from "../platform/exit.ts";
import { errorCode } from "../platform/fs.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { nearest } from "../recipe/nearest.ts";
import type { EvaluationCase, ExpectedCall } from "../schemas/generated/case.ts";
import { validate } from "../schemas/generated/case.validate.js";
import type { Message } from "../schemas/generated/sample.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";

/** More errors than this are counted, not listed. */
const LISTED = 5;

/**
 * Reads a file of cases, one JSON object a line, blank lines skipped.
 * @param toolset what the cases may expect calls of; without it names are taken as they are
 * Failures: `evaluation/no-cases-file`, `evaluation/bad-cases` (its place is the first error), `evaluation/no-cases`.
 */
export async function readCases(file: string, toolset?: Pick<Toolset, "tools">): Promise<Result<EvaluationCase[]>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (e) {
    return err({
      code: "evaluation/no-cases-file",
      message: errorCode(e) === "ENOENT" ? `the file of cases \`${file}\` does not exist` : `the cases in ${file} cannot be read: ${errorCode(e) || e}`,
      hint: "check the path; it is relative to the folder that you stand in",
      exit: EXIT.usage,
    });
  }
  return parseCases(text, file, toolset);
}

/** As `readCases`, of a text; `file` is only named in errors. */
export function parseCases(text: string, file: string, toolset?: Pick<Toolset, "tools">): Result<EvaluationCase[]> {
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
    const stray = read.ok && toolset !== undefined ? problemWithTools(read.value, toolset) : undefined;
    if (!read.ok) problems.push({ line, source, message: read.error });
    else if (stray !== undefined) problems.push({ line, source, message: stray });
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
    const e = mostTelling(validate.errors ?? []);
    const argument = /\/arguments\/([^/]+)$/.exec(e?.instancePath ?? "")?.[1];
    if (e?.keyword === "type" && argument !== undefined) {
      const written = JSON.stringify(valueAt(value, e.instancePath.slice(1).split("/")));
      return err(`${e.instancePath.slice(1).replaceAll("/", ".")} must be the list of values that are accepted: "${argument}": [${written}]`);
    }
    const extra = e?.keyword === "additionalProperties" ? ` (${JSON.stringify((e.params as { additionalProperty?: string }).additionalProperty)})` : "";
    return err(`${e?.instancePath ? e.instancePath.slice(1).replaceAll("/", ".") : "the case"} ${e?.message ?? "is not valid"}${extra}`);
  }
  const found = value as EvaluationCase;
  const last = found.messages.at(-1);
  if (last?.role !== "user" && last?.role !== "tool") return err("the last message must be a request: its role is `user` (or `tool`)");
  if (found.messages.some((m) => m.role !== "assistant" && m.content === null)) return err("only an assistant's message may have no content");
  return ok(found);
}

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce((v: unknown, key) => (typeof v === "object" && v !== null ? (v as Readonly<Record<string, unknown>>)[key] : undefined), value);

/** Of the errors about `null` or a list of calls those about the list, which is what was written; the deepest first. */
function mostTelling(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const real = errors.filter((e) => e.keyword !== "oneOf" && !(e.keyword === "type" && e.params.type === "null"));
  const depth = (e: ErrorObject): number => e.instancePath.split("/").length;
  return [...real].sort((a, b) => depth(b) - depth(a))[0] ?? errors[0];
}

/** A call that no model can make: of a tool that is not there. */
function problemWithTools(found: EvaluationCase, { tools }: Pick<Toolset, "tools">): string | undefined {
  const names = tools.map((t) => t.name);
  const stray = expectedCalls(found).find((call) => !names.includes(call.name));
  return stray && `expects a call of ${JSON.stringify(stray.name)}, which is none of the tools${meant(stray.name, names)}`;
}

/**
 * Arguments that the cases expect and their tools' definitions do not name, a sentence each: mostly slips of the pen, and no model can
 * know of them. A tool that says it takes other arguments too is left out.
 */
export function strayArguments(cases: readonly EvaluationCase[], { tools }: Pick<Toolset, "tools">): string[] {
  const found: string[] = [];
  for (const one of cases)
    for (const call of expectedCalls(one)) {
      const { properties, additionalProperties, patternProperties } = (tools.find((t) => t.name === call.name)?.input_schema ?? {}) as Readonly<
        Record<string, unknown>
      >;
      if (typeof properties !== "object" || properties === null || patternProperties !== undefined) continue;
      if (additionalProperties !== undefined && additionalProperties !== false) continue;
      const names = Object.keys(properties);
      for (const name of Object.keys(call.arguments))
        if (!names.includes(name))
          found.push(`case ${JSON.stringify(one.id)} expects ${call.name} with ${JSON.stringify(name)}, which is none of its arguments${meant(name, names)}`);
    }
  return found.length <= LISTED ? found : [...found.slice(0, LISTED), `and ${found.length - LISTED} more such arguments`];
}

const expectedCalls = (found: EvaluationCase): ExpectedCall[] => [found.expect, ...(found.any_of ?? [])].flatMap((calls) => calls ?? []);

const meant = (word: string, names: readonly string[]): string => {
  const near = nearest(word, names);
  return near === undefined ? ` (${names.slice(0, LISTED).join(", ")}${names.length > LISTED ? ", …" : ""})` : `: did you mean ${JSON.stringify(near)}?`;
};

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
