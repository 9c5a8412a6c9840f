/**
 * Makes src/schemas/generated from schemas/: one TypeScript module of types a schema
 * (json-schema-to-typescript) and one module of precompiled validators (ajv standalone), so that no
 * type is written twice and no schema is compiled at run time. Run by `npm run generate`.
 */
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import standalone from "ajv/dist/standalone/index.js";
import addFormats from "ajv-formats";
import { compile } from "json-schema-to-typescript";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, "schemas");
const target = join(root, "src/schemas/generated");
const BANNER = "// Generated from schemas/ by scripts/generate.mjs. Do not edit.\n";

/** Resolves a reference from one of our schemas to another by its $id, without any network. */
const local = {
  order: 1,
  canRead: /^https:\/\/mcp-forge\.dev\/schemas\//,
  read: async (file) => typesOnly(JSON.parse(await readFile(join(source, basename(new URL(file.url).pathname)), "utf8"))),
};

await mkdir(target, { recursive: true });
const files = (await readdir(source)).filter((f) => f.endsWith(".schema.json")).sort();
const ajv = new Ajv.default({
  allErrors: true,
  // Where alternatives name their kind, only that one's problems are told.
  discriminator: true,
  strict: true,
  strictTypes: false,
  strictRequired: false,
  allowUnionTypes: true,
  verbose: false,
  // Each definition becomes one function: a tenth of the code, which has to be parsed at every start.
  inlineRefs: false,
  code: { source: true, esm: true },
});
addFormats.default(ajv);
const schemas = await Promise.all(files.map(async (f) => JSON.parse(await readFile(join(source, f), "utf8"))));
for (const schema of schemas) ajv.addSchema(schema);
for (const [i, file] of files.entries()) {
  const name = file.replace(".schema.json", "");
  const options = {
    bannerComment: BANNER.trimEnd(),
    unknownAny: true,
    ignoreMinAndMaxItems: true,
    cwd: source,
    format: false,
    $refOptions: { resolve: { forge: local } },
  };
  await writeIfChanged(join(target, `${name}.ts`), await compile(typesOnly(schemas[i]), schemas[i].title, options));
  await writeIfChanged(join(target, `${name}.validate.js`), BANNER + asModule(standalone.default(ajv, { validate: schemas[i].$id })));
  await writeIfChanged(
    join(target, `${name}.validate.d.ts`),
    `${BANNER}import type { ErrorObject } from "ajv";\nexport declare const validate: { (data: unknown): boolean; errors?: ErrorObject[] | null };\n`,
  );
}

/**
 * A copy without the rules that only say which members go together (`oneOf: [{required: …}, …]` beside
 * `properties`): they constrain values, and would turn a plain interface into an intersection with an
 * index signature, which accepts anything.
 */
function typesOnly(node) {
  if (Array.isArray(node)) return node.map(typesOnly);
  if (node === null || typeof node !== "object") return node;
  const rule = (branch) => Object.keys(branch).every((key) => ["required", "maxProperties", "minProperties", "not"].includes(key));
  const kept = Object.entries(node).filter(
    ([key, value]) => !(["oneOf", "anyOf", "allOf"].includes(key) && node.properties && Array.isArray(value) && value.every(rule)),
  );
  return Object.fromEntries(kept.map(([key, value]) => [key, typesOnly(value)]));
}

/** ajv's ESM output still `require`s its small run-time helpers; makes them imports. */
function asModule(code) {
  const imports = new Map();
  const body = code.replace(/require\("([^"]+)"\)/g, (_, id) => {
    if (!imports.has(id)) imports.set(id, `dep${imports.size}`);
    return imports.get(id);
  });
  // Bundlers and Node disagree on whether the default import of CommonJS is its `exports` or its `exports.default`.
  const lines = [...imports].map(
    ([id, name]) =>
      `import ${name}_ from "${id.endsWith(".js") ? id : `${id}.js`}";\nconst ${name} = typeof ${name}_ === "function" ? { default: ${name}_ } : ${name}_;`,
  );
  return `${[...lines, body].join("\n")}\n`;
}

/** Leaves the file alone when it already holds the text, so that watchers stay quiet; else replaces it whole (others may be reading it). */
async function writeIfChanged(path, text) {
  const old = await readFile(path, "utf8").catch(() => null);
  if (old === text) return;
  const beside = `${path}.${process.pid}`;
  await writeFile(beside, text);
  await rename(beside, path);
}
