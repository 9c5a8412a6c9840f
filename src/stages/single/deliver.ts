/**
 * Where the results of a step go: said before the run where they cannot go there, put there after it. Guarantees: an
 * output appears whole or not at all, and all of them or none; nothing that the step reads is written over, nor a folder
 * that holds something; a link is followed, and a FIFO or a device is written to and stays what it is; a file that nobody named (a default, a neighbour of what was named) is replaced only where forge
 * left it and nobody touched it since: anything else is moved beside it (`NAME.edited-1`, as a run does with its views).
 */
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { RunOutcome } from "../../engine/apply.ts";
import { hexOf } from "../../platform/digest.ts";
import { EXIT } from "../../platform/exit.ts";
import { cloneTree, fsFailure, writeFileAtomic } from "../../platform/fs.ts";
import { digestText } from "../../platform/hash.ts";
import { OutputError, outputTarget, writeOutput } from "../../platform/output-file.ts";
import { cacheDir } from "../../platform/paths.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";

/** One output of a stage and where it goes. */
export interface Delivery {
  readonly stage: string;
  readonly output: string;
  /** As the user wrote it. */
  readonly to: string;
  /** Nobody named this very path. */
  readonly implied?: true;
}

/** A file that stood where a result went, and where it is now. */
export interface SetAside {
  readonly path: string;
  readonly now: string;
}

const refused = (message: string, hint: string): Failure => ({ code: "usage/output", message, hint, exit: EXIT.usage });

/** Says before a run, not an hour later, that an output cannot be put where it should go. */
export function deliverable(to: string, kind: "file" | "folder", shown = `--output ${to}`): Failure | undefined {
  const path = resolve(to);
  const found = statSync(path, { throwIfNoEntry: false });
  if (kind === "file" && found?.isDirectory()) return refused(`${shown} is a folder`, "name a file in it");
  if (kind === "folder" && found !== undefined && !found.isDirectory()) return refused(`${shown} is a file`, "name a folder");
  if (kind === "folder" && found !== undefined && readdirSync(path).length > 0)
    return refused(`${shown} is there and not empty`, "name another folder, or move it away first");
  return undefined;
}

/** Opened only when it is read: nobody would hear of the error of a stream that nobody reads. */
async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path);
}

/** The failure of a result that would be written over something that is read, by whatever name, or into a folder that is. */
export function inTheWay(to: string, inputs: readonly string[], flags: string): Failure | undefined {
  const path = realPath(to);
  const input = inputs.find((i) => path === realPath(i) || path.startsWith(realPath(i) + sep));
  return input === undefined ? undefined : refused(`\`${to}\` would be written over, and it is read`, `give the result a name of its own (${flags})`);
}

/** Whether two paths mean the same file, links followed. */
export const sameFile = (a: string, b: string): boolean => realPath(a) === realPath(b);

/** The path without links; of what is not there yet, that of its folder. */
function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync.native(absolute);
  } catch {
    return dirname(absolute) === absolute ? absolute : join(realPath(dirname(absolute)), basename(absolute));
  }
}

/**
 * Puts outputs of a run where they were asked for: all of them, or none where a stage did not finish or one cannot be written (a full
 * disk). Texts that `beside` holds by path go with them.
 * @param onSetAside is told of each file that had to make room
 * @returns the outputs' paths, as the user wrote them
 */
