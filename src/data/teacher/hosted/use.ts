/**
 * What a hosted teacher's replies come to: how many are of use, and why the others are not. A teacher of whose first replies next to none is of use is
 * asked no more: all the others would cost as much and come to as little.
 */
import type { Reply } from "../../../models/hosted/replies.ts";
import { EXIT } from "../../../platform/exit.ts";
import type { Failure } from "../../../platform/result.ts";
import type { Draft, DraftRequest } from "../teacher.ts";

/**
 * Conversations by which a teacher is judged, and the most of use that still condemn it: one in twenty, as a teacher that repeats itself says a thing or two once. Where one
 * reply in five is of use, the first 40 hold at most two in 1 run of 126 (the binomial distribution), where it is three in ten in 1 of 10,000; of a teacher with less than one in ten
 * most of a plan stays empty anyway, whatever is paid.
 */
const JUDGED = 40;
const TOO_FEW = 2;

const OF_USE = "of use";
/** Why a reply is of no use that has no flaw of its own (replies.ts). */
const NO_FIT = "no fit";
const SAID_BEFORE = "said before";
const ANOTHER_MOVE = "another move";

/** What to do, by what is wrong mostly. */
const REMEDY: Readonly<Record<string, string>> = {
  refused: "read what the tools' descriptions ask of it, or take another model",
  "cut off": "its replies pass the most tokens that are allowed: take a model that writes less, or one that does not think first",
  empty: "its server gives back nothing: look at the server's log, or take another model",
  secret: "its replies hold a key: look at what the server puts into them",
  [NO_FIT]: "they are not in the form that was asked for: take a model and a server with structured outputs (`response_format: json_schema`)",
  [SAID_BEFORE]: "it says the same again and again: raise `data.teacher.temperature`, or take another model",
};

export class Use {
  private readonly counts = new Map<string, number>();
  private readonly heard = new Set<string>();
  private readonly said = new Set<string>();

  /** @param name of the teacher, as reports call it */
  constructor(private readonly name: string) {}

  /** Counts a reply to a request for a conversation; a failure where it is clear by now that the teacher is of no use. */
  draft({ slot, attempt }: DraftRequest, reply: Reply, draft: Draft | null): Failure | undefined {
    const key = `${slot.id}#${attempt}`;
    // One that was asked for again, as its answer could not be paid for.
    if (reply.flaw === "not paid for" || this.heard.has(key)) return undefined;
    this.heard.add(key);
    const words = draft?.exchanges.map((e) => e.user.toLowerCase().replace(/\s+/g, " ")).join(" / ");
    this.count(reply, draft === null ? NO_FIT : this.said.has(words as string) ? SAID_BEFORE : OF_USE);
    if (words !== undefined) this.said.add(words);
    return this.heard.size === JUDGED && this.said.size <= TOO_FEW ? this.condemned() : undefined;
  }

  /** Conversations that are still to be heard before it is judged. */
  get unheard(): number {
    return Math.max(0, JUDGED - this.heard.size);
  }

  /** Counts a reply to any other request. @param missed what it is where it is none of use */
  other(reply: Reply, isOfUse: boolean, missed: typeof NO_FIT | typeof ANOTHER_MOVE = NO_FIT): void {
    if (reply.flaw !== "not paid for") this.count(reply, isOfUse ? OF_USE : missed);
  }

  /** Replies by what they came to, in the order of their names. */
  all(): Record<string, number> {
    return Object.fromEntries([...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private count(reply: Reply, otherwise: string): void {
    const what = reply.flaw ?? otherwise;
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  private condemned(): Failure {
    const [worst] = Object.entries(this.all())
      .filter(([what]) => what !== OF_USE)
      .sort(([, a], [, b]) => b - a);
    return {
      code: "teacher/no-use",
      message: `the first ${JUDGED} conversations of the teacher \`${this.name}\` are of no use: ${flawsInWords(this.all())}`,
      hint: `${REMEDY[worst?.[0] ?? ""] ?? "take another model"}; the rest was not asked for`,
      exit: EXIT.failed,
    };
  }
}

/** What is of no use, the most frequent first: `31 refused, 9 cut off`; empty where all is. */
export const flawsInWords = (replies: Readonly<Record<string, number>>): string =>
  Object.entries(replies)
    .filter(([what]) => what !== OF_USE)
    .sort(([, a], [, b]) => b - a)
    .map(([what, n]) => `${n.toLocaleString("en-US")} ${what}`)
    .join(", ");
