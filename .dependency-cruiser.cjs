/**
 * The layer rule: a layer may import what stands below it, and nothing above; no circles anywhere.
 * The order is that of docs/architecture.md, highest first. Run by `npm run lint`.
 */
const LAYERS = ["cli", "stages", "bundle", "evaluation", "data", "models", "tools", "runners", "recipe", "engine", "platform", "schemas"];

const onlyDownwards = LAYERS.slice(1).map((layer, i) => ({
  name: `${layer}-imports-upwards`,
  comment: `src/${layer} stands below ${LAYERS.slice(0, i + 1).join(", ")}: move what both need further down, or hand it in.`,
  severity: "error",
  from: { path: `^src/${layer}/` },
  to: { path: `^src/(${LAYERS.slice(0, i + 1).join("|")})/` },
}));

module.exports = {
  forbidden: [
    ...onlyDownwards,
    {
      name: "engine-knows-no-domain",
      comment: "The engine could build something else: it knows stages as data, and neither recipes nor machine learning.",
      severity: "error",
      from: { path: "^src/engine/" },
      to: { path: "^src/(?!engine/|platform/|schemas/)" },
    },
    {
      name: "platform-stands-alone",
      comment: "The platform is the ground: nothing of the project is below it but generated types.",
      severity: "error",
      from: { path: "^src/platform/" },
      to: { path: "^src/(?!platform/|schemas/)" },
    },
    {
      name: "llama-only-in-its-worker",
      comment: "node-llama-cpp is bundled into dist/llama-worker.js alone: a crash of native code must never end forge. Types are free.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/models/llama/(worker|decoder)\\.ts$" },
      to: { path: "node-llama-cpp", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-circles",
      comment: "A circle has no top and no bottom; importing only a type counts too.",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true },
    },
    {
      name: "unknown-layer",
      comment: "Every folder of src/ is a layer with a place in the order.",
      severity: "error",
      from: { path: `^src/(?!${LAYERS.join("/|")}/)` },
      to: {},
    },
    {
      name: "not-resolvable",
      comment: "An import that leads nowhere.",
      severity: "error",
      from: { path: "^src/" },
      to: { couldNotResolve: true },
    },
    {
      name: "undeclared-package",
      comment: "A package that package.json does not name is there by luck.",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^src/schemas/generated/.*\\.js$" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
      extensions: [".ts", ".js", ".json"],
    },
  },
};
