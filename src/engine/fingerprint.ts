/**
 * The fingerprint: everything that decides a stage's outputs, on this machine. Same fingerprint, same outputs.
 * Guarantee: it covers the own key (key.ts), the content of every input and user's file, and the declared versions of
 * the runtime; nothing else may be read by a stage.
 */
import { type Digest, digestJson } from "../platform/hash.ts";
import type { StageDefinition } from "./stage.ts";

export type Digests = Readonly<Record<string, Digest>>;

export function fingerprint(stage: StageDefinition, own: Digest, inputs: Digests, files: Digests): Digest {
  return digestJson({ own, inputs, files, runtime: stage.runtime ?? {} });
}
