/**
 * Variations in the words of Meta's synthetic-data-kit: a teacher that drafts and answers as it did, and whose variations are said anew by the kit.
 *
 * Variety is drawn here: who writes, and how. A slot and an attempt are always the same entry, so that what was paid for once serves every
 * later run. The kit's words are a stranger's: whether the values of a call still stand in them, augment.ts says, as of a teacher's own.
 */
import { OVER_BUDGET } from "../models/hosted/failures.ts";
import type { KitEntry } from "../models/kit/kit.ts";
import { ok, type Result } from "../platform/result.ts";
import { rngFor } from "../platform/rng.ts";
import { readReworded } from "./teacher/hosted/read.ts";
import { NOT_ASKED, type RewordRequest, type Teacher } from "./teacher/teacher.ts";

/** Says entries anew, in their order; null where that gave nothing. */
export type Kit = (entries: readonly KitEntry[]) => Promise<Result<(readonly string[] | null)[]>>;

const PERSONS = [
  "a nurse on a night shift",
  "a lorry driver",
  "a student of history",
  "a grandmother",
  "a software developer",
  "a shopkeeper",
  "somebody who learned English late",
  "an office manager",
  "a teenager",
  "a farmer",
  "a consultant between two meetings",
  "a father of three",
] as const;

const MANNERS = [
  "in a hurry, a few words, no capitals",
  "politely, in whole sentences",
  "what it is for first, the request last",
  "as a question",
  "as an order",
  "casually, with a contraction or two",
  "like a search query",
  "with an aside that does not matter",
  "as if the answer were overdue",
  "in the field's own words",
  "in plain words, without the field's",
  "beginning in the middle, as people do on the phone",
] as const;

/** @param name of the kit with its version, as reports call it */
export function rewordedByKit(teacher: Teacher, seed: number, name: string, kit: Kit): Teacher {
  return {
    ...teacher,
    name: `${teacher.name}, reworded by ${name}`,
    reword: async (requests) => {
      const said = await kit(requests.map((r) => entryOf(r, seed)));
      // The kit's step ends with it as a whole; what was paid for is found again once the budget goes on.
      if (!said.ok) return said.error.code === OVER_BUDGET ? ok(requests.map(() => NOT_ASKED)) : said;
      return ok(said.value.map((messages, i) => (messages === null ? null : readReworded(JSON.stringify({ messages }), exchangesOf(requests[i])))));
    },
  };
}

function entryOf({ slot, attempt, draft, keep }: RewordRequest, seed: number): KitEntry {
  const rng = rngFor(seed, "kit", slot.id, attempt);
  return {
    id: `${slot.id}#${attempt}`,
    person: rng.pick(PERSONS),
    writes: rng.pick(MANNERS),
    example: `${slot.id.slice(slot.id.lastIndexOf("/") + 1)}${attempt > 0 ? `, version ${attempt + 1}` : ""}`,
    keep,
    messages: draft.exchanges.map((e) => e.user),
  };
}

const exchangesOf = (request: RewordRequest | undefined): number => request?.draft.exchanges.length ?? 0;
