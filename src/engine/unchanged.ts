/**
 * The shortest way to "up to date". A run that found nothing to do leaves a note: which files and variables it looked at on the way to
 * that answer, and the times, sizes and inodes of those files. The same command is then answered from the note alone, as long as not one
 * of them differs; it loads nothing else and writes nothing.
 *
 * Guarantees: no answer is given that the whole way would not give, but where that could not even begin (a project that has become read-only). What a run looks at is taken down by consulted.ts, not listed by hand. A
 * note is left only where no file that was looked at is so young that it could have changed since the run began (git's "racy" rule), and only
 * by a run that ran nothing, warned of nothing and said one line. Whoever takes the project's lock, releases it or breaks it makes the note void. A note that
 * cannot be read, is another version's, another program's or another user's is none. No value of a secret is in it: a run that finds another variable
 * set than those below leaves none.
 */
import { basename, dirname, join, resolve, sep } from "node:path";
import type { Consulted } from "../platform/consulted.ts";

// Not imported: that would load Node's streams, which nothing here needs, and a fifth of the answer's time is theirs.
const { fstatSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, writeFileSync } =
  process.getBuiltinModule("node:fs");

/** Where a run with nothing to do is told, and whether one should be made at all. */
export interface Notes {
  /** What is looked at from now on counts. */
  readonly again: () => void;
  readonly leave: (run: Unchanged) => void;
}

/** A run that ended with nothing to do. */
export interface Unchanged {
  /** Absolute path of the folder that has `.mcp-forge`. */
  readonly projectRoot: string;
  /** What it printed, and how long it said that it took. */
  readonly text: string;
  readonly took: string;
}

interface Note {
  readonly v: typeof VERSION;
  readonly asked: string;
  readonly environment: readonly (readonly [name: string, value: string | null])[];
  /** The printed line before and after the time that the run took. */
  readonly text: readonly [before: string, after: string];
  /** Names by folder; the file's doubles hold `STATS` numbers for each, in this order. */
  readonly folders: readonly (readonly [folder: string, names: readonly string[]])[];
  /** The project's lock as the run left it: its files, by name. */
  readonly lock: readonly string[];
}

const VERSION = 1;
const STATS = 6;
/** Names in a folder from which on it pays to go there. */
const WORTH_ENTERING = 20;
/** In `.mcp-forge`: what runs leave, and none looks at. */
const FOLDER = "runs";
const NAME = "unchanged-";
/** A folder of notes that holds more is emptied: commands of long ago. */
const MOST_NOTES = 16;
/** As src/platform/snapshot.ts has them: how old (ms) a file must be when it is read, and on file systems that keep whole seconds. */
const TICK_MS = 20;
const COARSE_TICK_MS = 2000;

/** Flags that change neither what is printed nor what is looked at but by what consulted.ts sees. */
const FLAGS = /^--(?:variant=.+|locked|offline|keep-going)$/;
/** Variables that are no secrets. */
const PLAIN_VARIABLES =
  /^(?:MCP_FORGE_(?:CONFIG|CACHE_DIR|PYTHON|LLAMA_CPP|OFFLINE)|XDG_CACHE_HOME|HOME|PATH|TERM|COLORTERM|COLUMNS|NO_COLOR|FORCE_COLOR|CI|GITHUB_ACTIONS|NODE_(?:ENV|OPTIONS|PATH|EXTRA_CA_CERTS|DISABLE_COLORS|NO_WARNINGS)|TZ|LANG|LC_\w+|TMPDIR)$/;
/** What tells of running processes and of the machine at this instant, not of the project. */
const PASSING = /^\/(?:proc|sys)\/|^\/dev\/(?:null|tty|u?random|fd\/|std(?:in|out|err)$)/;

/** Whether a command line is one that a note can answer. */
export const mayBeUnchanged = ([command, ...rest]: readonly string[]): boolean =>
  command === "apply" && rest.every((a, i) => !a.startsWith("-") || FLAGS.test(a) || (a === "--variant" && rest[i + 1] !== undefined));

