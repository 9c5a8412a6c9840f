/**
 * A teacher behind OpenAI's interface: one request a conversation, and one more where a tool was really called, for the answer from
 * what it gave back. What a slot is asked depends on the seed, the slot and the attempt alone, so that a reply that was paid for once
 * serves every later run, and a longer plan pays for what is new in it.
 */
import type { Request } from "../../../models/hosted/client.ts";
import type { Reply } from "../../../models/hosted/replies.ts";
import { ok, type Result } from "../../../platform/result.ts";
import type { SplitTeacher } from "../../line.ts";
import type { Toolset } from "../../types.ts";
import { answerRequest, conversationRequest, instructions, rewordRequest } from "./ask.ts";
import { readAnswer, readConversation, readReworded } from "./read.ts";

/** The first try and the reference's three retries. */
const ATTEMPTS = 4;

/** The part of a hosted model that a teacher uses. */
export interface Hosted {
  ask(requests: readonly Request[], onReply?: () => void): Promise<Result<Reply[]>>;
}

/** @param name as reports call it: provider and model */
export function hostedTeacher(name: string, toolset: Toolset, seed: number, model: Hosted): SplitTeacher {
  const system = instructions(toolset);
  return {
    name,
    // Nobody knows after which pattern a model wrote: wordings are kept apart by what they say (line.ts).
    foreign: {},
    attempts: () => ATTEMPTS,
    draft: async (requests, onDraft) => {
      const asked = requests.map((r) => conversationRequest(system, seed, r));
      const replies = await model.ask(
        asked.filter((r) => r !== undefined),
        onDraft,
      );
      if (!replies.ok) return replies;
      const left = [...replies.value];
      return ok(
        requests.map((r, i) => {
          const reply = asked[i] === undefined ? undefined : left.shift();
          return reply === undefined ? null : readConversation(reply.text, r.slot, r.attempt);
        }),
      );
    },
    reword: async (requests) => {
      const replies = await model.ask(requests.map((r) => rewordRequest(system, seed, r)));
      return replies.ok ? ok(replies.value.map((r, i) => readReworded(r.text, requests[i]?.draft.exchanges.length ?? 0))) : replies;
    },
    answer: async (requests) => {
      const replies = await model.ask(requests.map((r) => answerRequest(system, seed, r)));
      return replies.ok ? ok(replies.value.map((r) => readAnswer(r.text))) : replies;
    },
  };
}
