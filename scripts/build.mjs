/**
 * Builds dist/: generates what comes from the schemas, bundles the program (esbuild, rolldown), unpacks llama.cpp's
 * converter, and makes `npx forge` work in the repository itself. Run by `npm run build`, and by `npm ci`
 * through `prepare`.
 *
 *   dist/forge.js          the command (executable); loads its parts, dist/chunks/, only when needed
 *   dist/llama-worker.js   the child process around llama.cpp
 *   dist/llama.cpp/        llama.cpp's own converter (Python), of the release that the worker runs
 *   dist/THIRD-PARTY.txt   licences of what is bundled
 *
 * What is not code of the program (schemas, templates, python/) stays where it is and is found through the
 * package's root.
 */
import { chmod, mkdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { commandOptions, root, workerOptions } from "./bundle-options.mjs";
import { unpackConverter } from "./converter.mjs";
import { licencesOf } from "./licences.mjs";
import { mergeChunks } from "./merge-chunks.mjs";

await import("./generate.mjs");

const dist = join(root, "dist");
const [command, worker] = await Promise.all([build({ ...commandOptions(), write: false }), build({ ...workerOptions(), write: false })]);
// The bundles that users make go to dist/ too (dist/NAME): only what is ours is replaced.
await rm(join(dist, "chunks"), { recursive: true, force: true });
const files = [...(await mergeChunks(command, root, dist)), ...worker.outputFiles];
for (const file of files) await replace(file.path, file.contents);
await chmod(join(dist, "forge.js"), 0o755);
await replace(join(dist, "THIRD-PARTY.txt"), await licencesOf([command.metafile, worker.metafile]));
await unpackConverter(join(dist, "llama.cpp"));
await linkCommands();
console.log(`dist: ${files.length} files, ${(files.reduce((sum, f) => sum + f.contents.length, 0) / 1e6).toFixed(2)} MB of JavaScript`);

/** Writes beside and renames, so that a forge that is running never reads half a file. */
async function replace(path, contents) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.${process.pid}`, contents);
  await rename(`${path}.${process.pid}`, path);
}

/**
 * npm links the commands of dependencies, not those of the root package (npx finds these by itself, npm's
 * scripts and tests do not): so they are put into node_modules/.bin here.
 */
async function linkCommands() {
  const bin = join(root, "node_modules", ".bin");
  if (!(await stat(join(root, "node_modules")).catch(() => null))) return;
  await mkdir(bin, { recursive: true });
  for (const name of ["forge", "mcp-forge"]) {
    const link = join(bin, name);
    await rm(link, { force: true });
    await symlink("../../dist/forge.js", link).catch(() => writeFile(link, '#!/usr/bin/env node\nimport("../../dist/forge.js");\n', { mode: 0o755 }));
  }
}
