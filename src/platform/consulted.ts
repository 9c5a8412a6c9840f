/**
 * What a process has looked at: every path that it handed to Node's file system, every environment variable that it asked for.
 *
 * Guarantees, from `consult()` on: nothing that goes through `node:fs`, `node:fs/promises` or `process.env` is missed, whoever asks (ours
 * or a library), or `unclear` says that something may have been; what is asked is answered as before. Not seen: what other processes
 * look at, Node's own loading of modules, and a path's way through links where it goes back by `..`.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

export interface Consulted {
  /** Since when (ms since 1970, UTC). */
  readonly since: () => number;
  /** Begins anew: what was taken down so far is `earlier`. */
  readonly again: () => void;
  /** Absolute paths, in the order in which they were first asked for. */
  readonly paths: ReadonlySet<string>;
  /** Those from before the last beginning: what was read of them may be remembered still. */
  readonly earlier: ReadonlySet<string>;
  /** Variables asked for by name, with the values that they had. */
  readonly variables: ReadonlyMap<string, string | undefined>;
  /** Whether more was looked at than is told here: the environment as a whole, a whole tree in one call, more paths than are kept, or a clock that was set meanwhile. */
  readonly unclear: () => boolean;
}

/** Paths that are kept: a run that hands over more is no small matter to compare. */
const MOST_PATHS = 200_000;
/** How far (ms) the clock may be from where it should be. */
const DRIFT_MS = 20;

/** Functions whose second argument is a path too. */
const TWO_PATHS = /^(?:copyFile|cp|link|rename|symlink)(?:Sync)?$/;
/** Not about a path. */
const NO_PATH = /^(?:_|[A-Z]|unwatchFile|watch)/;

type Call = (...args: unknown[]) => unknown;

/** Begins to take down what is looked at; it goes on until the process ends. To be called once, before anything is looked at. */
export function consult(): Consulted {
  // Not imported: where this is bundled into an entry, that would load them before they are asked for.
  const fs = process.getBuiltinModule("node:fs");
  const { syncBuiltinESMExports } = process.getBuiltinModule("node:module");
  const paths = new Set<string>();
  const earlier = new Set<string>();
  const variables = new Map<string, string | undefined>();
  let tooMany = false;
  let tree = false;
  let whole = false;
  let [since, clock] = [Date.now(), performance.now()];

  const note = (path: unknown): void => {
    if (tooMany) return;
    if (typeof path === "string") paths.add(resolve(path));
    else if (path instanceof URL && path.protocol === "file:") paths.add(resolve(fileURLToPath(path)));
    else if (path instanceof Uint8Array) paths.add(resolve(Buffer.from(path).toString()));
    if (paths.size + earlier.size <= MOST_PATHS) return;
    tooMany = true;
    paths.clear();
    earlier.clear();
  };
  const noting = (name: string, original: Call): Call => {
    const two = TWO_PATHS.test(name);
    const lists = name.startsWith("readdir") || name.startsWith("opendir");
    const noted = function (this: unknown, ...args: unknown[]): unknown {
      note(args[0]);
      if (two) note(args[1]);
      if (lists && (args[1] as { recursive?: unknown } | null | undefined)?.recursive === true) tree = true;
      return Reflect.apply(original, this, args);
    };
    // How `promisify` treats `exists`, for one.
    Object.defineProperties(noted, Object.getOwnPropertyDescriptors(original));
    const { native } = original as { native?: Call };
    return native === undefined ? noted : Object.assign(noted, { native: noting(name, native) });
  };
  for (const functions of [fs, fs.promises] as unknown as Record<string, Call>[])
    for (const [name, original] of Object.entries(functions))
      if (typeof original === "function" && !NO_PATH.test(name)) functions[name] = noting(name, original);

  const environment = process.env;
  const known = (name: string | symbol): void => {
    // Who takes it as a whole then asks for each.
    if (typeof name === "string" && !whole && !variables.has(name)) variables.set(name, environment[name]);
  };
  process.env = new Proxy(environment, {
    get: (env, name) => {
      known(name);
      return Reflect.get(env, name);
    },
    has: (env, name) => {
      known(name);
      return Reflect.has(env, name);
    },
    getOwnPropertyDescriptor: (env, name) => {
      known(name);
      return Reflect.getOwnPropertyDescriptor(env, name);
    },
    ownKeys: (env) => {
      whole = true;
      return Reflect.ownKeys(env);
    },
    // Without it Node refuses to set what is there.
    set: (env, name, value) => Reflect.set(env, name, value),
  });
  syncBuiltinESMExports();

  const again = (): void => {
    for (const path of paths) earlier.add(path);
    paths.clear();
    whole = false;
    tree = false;
    [since, clock] = [Date.now(), performance.now()];
  };
  const unclear = (): boolean => whole || tree || tooMany || Math.abs(Date.now() - since - (performance.now() - clock)) > DRIFT_MS;
  return { since: () => since, again, paths, earlier, variables, unclear };
}
