/** The pinned packages of forge's Python environments (python/requirements*.lock), read without starting any process. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, digestText } from "../../platform/digest.ts";
import { packageRoot } from "../../platform/paths.ts";

/** Packages whose version can change what a step puts out. numpy is not among them: its version depends on Python's. */
export const DECISIVE_PACKAGES = ["torch", "transformers", "tokenizers", "peft", "accelerate", "gguf", "sentencepiece"] as const;

export interface Requirements {
  readonly path: string;
  readonly digest: Digest;
  /** Version of each pinned package by its name in lower case; of those pinned by Python version, the newest Python's. */
  readonly versions: ReadonlyMap<string, string>;
}

export type LockName =
  | "requirements.lock"
  | "requirements-dev.lock"
  | "requirements-synthetic-data-kit.lock"
  | `requirements-${"tensorboard" | "wandb" | "mlflow" | "qlora" | "unsloth"}.lock`;

/** Path of a lock file of the package. */
export const lockPath = (name: LockName): string => join(packageRoot(), "python", name);

/** Reads a lock file: `NAME==VERSION` a line, perhaps with an environment marker; `#` begins a comment. */
export function readRequirements(name: LockName = "requirements.lock"): Requirements {
  const path = lockPath(name);
  const text = readFileSync(path, "utf8");
  const versions = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([A-Za-z0-9._-]+)==([^\s;]+)\s*(?:;\s*(.+))?$/.exec(line.trim());
    if (match?.[1] === undefined || match[2] === undefined) continue;
    if (match[3]?.includes("<")) continue;
    versions.set(match[1].toLowerCase().replaceAll("_", "-"), match[2]);
  }
  return { path, digest: digestText(text), versions };
}
