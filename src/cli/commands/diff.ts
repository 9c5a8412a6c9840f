/** `forge diff`: what changed in the recipe, its results and its figures since a commit. */
import { relative } from "node:path";
import { Command } from "commander";
import type { NodeChange } from "../../engine/compare.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import type { JsonValue } from "../../platform/json.ts";
import { safeText } from "../../platform/redact.ts";
import { ok, type Result } from "../../platform/result.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { jsonText } from "../json.ts";
import { openRecipe } from "../recipe.ts";
import type { Terminal } from "../terminal.ts";
import { figure, figureBeside, table } from "../words.ts";

interface Flags {
  readonly recipe?: string;
  readonly to?: string;
  readonly variant?: string;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  return new Command("diff")
    .description(
      "Shows what changed between a commit and now (or another commit): values of the recipe, stages that were made anew, figures and verdicts as the lockfile has them. It starts nothing.",
    )
    .argument("[commit]", "the commit, branch or tag to compare with", "HEAD")
    .option("--to <commit>", "compare with this commit instead of the working tree")
    .option("--recipe <file>", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml)")
    .option("--variant <name>", "this variant of the recipe")
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge diff main\n  $ forge diff HEAD~3 --to HEAD")
    .action(action(context, (commit: string, flags: Flags) => run(context, commit, flags)));
}

interface Side {
  readonly recipe: { readonly [key: string]: JsonValue } | undefined;
  readonly section: Parameters<typeof import("../../engine/compare.ts").compareSections>[0];
}

async function run(context: CliContext, commit: string, flags: Flags): Promise<ExitCode> {
  const opened = await openRecipe(context, flags.recipe, flags);
  if (!opened.ok) return fail(context, opened.error);
  const { loaded, pipeline } = opened.value;
  const [
    { commitOf, fileAt, isRepository },
    { compareSections },
    { parseLockfile, readLockfile, sectionOf },
    { differences },
    { Source },
    { readRecipe },
    { buildGraph },
  ] = await Promise.all([
    import("../../engine/git.ts"),
    import("../../engine/compare.ts"),
    import("../../engine/lockfile.ts"),
    import("../../engine/reasons.ts"),
    import("../../recipe/source.ts"),
    import("../../recipe/load.ts"),
    import("../../engine/graph.ts"),
  ]);
  const repository = await isRepository(loaded.dir);
  if (!repository.ok) return fail(context, { ...repository.error, hint: "`git status` in this folder says more" });
  if (!repository.value)
    return fail(context, {
      code: "engine/no-repository",
      message: "this folder is in no git repository, so there is no commit to compare with",
      hint: "run `git init` and commit the recipe and its lockfile",
      exit: EXIT.environment,
    });
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as { readonly [key: string]: JsonValue };
  const names = { recipe: relative(loaded.dir, loaded.file), lockfile: relative(loaded.dir, pipeline.lockfile) };

  /** Recipe and lockfile of a commit. One that this version cannot read counts as absent: its words are another's. */
  const at = async (word: string): Promise<Result<Side>> => {
    const found = await commitOf(loaded.dir, word);
    if (!found.ok) return found;
    const [recipe, lockfile] = [await fileAt(loaded.dir, found.value, names.recipe), await fileAt(loaded.dir, found.value, names.lockfile)];
    if (!recipe.ok) return recipe;
    if (!lockfile.ok) return lockfile;
    const options = {
      dir: loaded.dir,
      projectRoot: loaded.projectRoot,
      env: process.env,
      // Its files were those of then.
      withoutFiles: true,
      ...(loaded.variant === undefined ? {} : { variant: loaded.variant }),
    };
    const read = recipe.value === undefined ? undefined : readRecipe(new Source(names.recipe, recipe.value), options);
    const locked = lockfile.value === undefined ? ok(undefined) : parseLockfile(lockfile.value, `${names.lockfile} of ${word}`);
    if (!locked.ok) return locked;
    return ok({ recipe: read?.ok === true ? plain(read.value.recipe) : undefined, section: sectionOf(locked.value, loaded.variant) });
  };
  const now = async (): Promise<Result<Side>> => {
    const locked = readLockfile(pipeline.lockfile);
    return locked.ok ? ok({ recipe: plain(loaded.recipe), section: sectionOf(locked.value, loaded.variant) }) : locked;
  };
  const [before, after] = [await at(commit), flags.to === undefined ? await now() : await at(flags.to)];
  if (!before.ok) return fail(context, before.error);
  if (!after.ok) return fail(context, after.error);
  const [x, y] = [before.value, after.value];
  // The profile's table follows from the profile, which is shown.
  const shown = (side: Side) => ({ ...side.recipe, profileTable: undefined });
  const recipe =
    x.recipe === undefined || y.recipe === undefined ? undefined : differences(shown(x), shown(y), (path) => `\`${path}\``, Number.POSITIVE_INFINITY);
  const graph = buildGraph(pipeline.nodes).nodes;
  const nodes = compareSections(
    x.section,
    y.section,
    graph.map((n) => n.id),
  );
  if (flags.json === true) context.terminal.out(jsonText({ from: commit, to: flags.to ?? null, recipe: recipe ?? null, nodes }));
  else {
    const without = [...(x.recipe === undefined ? [commit] : []), ...(y.recipe === undefined ? [flags.to ?? "the working tree"] : [])];
    const gates = new Set(graph.filter((n) => n.kind === "gate").map((n) => n.id));
    context.terminal.out(words({ commit, without, recipe, nodes, gates }, context.terminal));
  }
  return EXIT.ok;
}

