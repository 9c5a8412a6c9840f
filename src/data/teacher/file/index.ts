/**
 * A teacher that is a file: conversations that somebody brings (import.ts says in which forms) go to the slots of their scenario and tool, in the
 * order of the file; what the file does not cover, and the held-out cases, another teacher writes. A conversation's own result and answer
 * stand where its tool is not really called; where it is, its real result is told in sentences of our own.
 */
import type { JsonObject, JsonValue } from "../../../platform/json.ts";
import { ok } from "../../../platform/result.ts";
import { rngFor } from "../../rng.ts";
import type { Message, Sample, Slot, Toolset } from "../../types.ts";
import { answerFrom } from "../builtin/answers.ts";
import { readToolset, type ToolModel } from "../builtin/model.ts";
import type { Exchange, Teacher } from "../teacher.ts";

export interface FileTeacher extends Teacher {
  /** How many of the file's conversations have a slot. */
  readonly used: number;
  /** Those that are of no form that can be taught: several calls in one turn, a call without its result, a tool that is not there. */
  readonly unfit: number;
}

/** @param slots the training slots that are to be written (not those that vary others) */
export function fileTeacher(samples: readonly Sample[], toolset: Toolset, seed: number, slots: readonly Slot[], otherwise: Teacher): FileTeacher {
  const models = new Map(readToolset(toolset).map((m) => [m.tool.name, m]));
  const read = samples.flatMap((s) => {
    const exchanges = exchangesOf(s, models, seed);
    return exchanges === null ? [] : [{ sample: s, exchanges }];
  });
  const given = new Map<string, (typeof read)[number]>();
  const left = new Map<string, (typeof read)[number][]>();
  for (const r of read) {
    const key = subjectOf(r.sample, r.exchanges);
    const queue = left.get(key);
    if (queue === undefined) left.set(key, [r]);
    else queue.push(r);
  }
  // Slots of one sort in the order of their own numbers, which more samples do not change.
  for (const slot of [...slots].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))) {
    const one = left.get(subjectFor(slot))?.shift();
    if (one !== undefined) given.set(slot.id, one);
  }
  return {
    name: "file",
    used: given.size,
    unfit: samples.length - read.length,
    draft: async (requests, onDraft) => {
      // Refused once, a conversation is refused again: the second attempt is the other teacher's.
      const own = requests.map(({ slot, attempt }) => (attempt === 0 ? given.get(slot.id) : undefined));
      const rest = requests.filter((_, i) => own[i] === undefined);
      const others = rest.length === 0 ? ok([]) : await otherwise.draft(rest, onDraft);
      if (!others.ok) return others;
      const queue = [...others.value];
      return ok(
        requests.map(({ slot, attempt }, i) => {
          const mine = own[i];
          if (mine === undefined) return queue.shift() ?? null;
          return { slot, attempt, frame: mine.sample.frame, exchanges: mine.exchanges, focus: focusOf(mine.exchanges), brought: true };
        }),
      );
    },
  };
}

/**
 * What a conversation comes down to: its scenario and the tool that it calls last. One without a call is about no tool; without more said of it,
 * it declines what is out of scope.
 */
function subjectOf(sample: Sample, exchanges: readonly Exchange[]): string {
  const last = exchanges.findLast((e) => e.kind === "call");
  if (last?.kind !== "call") return `no_tool/${sample.kind === "general" ? "general" : "out_of_scope"}`;
  return `${sample.scenario === "no_tool" ? "standard" : sample.scenario}/${last.call.name}`;
}

/** What a slot asks for, in the same words. */
const subjectFor = (slot: Slot): string => (slot.scenario === "no_tool" ? `no_tool/${slot.kind}` : `${slot.scenario}/${slot.tool}`);

const focusOf = (exchanges: readonly Exchange[]): number => {
  const call = exchanges.findLastIndex((e) => e.kind === "call");
  return call < 0 ? exchanges.length - 1 : call;
};

/** The turns of a conversation, or null where they are not requests that are each answered, with one call or none. */
function exchangesOf(sample: Sample, models: ReadonlyMap<string, ToolModel>, seed: number): Exchange[] | null {
  const exchanges: Exchange[] = [];
  const messages = sample.messages.filter((m) => m.role !== "system");
  for (let i = 0; i < messages.length; ) {
    const [user, first, result, answer] = messages.slice(i, i + 4) as (Message | undefined)[];
    if (user?.role !== "user" || first?.role !== "assistant") return null;
    const calls = "tool_calls" in first ? (first.tool_calls ?? []) : [];
    if (calls.length === 0) {
      if (!first.content?.trim()) return null;
      exchanges.push({ kind: "say", user: user.content ?? "", answer: first.content });
      i += 2;
      continue;
    }
    const [call] = calls;
    const model = models.get(call?.function.name ?? "");
    const args = objectOf(call?.function.arguments ?? "");
    const told = answer?.role === "assistant" && !("tool_calls" in answer && answer.tool_calls?.length) ? answer.content?.trim() : undefined;
    if (calls.length > 1 || call === undefined || model === undefined || args === null || result?.role !== "tool" || !told) return null;
    exchanges.push(callExchange(user.content ?? "", { name: call.function.name, args }, result.content ?? "", told, sample, model, seed));
    i += 4;
  }
  return exchanges.length === 0 ? null : exchanges;
}

function callExchange(
  user: string,
  call: { name: string; args: JsonObject },
  text: string,
  told: string,
  sample: Sample,
  model: ToolModel,
  seed: number,
): Exchange {
  const failed = sample.scenario === "error";
  const kind = sample.kind === "empty" || sample.kind === "timeout" ? sample.kind : "error";
  const outcome = { text, isError: failed && kind === "error", timedOut: failed && kind === "timeout" };
  const accepted = Object.fromEntries(Object.entries(call.args).map(([name, value]): [string, JsonValue[]] => [name, [value]]));
  return {
    kind: "call",
    user,
    call: { name: call.name, arguments: call.args, accepted, said: {} },
    ...(failed && { fault: { ...outcome, kind } }),
    answer: (real) => (real.text === text ? told : answerFrom(model, call.args, real, rngFor(seed, "file", sample.id))),
    simulate: () => outcome,
  };
}

function objectOf(text: string): JsonObject | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
  } catch {
    return null;
  }
}
