/**
 * What a process has looked at: every path that it handed to Node's file system, every environment variable that it asked for.
 *
 * Guarantees, from `consult()` on: nothing that goes through `node:fs`, `node:fs/promises` or `process.env` is missed, whoever asks (ours
 * or a library); what is asked is answered as before. Not seen: what other processes look at, and Node's own loading of modules.
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
  /** Whether somebody took the environment as a whole. */
  readonly wholeEnvironment: () => boolean;
}

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
  let whole = false;
  let since = Date.now();
  const note = (path: unknown): void => {
    if (typeof path === "string") paths.add(resolve(path));
    else if (path instanceof URL && path.protocol === "file:") paths.add(resolve(fileURLToPath(path)));
    else if (path instanceof Uint8Array) paths.add(resolve(Buffer.from(path).toString()));
  };
  for (const functions of [fs, fs.promises] as unknown as Record<string, Call>[])
    for (const [name, original] of Object.entries(functions)) {
      if (typeof original !== "function" || NO_PATH.test(name)) continue;
      const two = TWO_PATHS.test(name);
      const noted = function (this: unknown, ...args: unknown[]): unknown {
        note(args[0]);
        if (two) note(args[1]);
        return Reflect.apply(original, this, args);
      };
      // `realpath.native`, and how `promisify` treats `exists`.
      functions[name] = Object.defineProperties(noted, Object.getOwnPropertyDescriptors(original)) as Call;
    }
  syncBuiltinESMExports();
  const known = (name: string | symbol): void => {
    if (typeof name === "string" && !variables.has(name)) variables.set(name, environment[name]);
  };
  const environment = process.env;
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
  });
  const again = (): void => {
    for (const path of paths) earlier.add(path);
    paths.clear();
    since = Date.now();
  };
  return { since: () => since, again, paths, earlier, variables, wholeEnvironment: () => whole };
}
