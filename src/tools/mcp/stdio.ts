/**
 * An MCP transport over a child process's stdin and stdout, stricter than the SDK's own: the child
 * has a process group of its own and all of it is gone after `close`; lines and noise are bounded; the
 * end of stderr is kept for error messages; how the process ended is known.
 *
 * Shutdown as the MCP specification has it for stdio: close stdin, wait, SIGTERM, wait, SIGKILL.
 */
import { deserializeMessage, serializeMessage } from "@modelcontextprotocol/sdk/shared/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { type Child, type ProcessResult, spawnChild } from "../../platform/process.ts";
import type { Failure } from "../../platform/result.ts";

export interface ChildServer {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Gets every line of stderr, bounded in length and number. */
  readonly onLog?: (line: string) => void;
}

/** How a server ended: its process's result, or why it never started. */
export type Ending = { readonly started: true; readonly result: ProcessResult } | { readonly started: false; readonly failure: Failure };

const MAX_LINE_BYTES = 16 * 1024 * 1024;
const MAX_NOISE_LINES = 1000;
const MAX_UNREAD = 1000;
const MAX_LOG_LINES = 10_000;
const MAX_LOG_LINE = 2000;
const KEPT = 4000;
/** Lines of it in an error message. */
const SHOWN_LINES = 15;
/** What a server may take after SIGTERM. */
const GRACE_MS = 1500;

export class ChildTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  /** Set when the server broke the protocol beyond repair: a clause that says how. */
  broken: string | undefined;
  /** Set once the process is gone, or could not be started. */
  ending: Ending | undefined;

  #child: Child | undefined;
  #errors = "";
  #noise = "";
  #noiseLines = 0;
  #logged = 0;
  /** Messages that are on their way into its stdin. */
  #unread = 0;
  readonly #server: ChildServer;

  constructor(server: ChildServer) {
    this.#server = server;
  }

  /** What the server printed that is worth showing: the end of its stderr, else the start of what came on stdout that is no message. */
  get output(): string {
    const errors = this.#errors.trim();
    return errors === "" ? this.#noise.trim().split("\n").slice(0, SHOWN_LINES).join("\n") : errors.split("\n").slice(-SHOWN_LINES).join("\n");
  }

  /** Whether it printed something on stdout that is no message. */
  get noisy(): boolean {
    return this.#noiseLines > 0;
  }

  async start(): Promise<void> {
    const { command, args, env, cwd } = this.#server;
    const child = await spawnChild(command, args, {
      cwd,
      env,
      maxBytes: KEPT,
      maxLineBytes: MAX_LINE_BYTES,
      onStdoutLine: (line, cut) => this.#receive(line, cut),
      onStderrLine: (line) => this.#log(line),
    });
    if (!child.ok) {
      this.ending = { started: false, failure: child.error };
      throw new Error(child.error.message);
    }
    this.#child = child.value;
    void child.value.ended.then((result) => {
      this.ending = { started: true, result };
      this.onclose?.();
    });
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#unread >= MAX_UNREAD) this.#break(`it asks and does not read: ${MAX_UNREAD} answers wait for it`);
    if (this.broken !== undefined) throw new Error(this.broken);
    this.#unread++;
    const sent = await this.#child?.write(serializeMessage(message)).finally(() => this.#unread--);
    if (sent !== true) throw new Error("the server no longer reads");
  }

  /** The server's end, when it comes within so many ms: a dying server breaks the pipe a moment before its exit is seen. */
  async endsWithin(ms: number): Promise<Ending | undefined> {
    if (this.ending !== undefined || this.#child === undefined) return this.ending;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ms);
    });
    await Promise.race([this.#child.ended, late]);
    clearTimeout(timer);
    return this.ending;
  }

  async close(): Promise<void> {
    await this.#child?.stop(GRACE_MS);
  }

  #receive(line: string, cut: boolean): void {
    if (this.broken !== undefined || line.trim() === "") return;
    if (cut) {
      this.#break(`it printed a line of more than ${MAX_LINE_BYTES / 1024 / 1024} MiB`);
      return;
    }
    let message: JSONRPCMessage;
    try {
      message = deserializeMessage(line);
    } catch {
      this.#noiseLines++;
      if (this.#noise.length < KEPT) this.#noise += `${line.slice(0, 500)}\n`;
      if (this.#noiseLines > MAX_NOISE_LINES) this.#break(`it printed more than ${MAX_NOISE_LINES} lines on stdout that are no messages`);
      return;
    }
    this.onmessage?.(message);
  }

  #log(line: string): void {
    this.#errors = `${this.#errors}${line}\n`.slice(-KEPT);
    if (this.#logged > MAX_LOG_LINES || line.trim() === "") return;
    this.#logged++;
    this.#server.onLog?.(this.#logged > MAX_LOG_LINES ? `(more than ${MAX_LOG_LINES} lines: the rest is not kept)` : line.slice(0, MAX_LOG_LINE));
  }

  /** Ends a server that floods us: at once, since it would fill any pipe that is left open. */
  #break(why: string): void {
    this.broken = why;
    this.#child?.kill();
  }
}