/** The line that the same command would print, if nothing that it looks at differs; else undefined. Throws nothing. */
export function stillUnchanged(args: readonly string[], program: string): string | undefined {
  try {
    const asked = askedOf(args, program);
    const file = findNote(asked);
    if (file === undefined) return undefined;
    const { note, stats } = parse(readFileSync(file));
    if (note.v !== VERSION || note.asked !== asked) return undefined;
    if (note.environment.some(([name, value]) => (process.env[name] ?? null) !== value)) return undefined;
    const root = dirname(dirname(dirname(file)));
    if (lockFiles(root).join("/") !== note.lock.join("/")) return undefined;
    if (!stats.equals(statsOf(note.folders))) return undefined;
    return `${note.text[0]}${process.uptime().toFixed(1)} s${note.text[1]}`;
  } catch {
    return undefined;
  }
}

/**
 * Leaves a note for the next time, where that can be done. Throws nothing: without one the next time takes longer.
 * @param program absolute path of the entry
 */
export function leaveNote(args: readonly string[], program: string, { projectRoot, text, took }: Unchanged, consulted: Consulted): void {
  const file = join(projectRoot, ".mcp-forge", FOLDER, nameOf(askedOf(args, program)));
  try {
    const at = text.indexOf(`(${took})`);
    const variables = [...consulted.variables];
    rmSync(file, { force: true });
    if (at < 0 || consulted.unclear() || variables.some(([name, value]) => value !== undefined && !PLAIN_VARIABLES.test(name))) return;
    const books = join(projectRoot, ".mcp-forge");
    const own = ["lock", FOLDER].map((name) => join(books, name));
    const counts = (path: string): boolean => !PASSING.test(path) && !own.some((folder) => path === folder || path.startsWith(folder + sep));
    const lock = lockFiles(projectRoot);
    const now = withWhereTheyLead([...consulted.paths].filter(counts));
    // What was removed while the run looked, or put in another's place, shows in the folders of the project that it was in. They need not stay as they are.
    const inProject = (at: string): boolean => at === projectRoot || (at.startsWith(projectRoot + sep) && at !== books && !at.startsWith(books + sep));
    const folders = new Set([...now].map((path) => dirname(path)).filter(inProject));
    // What is remembered from before has to be as old as the process, as the program itself has. Of a project nothing is.
    const before = [...consulted.earlier].filter((path) => counts(path) && !path.startsWith(projectRoot + sep) && !now.has(path));
    const [fresh, old] = [byFolder([...now]), byFolder([...withWhereTheyLead([...before, ...filesBelow(dirname(program))])])];
    const stats = [statsOf(fresh), statsOf(old)];
    const racy = [...stats, statsOf(byFolder([...folders]))].map((s, i) => anyRacy(s, i === 1 ? performance.timeOrigin : consulted.since()));
    if (racy.includes(true) || !isReleased(join(books, "lock", lock.at(-1) ?? ""))) return;
    // Given back or taken, the lock has another file: its age says nothing.
    const withLock = [...fresh, ...old, [join(books, "lock"), lock] as const];
    const note: Note = {
      v: VERSION,
      asked: askedOf(args, program),
      environment: variables.map(([name, value]) => [name, value ?? null]),
      text: [text.slice(0, at + 1), text.slice(at + 1 + took.length)],
      folders: withLock,
      lock,
    };
    write(file, note, Buffer.concat([...stats, statsOf([[join(books, "lock"), lock]])]));
  } catch {
    // A folder that cannot be written to was said where it mattered.
  }
}

/** Everything about a command that is no file and no variable; of where it prints to, which device that is (colours are a terminal's), if one. */
function askedOf(args: readonly string[], program: string): string {
  const out = fstatSync(1);
  const device = out.isCharacterDevice() ? out.rdev : null;
  return JSON.stringify([args, process.cwd(), program, process.execPath, process.version, process.getuid?.() ?? null, device]);
}

/** FNV-1a: a name only, what it stands for is compared. */
function nameOf(asked: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < asked.length; i++) hash = Math.imul(hash ^ asked.charCodeAt(i), 0x01000193);
  return NAME + (hash >>> 0).toString(16);
}

