/**
 * Expected failures as data. A function that can fail for a reason outside the code returns a
 * `Result`; `throw` is for bugs. A `Failure` carries everything that a person needs to act on it.
 */
import type { ExitCode } from "./exit.ts";

/** A place in a file, 1-based, for errors that point at what the user wrote. */
export interface Place {
  /** Path as the user would type it, relative to the working directory where possible. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Number of characters to underline, at least 1. */
  readonly length?: number;
  /** The text of the line, without its line break. */
  readonly source?: string;
}

/** An expected failure: what happened, where, and what to do about it. */
export interface Failure {
  /** Stable kebab-case identifier, e.g. `recipe/unknown-key`, `tools/server-not-found`. */
  readonly code: string;
  /** One sentence (no trailing newline): what went wrong, in the user's words. */
  readonly message: string;
  /** One sentence, imperative: what to do about it. */
  readonly hint?: string;
  readonly place?: Place;
  /** Free text that helps a second look (tail of a process's stderr, …). May hold several lines. */
  readonly details?: string;
  /** The process exit code that this failure leads to. */
  readonly exit: ExitCode;
}

export type Result<T, F = Failure> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: F };

export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });
export const err = <F>(error: F): { readonly ok: false; readonly error: F } => ({ ok: false, error });

/** A failure that is thrown: where something that gives no Result is made of what came from outside. A stage that throws it fails with it. */
export class FailureError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}
