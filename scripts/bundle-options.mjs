/**
 * How the program is bundled: shared by the build and by the guard of the stage versions, so that both
 * see the same graph of imports.
 */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bundled CommonJS still calls `require` for Node's own modules; an ES module has to make one. */
const BANNER = { js: 'import { createRequire as __forgeRequire } from "node:module"; const require = __forgeRequire(import.meta.url);' };

/** What both bundles share. Readable output (not minified): stack traces that mean something, for about a megabyte. */
const common = () => ({
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
});

/** The command: an entry that stays tiny, and parts that are loaded when needed. */
export const commandOptions = () => ({
  ...common(),
  entryPoints: { forge: "src/cli/main.ts" },
  outdir: "dist",
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  // The entry must stay free of what only its parts need, so each chunk that uses `require` makes its own.
  banner: {},
  plugins: [commanderWithoutPrograms(), requireInChunks()],
});

/** The llama.cpp worker: one file, node-llama-cpp's JavaScript inside, its binaries from their own packages. */
export const workerOptions = () => ({
  ...common(),
  entryPoints: { "llama-worker": "src/models/llama/worker.ts" },
  outdir: "dist",
  banner: BANNER,
  external: ["@node-llama-cpp/*", "electron"],
  plugins: [nodeLlamaCpp()],
});

/**
 * node-llama-cpp reads its own version and the llama.cpp release from files beside its code, which is
 * not there once it is bundled: both become constants. Its self-test of a binary starts its own source
 * file as a process, which a bundle does not have; it then warns and goes on without, as we want (the
 * worker is a process of its own already): the warning is taken out.
 */
function nodeLlamaCpp() {
  const folder = join(root, "node_modules", "node-llama-cpp");
  return {
    name: "node-llama-cpp",
    setup(build) {
      build.onLoad({ filter: /node-llama-cpp[\\/]dist[\\/]utils[\\/]getModuleVersion\.js$/ }, async () => {
        const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
        return { contents: `export const getModuleVersion = async () => ${JSON.stringify(version)};` };
      });
      build.onLoad({ filter: /node-llama-cpp[\\/]dist[\\/]bindings[\\/]utils[\\/]binariesGithubRelease\.js$/ }, async () => {
        const { release } = JSON.parse(await readFile(join(folder, "llama", "binariesGithubRelease.json"), "utf8"));
        const name = JSON.stringify(release);
        return {
          contents: `export const getBinariesGithubRelease = async () => ${name}; export const setBinariesGithubRelease = async () => {}; export const builtinLlamaCppRelease = ${name}; export const defaultLlamaCppRelease = ${name};`,
        };
      });
      build.onLoad({ filter: /node-llama-cpp[\\/]dist[\\/]bindings[\\/]utils[\\/]testBindingBinary\.js$/ }, () => ({
        contents: "export const testBindingBinary = async () => true;",
      }));
      // Never a download, never a compilation: what would do either is not even there.
      build.onResolve({ filter: /^(ipull|simple-git)$/ }, ({ path }) => ({ path, namespace: "absent" }));
      build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({
        contents:
          'const absent = () => { throw new Error("this build of node-llama-cpp neither downloads nor compiles"); }; export default absent; export { absent as downloadFile, absent as downloadSequence, absent as simpleGit, absent as DownloadStatus };',
      }));
    },
  };
}

/**
 * commander loads Node's `child_process` (and with it `net` and `dgram`) for commands that are programs of their own. Ours are none, and an
 * unchanged run is to load nothing that it does not use.
 */
function commanderWithoutPrograms() {
  return {
    name: "commander-without-programs",
    setup(build) {
      build.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
        /node_modules[\\/]commander[\\/]/.test(importer) ? { path: "child_process", namespace: "when-asked" } : undefined,
      );
      build.onLoad({ filter: /.*/, namespace: "when-asked" }, () => ({
        contents: 'module.exports = { get spawn() { return process.getBuiltinModule("node:child_process").spawn; } };',
      }));
    },
  };
}

/** Puts `require` into every chunk that calls it, and into no other. */
function requireInChunks() {
  return {
    name: "require-in-chunks",
    setup(build) {
      build.initialOptions.write = false;
      build.onEnd((result) => {
        for (const file of result.outputFiles ?? []) {
          if (!/typeof require\b|\brequire\(/.test(file.text) || file.path.endsWith("forge.js")) continue;
          file.contents = new TextEncoder().encode(`${BANNER.js}\n${file.text}`);
        }
      });
    },
  };
}
