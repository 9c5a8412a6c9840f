/**
 * A teacher behind OpenAI's interface: one request a conversation, and one more where a tool was really called, for the answer from
 * what it gave back. What a slot is asked depends on the seed, the slot and the attempt alone, so that a reply that was paid for once
 * serves every later run, and a longer plan pays for what is new in it.
 *
 * What the teacher thinks while it makes a conversation up is about making it up. For a family that thinks it therefore makes the assistant's moves once
 * more, one request each, in the assistant's place and without knowing what is due; the thought of a move that comes out the same is kept.
 */
import type { Request } from "../../../models/hosted/client.ts";
import type { Reply } from "../../../models/hosted/replies.ts";
import { EXIT } from "../../../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../../../platform/result.ts";
import type { SplitTeacher } from "../../line.ts";
import type { Toolset } from "../../types.ts";
import type { Draft, DraftRequest, ThinkRequest } from "../teacher.ts";
import { answerRequest, conversationRequest, instructions, moveInstructions, moveRequest, rewordRequest, withThought } from "./ask.ts";
import { readAnswer, readConversation, readMove, readReworded } from "./read.ts";

/** Replies without any thought after which a teacher counts as one that does not think: one may be left out now and then. */
const PROBED = 3;
/** The first try and the reference's three retries. */
const ATTEMPTS = 4;

/** The part of a hosted model that a teacher uses. */
export interface Hosted {
  /** `onReply` has the place of the request that is answered, in whatever order the replies come. */
  ask(requests: readonly Request[], onReply?: (place: number, reply: Reply) => void): Promise<Result<Reply[]>>;
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
  /** Asks a few of the requests first, which costs nothing more: their replies are kept. */
  const probe = async (requests: readonly Request[]): Promise<Result<null>> => {
    if (thinks || requests.length === 0) return ok(null);
    const replies = await model.ask(requests.slice(0, PROBED));
    if (!replies.ok) return replies;
    thinks = replies.value.some((r) => r.thought !== undefined);
    return thinks || replies.value.every((r) => r.flaw !== undefined) ? ok(null) : err(noThoughts(name));
  };
  return {
    name,
    // Nobody knows after which pattern a model wrote: wordings are kept apart by what they say (line.ts).
    foreign: {},
    attempts: () => ATTEMPTS,
    draft: async (requests, onDraft) => {
      const wanted = requests.map((r) => {
        const request = conversationRequest(system, seed, r);
        return request && asked(request);
      });
      const places = wanted.flatMap((r, i) => (r === undefined ? [] : [i]));
      const possible = places.map((i) => wanted[i] as Request);
      const probed = await probe(possible);
      if (!probed.ok) return probed;
      const drafts: (Draft | null)[] = requests.map(() => null);
      for (const [i, r] of wanted.entries()) if (r === undefined) onDraft?.(i, null);
      const heard = new Set<number>();
      const hear = (k: number, reply: Reply): void => {
        const i = places[k] as number;
        const { slot, attempt } = requests[i] as DraftRequest;
        heard.add(k);
        drafts[i] = readConversation(reply.text, slot, attempt);
        onDraft?.(i, drafts[i]);
      };
      // Each is read as it arrives, while others are on their way; what was not told of on the way is there at the end.
      const replies = await model.ask(possible, hear);
      if (!replies.ok) return replies;
      for (const [k, reply] of replies.value.entries()) if (!heard.has(k)) hear(k, reply);
      return ok(drafts);
    },
    reword: async (requests) => {
      const replies = await model.ask(requests.map((r) => asked(rewordRequest(system, seed, r))));
      return replies.ok ? ok(replies.value.map((r, i) => readReworded(r.text, requests[i]?.draft.exchanges.length ?? 0))) : replies;
    },
    answer: async (requests) => {
      const replies = await model.ask(requests.map((r) => asked(answerRequest(system, seed, r))));
      return replies.ok ? ok(replies.value.map((r) => readAnswer(r.text))) : replies;
    },
    ...(thinking && {
      think: async (requests: readonly ThinkRequest[], onThought?: () => void) => {
        const replies = await model.ask(
          requests.map((r) => moveRequest(moves, seed, r)),
          onThought,
        );
        return replies.ok ? ok(replies.value.map((r, i) => readMove(r.text, r.thought, requests[i]?.calls ?? []))) : replies;
      },
    }),
  };
}

const noThoughts = (name: string): Failure => ({
  code: "teacher/no-thoughts",
  message: `the model thinks, and the teacher \`${name}\` gives no thoughts: its replies have no \`reasoning_content\` and no <think> at their head`,
  hint: "use a teacher that thinks and says what (DeepSeek's, vLLM's or llama.cpp's interface with such a model), or describe the model anew without --thinking",
  exit: EXIT.usage,
});
