/**
 * The commands, one row each: name, the line that `forge --help` shows, and where its code is. A row's
 * file is loaded only when the command is used. Adding a command is adding a file and a row.
 */
import type { Define } from "./context.ts";

export interface CatalogueRow {
  readonly name: string;
  readonly summary: string;
  /** Heading in `forge --help`. */
  readonly group: string;
  readonly load: () => Promise<{ readonly define: Define }>;
}

const MAIN = "The recipe:";
const STAGES = "One stage: of a recipe (apply, up to there), or by itself on files:";
const BUNDLES = "Bundles:";
const TOOLS = "Tools and data:";
const SHELL = "Shell:";

export const CATALOGUE: readonly CatalogueRow[] = [
  { name: "init", group: MAIN, summary: "write a starter recipe", load: () => import("./commands/init.ts") },
  { name: "plan", group: MAIN, summary: "say what apply would do, and why; start nothing", load: () => import("./commands/plan.ts") },
  { name: "apply", group: MAIN, summary: "from the recipe to the bundle; only what changed runs", load: () => import("./commands/apply.ts") },
  { name: "run", group: MAIN, summary: "apply without a recipe file: makes one from its flags", load: () => import("./commands/run.ts") },
  { name: "status", group: MAIN, summary: "what the last runs left: stages, figures, gates, bundle", load: () => import("./commands/status.ts") },
  { name: "logs", group: MAIN, summary: "what the last run said, and what its processes printed", load: () => import("./commands/logs.ts") },
  { name: "runs", group: MAIN, summary: "the runs so far: when, how long, how they ended", load: () => import("./commands/runs.ts") },
  { name: "why", group: MAIN, summary: "say why one stage would run, and what it depends on", load: () => import("./commands/why.ts") },
  { name: "graph", group: MAIN, summary: "print the stages and what comes before what", load: () => import("./commands/graph.ts") },
  { name: "diff", group: MAIN, summary: "what changed since a commit: recipe, results, figures", load: () => import("./commands/diff.ts") },
  { name: "gc", group: MAIN, summary: "free the disk of results that nothing names any more", load: () => import("./commands/gc.ts") },
  { name: "store", group: MAIN, summary: "read every byte of the store and say what is damaged", load: () => import("./commands/store.ts") },
  { name: "unlock", group: MAIN, summary: "end the lock of a run that is gone", load: () => import("./commands/unlock.ts") },
  { name: "doctor", group: MAIN, summary: "what this machine has, and what is missing", load: () => import("./commands/doctor.ts") },
  { name: "generate", group: STAGES, summary: "make the training data", load: () => import("./commands/generate.ts") },
  { name: "qa", group: STAGES, summary: "measure the data and judge it", load: () => import("./commands/qa.ts") },
  { name: "train", group: STAGES, summary: "fine-tune the base model", load: () => import("./commands/train.ts") },
  { name: "export", group: STAGES, summary: "write the model as GGUF, in every format of the recipe", load: () => import("./commands/export.ts") },
  { name: "validate", group: STAGES, summary: "run the exported model in real tool loops", load: () => import("./commands/validate.ts") },
  {
    name: "benchmark",
    group: STAGES,
    summary: "measure it against the base; or run a bundle on your own cases",
    load: () => import("./commands/benchmark.ts"),
  },
  { name: "pack", group: BUNDLES, summary: "write the bundle", load: () => import("./commands/pack.ts") },
  { name: "verify-bundle", group: BUNDLES, summary: "check every byte of a bundle, load its model, try it", load: () => import("./commands/verify-bundle.ts") },
  { name: "try", group: BUNDLES, summary: "give a bundle one prompt, or chat with it", load: () => import("./commands/try.ts") },
  { name: "tools", group: TOOLS, summary: "list the tools of a server, a file or a recipe; import definitions", load: () => import("./commands/tools.ts") },
  { name: "models", group: TOOLS, summary: "the base models that there are, and adding one of your own", load: () => import("./commands/models.ts") },
  { name: "data", group: TOOLS, summary: "bring conversations from one program's form to another's", load: () => import("./commands/data.ts") },
  { name: "stub", group: TOOLS, summary: "run a stand-in tool server (MCP over stdio)", load: () => import("./commands/stub.ts") },
  { name: "completion", group: SHELL, summary: "a script that completes commands and flags (bash, zsh, fish)", load: () => import("./commands/completion.ts") },
];
