/**
 * Keeps requests to a hosted model under its limits a minute, by spacing them: a request may start when those before it have
 * used up their share of the minute. Both limits count (OpenAI's "RPM" and "TPM").
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface Limits {
  /** Requests a minute. */
  readonly rpm?: number;
  /** Tokens a minute, read and written. */
  readonly tpm?: number;
}

export class Pace {
  private free = 0;

  constructor(
    private readonly limits: Limits,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Waits until a request of about so many tokens may start. Rejects when aborted. */
  async turn(tokens: number, signal?: AbortSignal): Promise<void> {
    const at = Math.max(this.now(), this.free);
    const { rpm, tpm } = this.limits;
    this.free = at + Math.max(rpm === undefined ? 0 : 60_000 / rpm, tpm === undefined ? 0 : (tokens * 60_000) / tpm);
    const wait = at - this.now();
    if (wait > 0) await sleep(wait, undefined, signal === undefined ? {} : { signal });
  }
}
