/**
 * The record of a finished stage (schemas/record.schema.json): which fingerprint made which outputs, out of what.
 * Guarantee: a record that is read has the shape of the schema; anything else counts as no record.
 */
import type { Digest } from "../platform/hash.ts";
import type { JsonObject } from "../platform/json.ts";
import type { StageRecord as RecordJson } from "../schemas/generated/record.ts";
import { validate } from "../schemas/generated/record.validate.js";
import type { NodeDefinition } from "./stage.ts";

export interface RecordOutput {
  readonly kind: "file" | "folder";
  readonly digest: Digest;
  /** Sum of the sizes of its files. */
  readonly bytes: number;
}

export interface RecordInput {
  readonly stage: string;
  readonly output: string;
  readonly digest: Digest;
}

/** The generated type, with digests branded and everything read-only. */
export interface StageRecord
  extends Readonly<Omit<RecordJson, "fingerprint" | "ownKey" | "recipeKey" | "recipe" | "settings" | "runtime" | "inputs" | "files" | "outputs" | "figures">> {
  readonly fingerprint: Digest;
  readonly ownKey: Digest;
  readonly recipeKey: Digest;
  readonly recipe: JsonObject;
  readonly settings: JsonObject;
  readonly runtime: JsonObject;
  readonly inputs: Readonly<Record<string, RecordInput>>;
  readonly files: Readonly<Record<string, Digest>>;
  readonly outputs: Readonly<Record<string, RecordOutput>>;
  readonly figures: JsonObject;
}

/** What a stage took when it last ran; what is not known, or cost nothing, is left out. */
export interface LastTime {
  readonly estimateSeconds?: number;
  /** US dollars that its outcome costs where nothing is kept. */
  readonly estimateUsd?: number;
}

export function lastTime(node: NodeDefinition, record: StageRecord | undefined): LastTime {
  if (record === undefined || node.kind === "gate") return {};
  const usd = node.costFigure === undefined ? undefined : record.figures[node.costFigure];
  return { estimateSeconds: record.seconds, ...(typeof usd === "number" && usd > 0 && { estimateUsd: usd }) };
}

export function parseRecord(text: string): StageRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return validate(value) ? (value as StageRecord) : undefined;
  } catch {
    return undefined;
  }
}
