/** Placeholder signatures, filled in the next commit. */
import type { Result } from "./result.ts";

/** The allow-listed environment of a child process. */
export declare function childEnv(extra?: Readonly<Record<string, string>>, passNames?: readonly string[]): Record<string, string>;

export interface ProcessOptions {
  readonly cwd?: string;
  /** The whole environment of the child; default `childEnv()`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Text to write to the child's stdin, which is then closed. Without it stdin stays open and empty until the child ends. */
  readonly stdin?: string;
  readonly timeoutMs?: number;
  readonly onStdoutLine?: (line: string, cut: boolean) => void;
  readonly onStderrLine?: (line: string, cut: boolean) => void;
  readonly maxLineBytes?: number;
  readonly maxBytes?: number;
  readonly graceMs?: number;
}
export interface ProcessResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}
export interface Child {
  readonly pid: number;
  write(text: string): Promise<boolean>;
  readonly ended: Promise<ProcessResult>;
  stop(graceMs?: number): Promise<ProcessResult>;
}
export declare function runProcess(command: string, args: readonly string[], o?: ProcessOptions): Promise<Result<ProcessResult>>;
export declare function spawnChild(command: string, args: readonly string[], o?: ProcessOptions): Promise<Result<Child>>;
