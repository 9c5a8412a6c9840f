/**
 * A server's own errors as material: a standard request whose call really failed is of no use for its own slot, and is what an error slot about the same tool
 * wants. An error slot takes one of an earlier slot, the first there is, so that a sample depends on what comes before it alone.
 */
import type { Served } from "./assemble.ts";
import type { Draft } from "./teacher/teacher.ts";
import { isHeldout } from "./teacher/teacher.ts";
import type { CallOutcome, Slot } from "./types.ts";

export interface Failed {
  readonly place: number;
  readonly tool: string;
  readonly draft: Draft;
  readonly outcome: CallOutcome;
}

export class KeptFailures {
  private readonly failed: Failed[] = [];

  /** Keeps the draft of a place whose call failed, where it is one plain request of the teacher's with an error of the server's own. */
  keep(place: number, draft: Draft, [served]: readonly Served[]): void {
    const [e, ...others] = draft.exchanges;
    if (draft.slot.scenario !== "standard" || isHeldout(draft.slot) || draft.brought !== undefined) return;
    if (e?.kind !== "call" || e.more !== undefined || others.length > 0 || served?.outcome === undefined) return;
    const { outcome } = served;
    if (served.simulated === true || !outcome.isError || outcome.timedOut || outcome.text.trim() === "") return;
    // Its fault is what the server said: whoever varies it has it where the call does not fail once more.
    const fault = { kind: "error" as const, text: outcome.text, isError: true, timedOut: false };
    this.failed.push({ place, tool: e.call.name, draft: { ...draft, exchanges: [{ ...e, fault }] }, outcome });
  }

  /** A failure for a slot whose own draft has none of a server's, and takes it away; undefined where the slot wants none or there is none. */
  take(place: number, slot: Slot, draft: Draft): Failed | undefined {
    if (slot.scenario !== "error" || slot.kind !== "error" || isHeldout(slot) || draft.brought !== undefined) return undefined;
    const at = this.failed.findIndex((f) => f.place < place && f.tool === slot.tool);
    return at < 0 ? undefined : this.failed.splice(at, 1)[0];
  }
}
