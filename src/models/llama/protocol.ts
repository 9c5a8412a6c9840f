/**
 * What the client and the worker say to each other: one JSON value a line, requests on the worker's
 * stdin, replies on its stdout. The end of stdin ends the worker.
 */
import type { Completion, CompletionRequest } from "./types.ts";

export interface OpenMessage {
  readonly op: "open";
  readonly model: string;
  readonly contextTokens?: number;
  readonly sequences?: number;
  readonly threads?: number;
}

export type CompletionItem = Omit<CompletionRequest, "signal">;

export type RequestMessage =
  | OpenMessage
  | { readonly op: "complete"; readonly id: number; readonly items: readonly CompletionItem[] }
  | { readonly op: "tokenize"; readonly id: number; readonly text: string }
  | { readonly op: "cancel"; readonly id: number };

/** An expected failure inside the worker; the client adds hint and exit code. */
export interface WorkerProblem {
  readonly code: string;
  readonly message: string;
}

export type ReplyMessage =
  | { readonly op: "ready" }
  | { readonly op: "refused"; readonly problem: WorkerProblem }
  /** A sign of life while decoding. */
  | { readonly op: "beat" }
  | { readonly op: "completed"; readonly id: number; readonly index: number; readonly value?: Completion; readonly problem?: WorkerProblem }
  | { readonly op: "tokenized"; readonly id: number; readonly ids: readonly number[] };
