/**
 * Puts what an unchanged `forge apply` loads into one file. esbuild splits by which entries reach a module, which leaves that path in more than
 * fifty files of a few kilobytes, and opening, resolving and linking them takes longer than their code does. rolldown bundles esbuild's
 * output once more, with a group for them; everything else stays split and is loaded when it is needed.
 */
import { basename, dirname, join, resolve } from "node:path";
import { rolldown } from "rolldown";

/** What `forge apply`, `plan` and `status` load when nothing has changed: the modules that are imported when they are needed. What these import is found. */
const STARTUP = [
  "src/cli/program.ts",
  "src/cli/commands/apply.ts",
  "src/recipe/load.ts",
  "src/stages/pipeline.ts",
  "src/engine/apply.ts",
  "src/platform/offline.ts",
  "src/cli/render/closing.ts",
];

/**
 * @param built esbuild's result, with `metafile`
 * @param outdir absolute path of the entry's folder
 * @param instead modules that stand in another's place in this build (bench/engine.mjs)
 * @returns files with absolute `path` and `contents`, in the form of esbuild's
 */
export async function mergeChunks({ outputFiles, metafile }, root, outdir, instead = {}) {
  const texts = new Map(outputFiles.map((f) => [f.path, f.text]));
  const startup = new Set();
  const follow = (output) => {
    if (startup.has(output)) return;
    startup.add(output);
    for (const { path, kind } of metafile.outputs[output].imports) if (kind === "import-statement" && metafile.outputs[path] !== undefined) follow(path);
  };
  for (const name of STARTUP) {
    const found = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === (instead[name] ?? name));
    if (found === undefined) throw new Error(`scripts/merge-chunks.mjs: nothing imports ${name} when it is needed; take it from STARTUP, or give its new name`);
    follow(found[0]);
  }
  const entry = join(outdir, "forge.js");
  const together = new Set([...startup].map((output) => resolve(root, output)));
  const bundle = await rolldown({
    input: { forge: entry },
    platform: "node",
    treeshake: false,
    external: (id) => !id.startsWith(".") && !id.startsWith("/") && !/^[A-Za-z]:/.test(id),
    plugins: [
      {
        name: "built",
        resolveId: (id, from) => (id.startsWith(".") && from !== undefined ? resolve(dirname(from), id) : texts.has(id) ? id : null),
        load: (id) => texts.get(id) ?? null,
      },
    ],
  });
  const { output } = await bundle.generate({
    format: "esm",
    entryFileNames: "forge.js",
    chunkFileNames: "chunks/[name]-[hash].js",
    codeSplitting: { groups: [{ name: "startup", test: (id) => together.has(id) && id !== entry }] },
  });
  await bundle.close();
  const files = output.map((chunk) => ({ path: join(outdir, chunk.fileName), contents: chunk.code, name: basename(chunk.fileName) }));
  shortcuts(files);
  return files;
}

/** A file that only passes names on from the start. */
const PASSES_ON = /^export \{ ([^}]*) \} from "\.\/(startup-[^"]+)";\s*$/;

/**
 * What is imported when it is needed and lies in the start already costs a file to open, compile and link: a millisecond or two each, half a dozen
 * times. The start takes it from itself, and the entry takes the start.
 */
function shortcuts(files) {
  const start = files.find((f) => f.name.startsWith("startup-"));
  const entry = files.find((f) => f.name === "forge.js");
  const names = (list) => list.split(",").map((pair) => pair.trim().split(" as "));
  const exported = new Map(names(/export \{([^}]*)\};\s*$/.exec(start.contents)[1]).map(([local, name = local]) => [name, local]));
  const own = [];
  for (const file of files) {
    const passed = PASSES_ON.exec(file.contents);
    if (passed === null) continue;
    const members = (of) =>
      names(passed[1])
        .map(([name, as = name]) => `${as}: ${of(name)}`)
        .join(", ");
    // In a function of the file's own scope: where it is called, a name may be another's.
    const shortcut = `shortcut$${own.length}`;
    own.push(`function ${shortcut}() { return Promise.resolve({ ${members((name) => exported.get(name))} }); }\n`);
    start.contents = start.contents.replaceAll(`import("./${file.name}")`, `${shortcut}()`);
    entry.contents = entry.contents.replaceAll(
      `import("./chunks/${file.name}")`,
      `import("./chunks/${start.name}").then((start) => ({ ${members((name) => `start.${name}`)} }))`,
    );
  }
  start.contents += own.join("");
  // Helpers that the entry uses none of: `--version` is to open one file.
  entry.contents = entry.contents.replace(/^import "\.\/chunks\/[^"]+";\n/gm, "");
}
