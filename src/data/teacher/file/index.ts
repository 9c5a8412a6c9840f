/**
 * A teacher that is a file: conversations that somebody brings (import.ts says in which forms) go to the slots of their scenario and tool, in the
 * order of the file; what the file does not cover, and the held-out cases, another teacher writes. A conversation's own result and answer
 * stand where its tool is not really called; where it is, its real result is told in sentences of our own.
 *
 * All that the file has to teach is training's, whether or not it has a slot: held-out cases keep away from its wordings (line.ts), the same
 * ones however many samples are asked for. Frames of the other teacher's are known; what varies them keeps them.
 */
import { canonicalJson, type JsonObject, type JsonValue } from "../../../platform/json.ts";
import { ok } from "../../../platform/result.ts";
import { rngFor } from "../../../platform/rng.ts";
import { answerIn } from "../../languages/answers.ts";
import { packOf } from "../../languages/pack.ts";
import { recognise } from "../../languages/recognise.ts";
import type { SplitTeacher } from "../../line.ts";
import type { Sample, Slot, Toolset } from "../../types.ts";
import { answerFromAll } from "../builtin/answers.ts";
import { readToolset, type ToolModel } from "../builtin/model.ts";
import { type CallExchange, type Exchange, MOST_CALLS, type Teacher } from "../teacher.ts";

export interface FileTeacher extends SplitTeacher {
  /** How many of the file's conversations have a slot. */
  readonly used: number;
  /** How many of them have a thought that is learned. */
  readonly thinking: number;
  /** Ids of those that found no slot, in the order of the file. */
  readonly over: readonly string[];
  /** Those that are of no form that can be taught (a call without its result, more calls than a turn may have, a tool that is not there), and why. */
  readonly unfit: readonly { readonly id: string; readonly why: string }[];
}

/**
 * @param slots the training slots that are to be written (not those that vary others)
 * @param thinking whether the conversations' thoughts are learned; else they are left out
 */
