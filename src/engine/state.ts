/**
 * What was last current for one recipe and variant on this machine: each stage's fingerprint, each gate's verdict.
 * It serves reasons ("300 → 800"), estimates, status and reports; whether a stage must run is never decided by it.
 * Guarantees: written atomically; a missing or damaged file counts as "nothing known".
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { writeFileAtomic } from "../platform/fs.ts";
import { type Digest, digestText, hexOf, isDigest } from "../platform/hash.ts";
import type { JsonObject } from "../platform/json.ts";
import type { Verdict } from "./stage.ts";

export interface GateState {
  readonly recipeKey: Digest;
  readonly version: number;
  readonly recipe: JsonObject;
  readonly stage: string;
  readonly passed: boolean;
  readonly verdicts: readonly Verdict[];
}

/** One of the states that a project has. */
export interface ListedState {
  /** Absolute path of its book. */
  readonly file: string;
  /** Path of the recipe's lockfile, relative to the project, with `/`. */
  readonly lockfile: string;
  /** null: the recipe itself; undefined: an older book with a long name does not tell. */
  readonly variant: string | null | undefined;
  /** Fingerprints of its stages. */
  readonly stages: readonly Digest[];
}

/** The states that a project has, in no order. */
export function listStates(projectRoot: string): ListedState[] {
  const folder = join(projectRoot, ".mcp-forge", "state");
  let names: string[];
  try {
    names = readdirSync(folder).filter((n) => n.endsWith(".json") && !n.endsWith(".json.tmp"));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      const { stages = {}, ...stated } = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
        stages?: Record<string, unknown>;
        lockfile?: unknown;
        variant?: unknown;
      };
      const [recipe = "", named] = name.slice(0, -".json".length).split("@").map(decodeURIComponent);
      const lockfile = typeof stated.lockfile === "string" ? stated.lockfile : recipe;
      // Other books lie in the same folder.
      if (!lockfile.endsWith(".lock")) return [];
      const told = typeof stated.variant === "string" || stated.variant === null ? stated.variant : undefined;
      const variant = stated.lockfile === undefined ? (named ?? null) : told;
      return [{ file: join(folder, name), lockfile, variant, stages: Object.values(stages).filter(isDigest) }];
    } catch {
      return [];
    }
  });
}

/** File systems take 255 bytes, and a temporary name is longer. */
const LONGEST_NAME = 180;

export class State {
  readonly #path: string;
  #stages = new Map<string, Digest>();
  #gates = new Map<string, GateState>();
  #saved = "";
  /** Said inside where the file's name cannot: a letter of other alphabets takes up to nine there. */
  readonly #of: { readonly lockfile: string; readonly variant: string | null } | undefined;

  /** @param lockfile tells recipes of one project apart. Reads; creates nothing. */
  constructor(projectRoot: string, lockfile: string, variant: string | undefined) {
    const path = relative(projectRoot, lockfile).split(sep).join("/");
    const recipe = encodeURIComponent(path);
    const name = `${recipe}${variant === undefined ? "" : `@${encodeURIComponent(variant)}`}`;
    const tooLong = name.length > LONGEST_NAME;
    this.#of = tooLong ? { lockfile: path, variant: variant ?? null } : undefined;
    this.#path = join(projectRoot, ".mcp-forge", "state", `${tooLong ? hexOf(digestText(name)) : name}.json`);
    try {
      this.#saved = readFileSync(this.#path, "utf8");
      const value = JSON.parse(this.#saved) as { stages?: Record<string, unknown>; gates?: Record<string, GateState> };
      for (const [id, f] of Object.entries(value.stages ?? {})) if (isDigest(f)) this.#stages.set(id, f);
      for (const [id, g] of Object.entries(value.gates ?? {}))
        if (isDigest(g.recipeKey) && Array.isArray(g.verdicts)) this.#gates.set(id, { ...g, recipe: g.recipe ?? {} });
    } catch {
      // Nothing known.
    }
  }

  /** Fingerprint of a stage's last record. */
  stage(id: string): Digest | undefined {
    return this.#stages.get(id);
  }

  gate(id: string): GateState | undefined {
    return this.#gates.get(id);
  }

  setStage(id: string, fingerprint: Digest): void {
    this.#stages.set(id, fingerprint);
  }

  setGate(id: string, gate: GateState): void {
    this.#gates.set(id, gate);
  }

  /** Forgets nodes that the recipe no longer has: what they made is then nobody's (collect.ts). */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const books of [this.#stages, this.#gates]) for (const id of [...books.keys()]) if (!ids.has(id)) books.delete(id);
  }

  ids(): { stages: readonly string[]; gates: readonly string[] } {
    return { stages: [...this.#stages.keys()], gates: [...this.#gates.keys()] };
  }

  /** Writes it if it changed. Only under the project's lock. Throws the file system's error. */
  save(): void {
    const text = JSON.stringify({ ...this.#of, stages: Object.fromEntries(this.#stages), gates: Object.fromEntries(this.#gates) });
    if (text === this.#saved) return;
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileAtomic(this.#path, text, { durable: false, temporary: `${this.#path}.tmp` });
    this.#saved = text;
  }
}
