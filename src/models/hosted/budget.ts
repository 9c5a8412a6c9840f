/**
 * A budget that is never passed: before a request is sent the worst that it can cost is set aside, and when its reply is
 * here, what it did cost takes that place. What is set aside and spent together never exceeds the limit.
 */
export class Budget {
  private spentUsd: number;
  private reserved = 0;
  private underway = 0;
  private waiting: (() => void)[] = [];

  /** @param limit US dollars; undefined: no limit. @param spent what was paid before */
  constructor(
    readonly limit: number | undefined,
    spent = 0,
  ) {
    this.spentUsd = spent;
  }

  /** US dollars that all that is underway costs at worst. */
  get underwayUsd(): number {
    return this.reserved;
  }

  /** US dollars spent so far. */
  get spent(): number {
    return this.spentUsd;
  }

  /**
   * Sets aside what a request may cost at worst. Where that would pass the limit it waits for those underway, which mostly cost
   * less than was set aside for them; false where it would pass the limit even so.
   */
  async reserve(worst: number): Promise<boolean> {
    while (this.limit !== undefined && this.spentUsd + this.reserved + worst > this.limit) {
      if (this.underway === 0 || this.spentUsd + worst > this.limit) return false;
      await new Promise<void>((settled) => this.waiting.push(settled));
    }
    this.reserved += worst;
    this.underway++;
    return true;
  }

  /** Counts what is under way already and cannot be taken back, whatever the limit; nothing new is waited for on its account. */
  assume(worst: number): void {
    this.spentUsd += worst;
  }

  /** What was assumed has come to this. */
  correct(worst: number, cost: number): void {
    this.spentUsd += cost - worst;
    for (const settled of this.waiting.splice(0)) settled();
  }

  /** Gives back what was set aside and counts what the request cost. */
  settle(worst: number, cost: number): void {
    this.underway--;
    this.reserved = this.underway === 0 ? 0 : this.reserved - worst;
    this.spentUsd += cost;
    for (const settled of this.waiting.splice(0)) settled();
  }
}