/** The nearest folder above that has a note of this command. */
function findNote(asked: string): string | undefined {
  const name = nameOf(asked);
  for (let at = process.cwd(); ; at = dirname(at)) {
    const file = join(at, ".mcp-forge", FOLDER, name);
    if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) return file;
    if (dirname(at) === at) return undefined;
  }
}

/** The lock's files, the highest number last. */
const lockFiles = (projectRoot: string): string[] =>
  readdirSync(join(projectRoot, ".mcp-forge", "lock")).sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));

/** Whether a lock's file says that nobody holds it (lock.ts). */
const isReleased = (path: string): boolean => readFileSync(path, "utf8") === '{"released":true}\n';

/** Where a link leads counts too, link by link. */
function withWhereTheyLead(paths: readonly string[]): Set<string> {
  const all = new Set(paths);
  for (const path of all) {
    // From where the link really is: a folder above may be a link too.
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) all.add(resolve(realpathSync(dirname(path)), readlinkSync(path)));
  }
  return all;
}

/** Paths below a folder. */
const filesBelow = (folder: string): string[] => [folder, ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))];

function byFolder(paths: readonly string[]): [string, string[]][] {
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    const folder = dirname(path);
    const names = folders.get(folder);
    if (names === undefined) folders.set(folder, [basename(path)]);
    else names.push(basename(path));
  }
  return [...folders];
}

/** `STATS` doubles for each file or link; -1 for what is not there. Throws where a folder with many files cannot be entered. */
function statsOf(folders: Note["folders"]): Buffer {
  const all = new Float64Array(STATS * folders.reduce((sum, [, names]) => sum + names.length, 0));
  const here = process.cwd();
  let at = 0;
  try {
    for (const [folder, names] of folders) {
      // From inside, the system does not walk down the same long path for each name.
      const inside = names.length > WORTH_ENTERING;
      if (inside) process.chdir(folder);
      const before = inside ? `.${sep}` : folder.endsWith(sep) ? folder : folder + sep;
      for (const name of names) {
        const s = lstatSync(before + name, { throwIfNoEntry: false });
        all[at] = s?.size ?? -1;
        all[at + 1] = s?.mtimeMs ?? -1;
        all[at + 2] = s?.ctimeMs ?? -1;
        all[at + 3] = s?.ino ?? -1;
        all[at + 4] = s?.dev ?? -1;
        all[at + 5] = s?.mode ?? -1;
        at += STATS;
      }
    }
  } finally {
    process.chdir(here);
  }
  return Buffer.from(all.buffer);
}

/** Whether one of the files could have changed after the run had begun to look at them. */
function anyRacy(stats: Buffer, since: number): boolean {
  const all = new Float64Array(stats.buffer, stats.byteOffset, stats.length / Float64Array.BYTES_PER_ELEMENT);
  for (let at = 0; at < all.length; at += STATS) {
    const newest = Math.max(all[at + 1] as number, all[at + 2] as number);
    if (newest + (Number.isInteger(newest / 1000) ? COARSE_TICK_MS : TICK_MS) > since) return true;
  }
  return false;
}

/** Length of the words, the words, and the doubles as they lie in memory. */
function write(file: string, note: Note, stats: Buffer): void {
  const words = Buffer.from(JSON.stringify(note));
  const length = Buffer.alloc(8);
  length.writeUInt32LE(words.length);
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true });
  const notes = readdirSync(folder).filter((name) => name.startsWith(NAME));
  if (notes.length >= MOST_NOTES) for (const name of notes) rmSync(join(folder, name), { force: true });
  writeFileSync(`${file}.tmp`, Buffer.concat([length, words, stats]), { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}

function parse(bytes: Buffer): { note: Note; stats: Buffer } {
  const end = 8 + bytes.readUInt32LE(0);
  return { note: JSON.parse(bytes.toString("utf8", 8, end)) as Note, stats: bytes.subarray(end) };
}
