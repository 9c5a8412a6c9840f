/**
 * A budget that is never passed: before a request is sent the worst that it can cost is set aside, and when its reply is
 * here, what it did cost takes that place. What is set aside and spent together never exceeds the limit.
 */
export class Budget {
  private spentUsd: number;
  private reserved = 0;
  private underway = 0;
  private waiting: (() => void)[] = [];

  /**
   * @param limit US dollars; undefined: no limit
   * @param paid what was paid before
   * @param asideUsd what may have been paid before, at its worst
   */
  constructor(
    readonly limit: number | undefined,
    paid = 0,
    private asideUsd = 0,
  ) {
    this.spentUsd = paid + asideUsd;
  }

  /** US dollars spent so far, and what may have been spent. */
  get spent(): number {
    return this.spentUsd;
  }

  /** Of them, for requests that nobody knows the cost of. */
  get aside(): number {
    return this.asideUsd;
  }

  /** US dollars that nothing is set aside for. */
  get left(): number {
    return this.limit === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.limit - this.spentUsd - this.reserved);
  }

  /**
   * Sets aside what a request may cost at worst. Where that would pass the limit it waits for those underway, which mostly cost
   * less than was set aside for them; false where it would pass the limit even so.
   * @param beside US dollars that have to be left when it is paid for, as they stand whenever it is asked
   */
  async reserve(worst: number, beside: () => number = () => 0): Promise<boolean> {
    while (this.limit !== undefined && this.spentUsd + this.reserved + worst + beside() > this.limit) {
      if (this.underway === 0 || this.spentUsd + worst + beside() > this.limit) return false;
      await new Promise<void>((settled) => this.waiting.push(settled));
    }
    this.reserved += worst;
    this.underway++;
    return true;
  }

  /** Counts what is under way already and cannot be taken back, whatever the limit; nothing new is waited for on its account. */
  assume(worst: number): void {
    this.spentUsd += worst;
    this.asideUsd += worst;
  }

  /** What was assumed has come to this. */
  correct(worst: number, cost: number): void {
    this.spentUsd += cost - worst;
    this.asideUsd -= worst;
    for (const settled of this.waiting.splice(0)) settled();
  }

  /** Gives back what was set aside and counts what the request cost. @param known false: nobody knows, and that is its worst */
  settle(worst: number, cost: number, known = true): void {
    this.underway--;
    this.reserved = this.underway === 0 ? 0 : this.reserved - worst;
    this.spentUsd += cost;
    if (!known) this.asideUsd += cost;
    for (const settled of this.waiting.splice(0)) settled();
  }
}