export async function deliver(
  run: RunOutcome,
  deliveries: readonly Delivery[],
  beside: Readonly<Record<string, string>> = {},
  onSetAside: (aside: SetAside) => void = () => undefined,
): Promise<Result<string[]>> {
  const made = deliveries.map((d) => ({
    from: run.nodes.find((n) => n.id === d.stage && (n.status === "done" || n.status === "cached"))?.outputs[d.output],
    to: d.to,
    implied: d.implied === true,
  }));
  if (made.some((d) => d.from === undefined)) return ok([]);
  const texts = Object.entries(beside).map(([to, text]) => ({ text, to, implied: true }));
  const ours: string[] = [];
  const aside: SetAside[] = [];
  let at = "";
  let all: (((typeof made)[number] | (typeof texts)[number]) & { readonly path: string; readonly part: string })[] = [];
  try {
    const placed = [...made, ...texts].map((d) => ({ ...d, target: outputTarget(d.to) }));
    all = placed.flatMap(({ target, ...d }) => (target.kind === "file" ? [{ ...d, path: target.path, part: partOf(target.path) }] : []));
    for (const d of all) {
      at = d.to;
      mkdirSync(dirname(d.path), { recursive: true });
      rmSync(d.part, { recursive: true, force: true });
      ours.push(d.part);
      if ("text" in d) writeFileAtomic(d.part, d.text);
      else await cloneTree(d.from as string, d.part);
    }
    for (const { target, ...d } of placed) {
      if (target.kind === "file") continue;
      at = d.to;
      await writeOutput(target.path, "text" in d ? [d.text] : bytesOf(d.from as string));
    }
    for (const d of all) {
      at = d.to;
      if (d.implied && isFile(d.path) && !leftBefore(d.path) && !sameBytes(d.path, d.part)) aside.push(setAside(d.path === resolve(d.to) ? d.to : d.path));
      const replaced = isFile(d.path);
      // An empty folder may give way; what has something in it stays, whatever came into it meanwhile.
      if (!replaced && existsSync(d.path)) rmdirSync(d.path);
      renameSync(d.part, d.path);
      if (!replaced) ours.push(d.path);
    }
  } catch (e) {
    // Half of it would stand in the way of the next try.
    for (const path of ours) rmSync(path, { recursive: true, force: true });
    for (const { path, now } of aside) if (!existsSync(path)) renameSync(now, path);
    const failure = fsFailure(e instanceof OutputError ? e.cause : e, `write ${at}`);
    if (failure === undefined) throw e;
    return err(failure);
  }
  for (const { path } of all) if (isFile(path)) noteLeft(path);
  aside.forEach(onSetAside);
  return ok(deliveries.map((d) => d.to));
}

const partOf = (to: string): string => join(dirname(resolve(to)), `.${basename(to)}.${process.pid}.part`);
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

function setAside(path: string): SetAside {
  for (let n = 1; ; n++) {
    const now = `${path}.edited-${n}`;
    if (existsSync(now)) continue;
    renameSync(path, now);
    return { path, now };
  }
}

/** Larger ones are moved aside without a look into them. */
const MOST_COMPARED = 1 << 26;

function sameBytes(a: string, b: string): boolean {
  const { size } = statSync(a);
  return size === statSync(b).size && size <= MOST_COMPARED && readFileSync(a).equals(readFileSync(b));
}

/** Notes that nobody asked for any more. */
const FORGOTTEN_MS = 365 * 86_400_000;

const notes = (): string => join(cacheDir(), "left");
/** By path, so that every file has one note and two commands at once do not share any. */
const noteOf = (path: string): string => join(notes(), hexOf(digestText(realPath(path))).slice(0, 32));

/** What changes when somebody writes to a file or puts another in its place. */
function stateOf(path: string): string {
  const { size, mtimeMs, ino } = statSync(path);
  return `${size} ${mtimeMs} ${ino}\n`;
}

/** Whether forge left the file just so. */
function leftBefore(path: string): boolean {
  try {
    return readFileSync(noteOf(path), "utf8") === stateOf(path);
  } catch {
    return false;
  }
}

function noteLeft(path: string): void {
  try {
    mkdirSync(notes(), { recursive: true });
    for (const name of readdirSync(notes())) {
      const note = join(notes(), name);
      const found = statSync(note, { throwIfNoEntry: false });
      if (found !== undefined && Date.now() - found.mtimeMs > FORGOTTEN_MS) rmSync(note, { force: true });
    }
    writeFileSync(noteOf(path), stateOf(path));
  } catch {
    // A cache that is read only: the next time this file is moved aside, and nothing is lost.
  }
}
