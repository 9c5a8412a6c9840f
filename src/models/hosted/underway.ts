/**
 * What is underway, as the ledger has it: never less than all that has left, and little more. A request that leaves takes its worst out of what is held; where too little of
 * that is free, a sum is entered that has some to spare, so that not every request waits for the disk. What is entered for a reply frees nothing: the ledger takes it off itself.
 */
import type { Ledger } from "./ledger.ts";

/** Share of the requests that may be underway at once that an entry has to spare for. */
const SPARE = 0.25;

export class Underway {
  /** US dollars that requests on their way cost at worst, and what of the ledger's sum no request has taken yet. */
  private open = 0;
  private free = 0;
  /** The last entry. */
  private holding: Promise<void> = Promise.resolve();

  constructor(private readonly ledger: Ledger) {}

  /**
   * Resolves once the ledger has this request in it at its worst. Throws the file system's error; then it must not leave.
   * @param lanes requests that may be underway at once
   * @param most US dollars that nothing is set aside for yet; what is spare never takes more
   */
  async leaves(worst: number, lanes: number, most: number): Promise<void> {
    if (worst === 0) return;
    this.open += worst;
    if (this.free >= worst) this.free -= worst;
    else {
      this.free = Math.max(0, Math.min(Math.floor(lanes * SPARE) * worst, most));
      this.holding = this.ledger.hold(this.open + this.free);
    }
    await this.holding;
  }

  /** It cost nothing: it never arrived, say. */
  returns(worst: number): void {
    this.open -= worst;
    this.free += worst;
  }

  /** Enters what it came to. Where that cannot be written it stays held at its worst. Throws the file system's error. */
  async came(worst: number, usd: number, cut = false): Promise<void> {
    this.open -= worst;
    try {
      await this.ledger.enter(usd, worst, cut);
    } catch (e) {
      this.open += worst;
      throw e;
    }
  }

  /** Enters that what is spare is not needed any more. Throws the file system's error. */
  async rests(): Promise<void> {
    if (this.free === 0) return;
    this.free = 0;
    this.holding = Promise.resolve();
    await this.ledger.hold(Math.max(0, this.open));
  }
}
