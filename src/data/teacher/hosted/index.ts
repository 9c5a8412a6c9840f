/**
 * A teacher behind OpenAI's interface: one request a conversation, and one more where a tool was really called, for the answer from
 * what it gave back. What a slot is asked depends on the seed, the slot and the attempt alone, so that a reply that was paid for once
 * serves every later run, and a longer plan pays for what is new in it. Where the budget ends, what it had no room for says so, and the rest is there (docs/decisions/0011-hosted-teachers.md).
 *
 * What the teacher thinks while it makes a conversation up is about making it up. For a family that thinks it therefore makes the assistant's moves once
 * more, one request each, in the assistant's place and without knowing what is due; the thought of a move that comes out the same is kept.
 */
import type { AskOptions, Request } from "../../../models/hosted/client.ts";
import type { Reply } from "../../../models/hosted/replies.ts";
import { EXIT } from "../../../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../../../platform/result.ts";
import type { SplitTeacher } from "../../line.ts";
import type { Toolset } from "../../types.ts";
import { type Draft, type DraftRequest, isHeldout, NOT_ASKED, type ThinkRequest } from "../teacher.ts";
import { answerRequest, conversationRequest, instructions, moveInstructions, moveRequest, rewordRequest, withThought } from "./ask.ts";
import { readAnswer, readConversation, readMove, readReworded } from "./read.ts";
import { Use } from "./use.ts";

/** Replies without any thought after which a teacher counts as one that does not think: one may be left out now and then. */
const PROBED = 3;
/** The first try and the reference's three retries. */
const ATTEMPTS = 4;

/** The part of a hosted model that a teacher uses. */
export interface Hosted {
  ask(requests: readonly Request[], o?: AskOptions): Promise<Result<Reply[]>>;
  /** Whether a reply that came to something is kept. */
  keeps?(request: Request): boolean;
  /** Whether the asking may end before all is asked, and whether all that is asked goes together. */
  readonly limited?: boolean;
  readonly batched?: boolean;
  allFollowed?(): void;
}

/**
 * @param name as reports call it: provider and model
 * @param thinking what it writes is for a family that thinks; one without thoughts then fails (`teacher/no-thoughts`) before the rest is paid for
 */
