/** The notices of everything that is bundled into dist/: names, versions and licence texts. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./bundle-options.mjs";

/** One text with the licence of each package that put code into the outputs of these builds (esbuild metafiles), by name. */
export async function licencesOf(metafiles) {
  const folders = new Set(["node_modules/node-llama-cpp"]);
  for (const { outputs } of metafiles) {
    for (const { inputs } of Object.values(outputs)) {
      for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
        const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
        if (match && bytesInOutput > 0) folders.add(match[1]);
      }
    }
  }
  const parts = await Promise.all([...folders].map(notice));
  const intro = "dist/ holds code of these packages. dist/llama.cpp/ holds a part of llama.cpp; its licence lies there.\n";
  return `${intro}\n${parts.sort().join("\n")}`;
}

async function notice(folder) {
  const path = join(root, folder);
  const { name, version, license, author } = JSON.parse(await readFile(join(path, "package.json"), "utf8"));
  const file = (await readdir(path)).find((f) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(f));
  const text = file
    ? (await readFile(join(path, file), "utf8")).trim()
    : `Copyright ${typeof author === "string" ? author : (author?.name ?? "its authors")}. No licence text in the package.`;
  if (!license && !file) throw new Error(`${name} names no licence and has no licence file`);
  return `${"=".repeat(80)}\n${name} ${version} (${license ?? "see below"})\n${"=".repeat(80)}\n${text}\n`;
}