const CHANGES: Readonly<Record<NodeChange["change"], string>> = {
  added: "new",
  removed: "gone",
  made: "made anew",
  "same-request": "another outcome of the same request",
};

interface Differences {
  readonly commit: string;
  /** The sides that have no recipe to compare. */
  readonly without: readonly string[];
  readonly recipe: readonly string[] | undefined;
  readonly nodes: readonly NodeChange[];
  readonly gates: ReadonlySet<string>;
}

/** A node's row among the results; undefined where its figures or its verdict, which have rows of their own, say all. */
function resultRow(n: NodeChange, isGate: boolean): string[] | undefined {
  const version = n.version === undefined ? [] : [`version ${n.version.before} → ${n.version.after}`];
  if (n.change === "added" || n.change === "removed" || n.outputs.length > 0) return [n.id, CHANGES[n.change], [...n.outputs, ...version].join(", ")];
  if (version.length === 0 && (n.figures.length > 0 || n.passed !== undefined)) return undefined;
  const what = version[0] ?? (n.change === "made" ? "another request" : "other figures");
  return [n.id, what, isGate ? `${n.passed === undefined ? "same" : "another"} verdict` : "same outputs"];
}

function words({ commit, without, recipe, nodes, gates: isGate }: Differences, { paint }: Pick<Terminal, "paint">): string {
  const lines: string[] = [];
  const head = (text: string): void => {
    lines.push(...(lines.length > 0 ? [""] : []), paint("bold", text));
  };
  if (without.length > 0) lines.push(`${without.join(" and ")} ${without.length > 1 ? "have" : "has"} no recipe here that this version reads.`);
  else if (recipe !== undefined && recipe.length > 0) {
    head("recipe");
    lines.push(...recipe.map((r) => `  ${safeText(r)}`));
  }
  const results = nodes.map((n) => resultRow(n, isGate.has(n.id))).filter((row) => row !== undefined);
  if (results.length > 0) {
    head("results");
    lines.push(...table(results, { indent: "  ", left: [1, 2] }));
  }
  const figures = nodes.flatMap((n) =>
    n.figures.map((f) => [n.id, f.figure, figureBeside(f.before, f.after), "→", figureBeside(f.after, f.before), change(f.before, f.after)]),
  );
  if (figures.length > 0) {
    head("figures");
    lines.push(...table(figures, { indent: "  ", left: [1] }));
  }
  const verdict = (passed: boolean | null): string => (passed === null ? "not judged" : passed ? "passed" : "refused");
  const gates = nodes.flatMap((n) => (n.passed === undefined ? [] : [`  ${n.id}: ${verdict(n.passed.before)} → ${verdict(n.passed.after)}`]));
  if (gates.length > 0) {
    head("gates");
    lines.push(...gates);
  }
  return lines.length === 0 ? `No difference to ${commit}.\n` : `${lines.join("\n")}\n`;
}

const change = (before: number | null, after: number | null): string =>
  before === null || after === null ? "" : `${after >= before ? "+" : "−"}${figure(Math.abs(after - before))}`;