export function hostedTeacher(name: string, toolset: Toolset, seed: number, model: Hosted, thinking = false): SplitTeacher {
  const system = instructions(toolset);
  const moves = moveInstructions(toolset);
  const asked = (request: Request): Request => (thinking ? withThought(request) : request);
  let thinks = !thinking;
  const use = new Use(name);
  /** Asks a few of the requests first, which costs nothing more: their replies are kept. */
  const probe = async (requests: readonly Request[]): Promise<Result<null>> => {
    if (thinks || requests.length === 0) return ok(null);
    const replies = await model.ask(requests.slice(0, PROBED));
    if (!replies.ok) return replies;
    thinks = replies.value.some((r) => r.thought !== undefined);
    return thinks || replies.value.every((r) => r.flaw !== undefined) ? ok(null) : err(noThoughts(name));
  };
  const conversation = (r: DraftRequest): Request | undefined => {
    const request = conversationRequest(system, seed, r);
    return request && asked(request);
  };
  /** A reply of an earlier run that came to nothing stands where the slot went on from it and came to something: else the slot would have another conversation now. */
  const wentOn = ({ slot, attempt }: DraftRequest): boolean => {
    for (let later = attempt + 1; later < ATTEMPTS; later++) {
      const request = conversation({ slot, attempt: later });
      if (request !== undefined && model.keeps?.(request) === true) return true;
    }
    return false;
  };
  return {
    name,
    // Nobody knows after which pattern a model wrote: wordings are kept apart by what they say (line.ts).
    foreign: {},
    attempts: () => ATTEMPTS,
    draft: async (requests, onDraft) => {
      const wanted = requests.map(conversation);
      const all = wanted.flatMap((r, i) => (r === undefined ? [] : [i]));
      const places = model.limited === true ? interleaved(all, (i) => isHeldout((requests[i] as DraftRequest).slot)) : all;
      const possible = places.map((i) => wanted[i] as Request);
      const at = (k: number): DraftRequest => requests[places[k] as number] as DraftRequest;
      const probed = await probe(possible);
      if (!probed.ok) return probed;
      const drafts: (Draft | null | typeof NOT_ASKED)[] = requests.map(() => null);
      for (const [i, r] of wanted.entries()) if (r === undefined) onDraft?.(i, null);
      const heard = new Set<number>();
      const hear = (k: number, reply: Reply): Failure | undefined => {
        const i = places[k] as number;
        const { slot, attempt } = at(k);
        heard.add(k);
        const draft = reply.flaw === "not paid for" ? NOT_ASKED : readConversation(reply.text, slot, attempt);
        drafts[i] = draft;
        onDraft?.(i, draft);
        return draft === NOT_ASKED ? undefined : use.draft(at(k), reply, draft);
      };
      // Each is read as it arrives, while others are on their way; what was not told of on the way is there at the end.
      const askFor = async (from: number, to: number): Promise<Result<null>> => {
        const replies = await model.ask(possible.slice(from, to), {
          onReply: (k, reply) => hear(from + k, reply),
          follow: (k) => at(from + k).follows ?? 0,
          settled: (k) => wentOn(at(from + k)),
        });
        if (!replies.ok) return replies;
        for (const [k, reply] of replies.value.entries()) {
          const failure = heard.has(from + k) ? undefined : hear(from + k, reply);
          if (failure !== undefined) return err(failure);
        }
        return ok(null);
      };
      // By the first it is judged before the others are paid for. A batch is one wait of hours, and is not split for it.
      const first = model.batched === true ? 0 : Math.min(use.unheard, possible.length);
      const judged = first === 0 ? ok(null) : await askFor(0, first);
      if (!judged.ok) return judged;
      const rest = first < possible.length || first === 0 ? await askFor(first, possible.length) : ok(null);
      return rest.ok ? ok(drafts) : rest;
    },
    reword: async (requests) => {
      const replies = await model.ask(requests.map((r) => asked(rewordRequest(system, seed, r))));
      if (!replies.ok) return replies;
      return ok(
        replies.value.map((reply, i) => {
          if (reply.flaw === "not paid for") return NOT_ASKED;
          const messages = readReworded(reply.text, requests[i]?.draft.exchanges.length ?? 0);
          use.other(reply, messages !== null);
          return messages;
        }),
      );
    },
    answer: async (requests) => {
      const replies = await model.ask(requests.map((r) => asked(answerRequest(system, seed, r))));
      if (!replies.ok) return replies;
      return ok(
        replies.value.map((reply) => {
          if (reply.flaw === "not paid for") return undefined;
          const answer = readAnswer(reply.text);
          use.other(reply, answer !== null);
          return answer;
        }),
      );
    },
    ...(thinking && {
      think: async (requests: readonly ThinkRequest[], onThought?: () => void) => {
        const onReply = (): undefined => onThought?.() as undefined;
        const replies = await model.ask(
          requests.map((r) => moveRequest(moves, seed, r)),
          { onReply },
        );
        if (!replies.ok) return replies;
        return ok(
          replies.value.map((reply, i) => {
            if (reply.flaw === "not paid for") return NOT_ASKED;
            const move = readMove(reply.text, reply.thought, requests[i]?.calls ?? []);
            use.other(reply, move !== null, "another move");
            return move;
          }),
        );
      },
    }),
    allServed: () => model.allFollowed?.(),
    replies: () => use.all(),
  };
}

/** Both sides in turn, each in its order and by its share: whenever the asking ends, both have their part. */
function interleaved(places: readonly number[], isHeldout: (place: number) => boolean): number[] {
  const sides = [places.filter(isHeldout), places.filter((i) => !isHeldout(i))];
  return sides
    .flatMap((side) => side.map((place, k) => ({ place, at: (k + 0.5) / side.length })))
    .sort((a, b) => a.at - b.at || a.place - b.place)
    .map(({ place }) => place);
}

const noThoughts = (name: string): Failure => ({
  code: "teacher/no-thoughts",
  message: `the model thinks, and the teacher \`${name}\` gives no thoughts: its replies have no \`reasoning_content\` and no <think> at their head`,
  hint: "use a teacher that thinks and says what (DeepSeek's, vLLM's or llama.cpp's interface with such a model), or describe the model anew without --thinking",
  exit: EXIT.usage,
});
