/**
 * Drives the toy stages of a running forge step by step, without a clock: each stage connects when it begins, and ends
 * when the test says how.
 */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A stage that has begun and waits. */
export interface Step {
  readonly id: string;
  log(message: string): void;
  succeed(): void;
  fail(): void;
  /** Resolves when the stage's process is gone, or was told to stop. */
  readonly gone: Promise<void>;
}

export class Driver {
  readonly #server: Server;
  readonly #begun: Step[] = [];
  readonly #waiting: ((step: Step) => void)[] = [];
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** @param dir where the socket lies; a short path, as sockets demand */
  static async listen(dir: string): Promise<Driver> {
    const driver = new Driver(join(dir, "driver.sock"));
    await new Promise<void>((done) => driver.#server.listen(driver.path, done));
    return driver;
  }

  /** What forge's environment needs. */
  get env(): NodeJS.ProcessEnv {
    return { TOY_DRIVER: this.path };
  }

  /** The next stage that begins; fails where it is another than `id`. */
  async begun(id: string): Promise<Step> {
    const step = this.#begun.shift() ?? (await new Promise<Step>((done) => this.#waiting.push(done)));
    if (step.id !== id) throw new Error(`${step.id} began, not ${id}`);
    return step;
  }

  /** Lets stages succeed, in this order. */
  async pass(...ids: string[]): Promise<void> {
    for (const id of ids) (await this.begun(id)).succeed();
  }

  /** Ids of stages that began and that nobody asked for. */
  get unexpected(): string[] {
    return this.#begun.map((s) => s.id);
  }

  close(): void {
    this.#server.close();
  }

  #accept(socket: Socket): void {
    socket.on("error", () => undefined);
    const gone = new Promise<void>((done) => socket.once("close", () => done()));
    createInterface(socket).once("line", (id) => {
      const say = (word: string) => void socket.write(`${word}\n`);
      const step: Step = { id, log: (message) => say(`log ${message}`), succeed: () => say("succeed"), fail: () => say("fail"), gone };
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) waiting(step);
      else this.#begun.push(step);
    });
  }
}
