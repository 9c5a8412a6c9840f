/**
 * Where a model's files come from while it is looked at: a folder, or a revision on the hub. Small ones are read whole, of weights only what they
 * say of themselves; what is pinned is hashed where no one else vouches for it.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../../platform/exit.ts";
import { errorCode } from "../../platform/fs.ts";
import { digestFileUntil, hexOf } from "../../platform/hash.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { HubFile } from "../../schemas/generated/family.ts";
import { shownPath } from "../family-file.ts";
import type { Shapes } from "./shapes.ts";

export interface ModelFiles {
  /** What it is called in messages. */
  readonly shown: string;
  /** Every file by name, with its bytes. */
  readonly sizes: ReadonlyMap<string, number>;
  /** A file of at most `most` bytes, whole. */
  read(name: string, most: number): Promise<Result<Buffer>>;
  /** The first bytes of a file; fewer where it has fewer. */
  head(name: string, bytes: number): Promise<Result<Buffer>>;
  /** What pins these files. */
  pin(names: readonly string[]): Promise<Result<Record<string, HubFile>>>;
}

/** A failure of looking at a model (exit 4). */
export const unfit = (code: string, message: string, hint?: string): Failure => ({
  code: `models/${code}`,
  message,
  ...(hint === undefined ? {} : { hint }),
  exit: EXIT.usage,
});

export interface FolderOptions {
  readonly signal: AbortSignal;
  /** Hears of each large file that is read to pin it. */
  readonly onFile?: (name: string) => void;
}

/** Files that take a moment to read. */
export const LARGE = 64 << 20;

/** The files of a folder; links are followed, as the hub's own cache is made of them. */
export function folderFiles(folder: string, o: FolderOptions): Result<ModelFiles> {
  const sizes = new Map<string, number>();
  try {
    for (const name of readdirSync(folder)) {
      const found = statSync(join(folder, name), { throwIfNoEntry: false });
      if (found?.isFile()) sizes.set(name, found.size);
    }
  } catch (e) {
    return err(
      unfit("unreadable", `\`${shownPath(folder)}\` cannot be read (${errorCode(e)})`, "Name a folder with a model in the hub's form, or a GGUF file."),
    );
  }
  const guarded = <T>(name: string, read: () => T): Result<T> => {
    try {
      return ok(read());
    } catch (e) {
      if (errorCode(e) === "") throw e;
      return err(unfit("unreadable", `${name} in ${shownPath(folder)} cannot be read (${errorCode(e)})`));
    }
  };
  return ok({
    shown: shownPath(folder),
    sizes,
    read: async (name, most) => ((sizes.get(name) ?? 0) > most ? err(tooLarge(name, most)) : guarded(name, () => readFileSync(join(folder, name)))),
    head: async (name, bytes) => guarded(name, () => firstBytes(join(folder, name), bytes)),
    async pin(names) {
      const files: Record<string, HubFile> = {};
      for (const name of names) {
        if (o.signal.aborted) return err(interrupted());
        if ((sizes.get(name) ?? 0) >= LARGE) o.onFile?.(name);
        try {
          files[name] = { sha256: hexOf(await digestFileUntil(join(folder, name), o.signal)), bytes: sizes.get(name) ?? 0 };
        } catch (e) {
          if (o.signal.aborted) return err(interrupted());
          if (errorCode(e) === "") throw e;
          return err(unfit("unreadable", `${name} in ${shownPath(folder)} cannot be read (${errorCode(e)})`));
        }
      }
      return ok(files);
    },
  });
}

export const tooLarge = (name: string, most: number): Failure => unfit("too-large", `${name} has more than the ${most} bytes that such a file may have`);
export const interrupted = (): Failure => ({ code: "models/interrupted", message: "interrupted", exit: EXIT.interrupted });

/** The first bytes of a file on disk. Throws the file system's error. */
function firstBytes(path: string, bytes: number): Buffer {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(file, buffer, 0, bytes, 0));
  } finally {
    closeSync(file);
  }
}

/** Git's name of a file's content: what the hub's list says of a small file. */
export const gitBlob = (content: Buffer): string => createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");

const JSON_BYTES: Readonly<Record<string, number>> = { "tokenizer.json": 64 << 20, "model.safetensors.index.json": 32 << 20 };
/** What a JSON file beside weights may have, where the table says nothing else. */
const SMALL_JSON = 8 << 20;

/** A JSON object of the model's; undefined where there is no such file. */
export async function jsonObject(files: ModelFiles, name: string): Promise<Result<Readonly<Record<string, unknown>> | undefined>> {
  if (!files.sizes.has(name)) return ok(undefined);
  const read = await files.read(name, JSON_BYTES[name] ?? SMALL_JSON);
  if (!read.ok) return read;
  try {
    const value: unknown = JSON.parse(read.value.toString("utf8"));
    if (isRecord(value)) return ok(value);
  } catch {
    // Said below.
  }
  return err(unfit("unreadable", `${name} of ${files.shown} is no JSON object`));
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

const HEADER_BYTES = 16 << 20;
const FIRST_LOOK = 256 << 10;

export interface Tensors {
  readonly parameters: number;
  /** Every type of numbers that is there (`BF16`, …). */
  readonly types: ReadonlySet<string>;
  readonly shapes: Shapes;
}

/** What a file of safetensors says of itself: https://huggingface.co/docs/safetensors, "Format". */
export async function safetensorsHeader(files: ModelFiles, name: string): Promise<Result<Tensors>> {
  const no = err(unfit("no-weights", `${name} of ${files.shown} is no file of safetensors`));
  let head = await files.head(name, FIRST_LOOK);
  if (!head.ok) return head;
  if (head.value.length < 8) return no;
  const length = Number(head.value.readBigUInt64LE(0));
  if (!(length > 1 && length <= HEADER_BYTES)) return no;
  if (head.value.length < 8 + length) head = await files.head(name, 8 + length);
  if (!head.ok) return head;
  let header: unknown;
  try {
    header = JSON.parse(head.value.toString("utf8", 8, 8 + length));
  } catch {
    return no;
  }
  if (!isRecord(header)) return no;
  const types = new Set<string>();
  const shapes = new Map<string, readonly number[]>();
  let parameters = 0;
  let end = 0;
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") continue;
    if (!isRecord(value) || typeof value.dtype !== "string" || !isNumbers(value.shape) || !isNumbers(value.data_offsets)) return no;
    types.add(value.dtype);
    shapes.set(key, value.shape);
    parameters += value.shape.reduce((a, b) => a * b, 1);
    end = Math.max(end, ...value.data_offsets);
  }
  const size = files.sizes.get(name) ?? 0;
  if (size < 8 + length + end)
    return err(unfit("no-weights", `${name} of ${files.shown} ends too early: it has ${size} of ${8 + length + end} bytes`, "Fetch it again."));
  return ok({ parameters, types, shapes });
}

const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.length <= 16 && value.every((n) => Number.isSafeInteger(n) && n >= 0);