export function fileTeacher(
  samples: readonly Sample[],
  toolset: Toolset,
  seed: number,
  slots: readonly Slot[],
  otherwise: Teacher,
  thinking = false,
): FileTeacher {
  const models = new Map(readToolset(toolset).map((m) => [m.tool.name, m]));
  const unfit: { id: string; why: string }[] = [];
  const read = samples.flatMap((s) => {
    const exchanges = exchangesOf(s, models, seed, thinking);
    if (typeof exchanges !== "string") return [{ sample: s, exchanges }];
    unfit.push({ id: s.id, why: exchanges });
    return [];
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
  const placeless = new Set([...left.values()].flat());
  /** Frames that the other teacher made. */
  const known = new Set<string>();
  return {
    name: "file",
    foreign: { training: read.map((r) => r.sample), knows: (draft) => draft.brought === undefined && known.has(draft.frame) },
    used: given.size,
    thinking: [...given.values()].filter((r) => r.exchanges.some((e) => e.kind !== "plain" && e.thoughts?.some((t) => t !== undefined) === true)).length,
    over: read.filter((r) => placeless.has(r)).map((r) => r.sample.id),
    unfit,
    draft: async (requests, onDraft) => {
      // Refused once, a conversation is refused again: the second attempt is the other teacher's.
      const own = requests.map(({ slot, attempt }) => (attempt === 0 ? given.get(slot.id) : undefined));
      const rest = requests.filter((_, i) => own[i] === undefined);
      const others = rest.length === 0 ? ok([]) : await otherwise.draft(rest, () => onDraft?.());
      if (!others.ok) return others;
      const queue = [...others.value];
      for (const draft of queue) if (draft !== null && typeof draft !== "string") known.add(draft.frame);
      return ok(
        requests.map(({ slot, attempt }, i) => {
          const mine = own[i];
          if (mine === undefined) return queue.shift() ?? null;
          return { slot, attempt, frame: mine.sample.frame, exchanges: mine.exchanges, focus: focusOf(mine.exchanges), brought: mine.sample.id };
        }),
      );
    },
  };
}

/**
 * What a conversation comes down to: its scenario and the tool that it calls last (of several for one request, first). One without a call is about no tool; without more said of it,
 * it declines what is out of scope.
 */
function subjectOf(sample: Sample, exchanges: readonly Exchange[]): string {
  const last = exchanges.findLast((e) => e.kind === "call");
  if (last?.kind !== "call") return `no_tool/${sample.kind === "general" ? "general" : "out_of_scope"}`;
  const scenario = last.more !== undefined ? "chain" : sample.scenario === "no_tool" || sample.scenario === "chain" ? "standard" : sample.scenario;
  return `${scenario === "chain" ? `chain/${last.together === true ? "parallel" : "in_turn"}` : scenario}/${last.call.name}`;
}

/** What a slot asks for, in the same words. */
const subjectFor = (slot: Slot): string =>
  slot.scenario === "no_tool" ? `no_tool/${slot.kind}` : `${slot.scenario === "chain" ? `chain/${slot.kind}` : slot.scenario}/${slot.tool}`;

const focusOf = (exchanges: readonly Exchange[]): number => {
  const call = exchanges.findLastIndex((e) => e.kind === "call");
  return call < 0 ? exchanges.length - 1 : call;
};

/** The turns of a conversation: requests that are each answered, with calls that each have a result, or none. Else what stands in the way, of "it …". */
function exchangesOf(sample: Sample, models: ReadonlyMap<string, ToolModel>, seed: number, thinking: boolean): Exchange[] | string {
  const exchanges: Exchange[] = [];
  const messages = sample.messages.filter((m) => m.role !== "system");
  for (let i = 0; i < messages.length; ) {
    const user = messages[i++];
    if (user?.role !== "user") return "does not go from request to answer, each request of the user's with one answer";
    const made: Made[] = [];
    const thoughts: (string | undefined)[] = [];
    let size = 0;
    let m = messages[i++];
    for (; m?.role === "assistant" && m.tool_calls !== undefined && m.tool_calls.length > 0; m = messages[i++]) {
      if (m.weight === 0) return NOT_LEARNED;
      // At once, or each by itself; what is neither has no name.
      if (made.length > 0 && (m.tool_calls.length > 1 || size > 1)) return "has calls of one request neither all at once nor each by itself";
      size = m.tool_calls.length;
      thoughts.push(m.reasoning_content);
      for (const { id, function: f } of m.tool_calls) {
        const result = messages[i++];
        const model = models.get(f.name);
        const args = objectOf(f.arguments);
        if (model === undefined) return `calls \`${f.name.slice(0, 80)}\`, which is none of the recipe's tools`;
        if (args === null) return "has a call whose arguments are no JSON object";
        if (result?.role !== "tool" || (m.tool_calls.length > 1 && result.tool_call_id !== id)) return "has a call without its result behind it";
        made.push({ model, args, result: result.content });
      }
    }
    const told = m?.role === "assistant" ? m.content?.trim() : undefined;
    if (m?.role === "assistant" && m.weight === 0) return NOT_LEARNED;
    const distinct = new Set(made.map((c) => `${c.model.tool.name} ${canonicalJson(c.args)}`)).size;
    if (!told) return "has a request without an answer";
    if (made.length > MOST_CALLS) return `has more than ${MOST_CALLS} calls for one request`;
    if (distinct < made.length) return "makes the same call twice for one request";
    if (made.length > 1 && sample.scenario === "error") return "has several calls, and nobody says which of them failed";
    const words = user.content ?? "";
    thoughts.push(m?.role === "assistant" ? m.reasoning_content : undefined);
    const thought = thinking ? { thoughts } : {};
    if (made.length === 0) exchanges.push({ kind: "say", user: words, answer: told, ...thought });
    else exchanges.push({ ...callExchange(words, made, size > 1, told, sample, seed), ...thought, ...(thinking && { told }) });
  }
  return exchanges.length === 0 ? "has no request" : exchanges;
}

const NOT_LEARNED = "has a turn that is not to be learned from (`weight: 0`), and all turns of a conversation are";

/** A call as the file has it. */
interface Made {
  readonly model: ToolModel;
  readonly args: JsonObject;
  readonly result: string;
}

function callExchange(user: string, made: readonly Made[], together: boolean, told: string, sample: Sample, seed: number): CallExchange {
  const failed = sample.scenario === "error";
  const kind = sample.kind === "empty" || sample.kind === "timeout" ? sample.kind : "error";
  const calls = made.map(({ model, args, result }) => {
    const accepted = Object.fromEntries(Object.entries(args).map(([name, value]): [string, JsonValue[]] => [name, [value]]));
    return {
      model,
      call: { name: model.tool.name, arguments: args, accepted, said: {} },
      outcome: { text: result, isError: failed && kind === "error", timedOut: failed && kind === "timeout" },
    };
  });
  const [first, ...more] = calls as [(typeof calls)[number], ...typeof calls];
  return {
    kind: "call",
    user,
    call: first.call,
    ...(more.length > 0 && { more: more.map(({ call, outcome }) => ({ call, simulate: () => outcome })), together }),
    ...(failed && { fault: { ...first.outcome, kind } }),
    answer: (real, rest) => {
      const outcomes = [real, ...rest];
      if (outcomes.every((o, i) => o.text === calls[i]?.outcome.text)) return told;
      const pack = packOf(recognise(`${user}\n${told}`)?.code ?? "");
      const rng = rngFor(seed, "file", sample.id);
      return pack === undefined ? answerFromAll(calls, outcomes, rng) : answerIn(pack, calls, outcomes, rng);
    },
    simulate: () => first.outcome,
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
