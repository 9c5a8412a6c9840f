/** `forge models`: the base models that a project can use; `pin` looks a family's size up on the hub, `add` describes one of the user's own in a family file. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import type { PinPlace } from "../../models/pin.ts";
import type { Size } from "../../models/registry.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { action, type CliContext } from "../context.ts";
import { fail, warn } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { pinnedWords, tellers } from "../pin.ts";
import { recipePath } from "../recipe.ts";
import { seconds, waitSeconds } from "../run.ts";
import { plural } from "../words.ts";

interface AddFlags {
  readonly template?: string;
  readonly licence?: string;
  readonly name?: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly thinking?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
}

interface PinFlags {
  readonly variant?: string;
  readonly update?: boolean;
  readonly offline?: boolean;
  readonly waitLock?: number | true;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  const list = new Command("list")
    .summary("the families that come with forge, and those in the folder models/")
    .description(
      "Lists the base models: those that come with forge, and the family files in the folder `models` where you stand. Where a family has several sizes, the least and the most of them is said. Nothing is fetched. A file that cannot be used is shown as broken.",
    )
    .option("--json", "print them as JSON")
    .addHelpText("after", "\nExample:\n  $ forge models list")
    .action(action(context, (flags: { readonly json?: boolean }) => listAll(context, flags)));
  const info = new Command("info")
    .summary("everything that is known of one")
    .description(
      "Says what is known of a base model, by its name or its family file: sizes, window, licence, template, thinking, weights, memory, how it is trained, what forge.lock pins.",
    )
    .argument("<family>", "a family's name, or the path of a family file")
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge models info qwen-2.5\n  $ forge models info models/qwen2.5-0.5b-instruct.json")
    .action(action(context, (family: string, flags: { readonly json?: boolean }) => showOne(context, family, flags)));
  const add = new Command("add")
    .summary("describe a model of your own, so that a recipe can name it")
    .description(
      "Looks at a model (a folder in the hub's form, a GGUF file, or a repository of the model hub) and writes a family file for it, which pins its files byte for byte. Nothing of the model is run, and of weights on the hub only the headers are fetched.\nWhat cannot be found out is asked for by name (--template, --licence); a model that forge cannot fine-tune is refused.\nExit codes: 0 written, 4 the model cannot be used or a flag is wrong, 6 the hub cannot be reached or the disk says no, 130 interrupted.",
    )
    .argument("<what>", "FOLDER, FILE.gguf, or OWNER/NAME[@REVISION] of the model hub (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE)")
    .option(
      "--template <name>",
      "chat template: ours, official (the model's own, where it loses nothing), or by name chatml, deepseek-r1, deepseek-r1-thinking, gemma-3, glm-4, llama-3, llama-3.1, mistral, mistral-v7, phi-4, qwen2.5, qwen3, qwen3-thinking, smollm2 (default: ours, by the vocabulary's turn markers)",
    )
    .option(
      "--thinking",
      "the model is to think before it acts; where its vocabulary has no <think> and </think>, both are added and trained (default: no thoughts)",
    )
    .option("--licence <spdx>", "the weights' licence, in SPDX's words (default: what the model card says)")
    .option("--name <name>", "what to call the family (default: the model's own name)")
    .option("--output <file>", "where to write (default: models/NAME.json)")
    .option("--force", "replace another family file that is there")
    .option("--offline", "fetch nothing")
    .option("--json", "print the family as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge models add ../Qwen2.5-0.5B-Instruct\n  $ forge models add Qwen/Qwen2.5-0.5B-Instruct --licence Apache-2.0")
    .action(action(context, (what: string, flags: AddFlags) => addOne(context, what, flags)));
  const pin = new Command("pin")
    .summary("pin a recipe's base model, or one of a family, in the lockfile")
    .description(
      "Asks the model hub which files the recipe's base model is made of today (a commit, and each file's digest) and writes that into the recipe's lockfile, as `forge apply` does at the first need. What is pinned stays as it is, but with --update. Of weights only the headers are fetched.\nInstead of a recipe, FAMILY/SIZE is pinned in ./forge.lock, by which stages on single files go.\nExit codes: 0 pinned (or nothing to pin), 4 the model is another one or cannot be used, 5 the project is locked, 6 the hub cannot be reached or gives nothing out, 130 interrupted.",
    )
    .argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml), or FAMILY/SIZE")
    .option("--variant <name>", "lay this variant of the recipe over it")
    .option("--update", "pin what the hub has today, though something is pinned")
    .option("--wait-lock [seconds]", "wait for another run to end, so long at most", seconds)
    .option("--offline", "fetch nothing")
    .option("--json", "print what is pinned as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge models pin forge.yaml\n  $ forge models pin qwen-2.5/7b")
    .action(action(context, (what: string | undefined, flags: PinFlags) => pinOne(context, what, flags)));
  return new Command("models")
    .description("Base models: what there is, and one of your own.")
    .addCommand(list)
    .addCommand(info)
    .addCommand(pin)
    .addCommand(add);
}

async function listAll({ terminal }: CliContext, flags: { readonly json?: boolean }): Promise<ExitCode> {
  const [{ listModels }, { safeText }, { listWords, templateWords }] = await Promise.all([
    import("../../models/list.ts"),
    import("../../platform/redact.ts"),
    import("../render/models.ts"),
  ]);
  const { models, wrong } = listModels(process.cwd());
  if (flags.json === true) {
    terminal.out(jsonText({ models, wrong }));
    return EXIT.ok;
  }
  const print = (lines: readonly string[], most?: number): void => terminal.out(`${lines.map((l) => safeText(l, most)).join("\n")}\n`);
  print(listWords(models, wrong));
  const judged = templateWords(models);
  if (judged.length > 0) print(["", "Templates:", ...judged], 1200);
  print([
    "",
    "Sizes, licences and all else of one: forge models info FAMILY. Any other model of these kinds: forge models add OWNER/NAME, FOLDER or FILE.gguf.",
  ]);
  if (wrong.length > 0) terminal.err(`${plural(wrong.length, "file")} in models/ cannot be used:\n`);
  for (const w of wrong) terminal.err(`  ${safeText(w.problem, 400)}\n`);
  return EXIT.ok;
}

async function showOne(context: CliContext, named: string, flags: { readonly json?: boolean }): Promise<ExitCode> {
  const { terminal } = context;
  const [{ familyOfModel, modelOfWord }, { rowOf }, { safeText }, { infoWords }] = await Promise.all([
    import("../../models/family-file.ts"),
    import("../../models/list.ts"),
    import("../../platform/redact.ts"),
    import("../render/models.ts"),
  ]);
  const family = familyOfModel({ family: modelOfWord(named).family }, process.cwd());
  if (!family.ok) return fail(context, family.error.failure);
  const row = rowOf(family.value);
  if (flags.json === true) terminal.out(jsonText(row));
  else for (const line of infoWords(row)) terminal.out(`${safeText(line)}\n`);
  return EXIT.ok;
}

async function addOne(context: CliContext, what: string, { offline, json, ...flags }: AddFlags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ addModel }, { rowOf }, { safeText }, { infoWords }] = await Promise.all([
    import("../../models/add/index.ts"),
    import("../../models/list.ts"),
    import("../../platform/redact.ts"),
    import("../render/models.ts"),
  ]);
  if (offline === true) (await import("../../platform/offline.ts")).goOffline();
  const interrupt = listenForInterrupt((line) => terminal.err(`${line}\n`), "stopping, nothing is written");
  const added = await addModel(what, {
    ...flags,
    signal: interrupt.signal,
    onFile: (name) => terminal.err(`reading ${safeText(name, 200)}\n`),
    onWarning: (message) => terminal.err(`warning: ${safeText(message)}\n`),
  });
  interrupt.release();
  if (!added.ok) return fail(context, added.error);
  const { family, written } = added.value;
  const row = rowOf(family);
  if (json === true) terminal.out(jsonText({ ...row, file: resolve(family.file), written }));
  else {
    for (const line of infoWords(row)) terminal.out(`${safeText(line)}\n`);
    terminal.out(
      safeText(`${written === "unchanged" ? "As it was" : "Written"}: ${row.family}. In the recipe:\n\n  model: { family: ${yamlWord(row.family)} }\n`),
    );
  }
  return EXIT.ok;
}

/** A path as a value inside braces of YAML. */
const yamlWord = (text: string): string => (/^[A-Za-z0-9._/][A-Za-z0-9._/+-]*$/.test(text) ? text : JSON.stringify(text));

interface PinTarget {
  /** Undefined where there is nothing to pin. */
  readonly size: Size | undefined;
  readonly pins: PinPlace;
  readonly projectRoot: string;
  /** Where the recipe says it. */
  readonly place?: Pick<Failure, "place">;
}

/** The size that a word or a recipe means, and where it is to be pinned. A pin that is there already is not looked at: it may be what is to be replaced. */
async function pinTarget(context: CliContext, what: string | undefined, flags: PinFlags): Promise<Result<PinTarget, Failure | readonly Failure[]>> {
  const [{ sizeOfModel }, { getFamily }, { modelOfWord }, { findProjectRoot, loadRecipe }, { pinsOfFolder, pinsOfRecipe }, { wellKnown }] = await Promise.all([
    import("../../models/resolve.ts"),
    import("../../models/family.ts"),
    import("../../models/family-file.ts"),
    import("../../recipe/load.ts"),
    import("../../models/pin.ts"),
    import("../../recipe/well-known.ts"),
  ]);
  // A family by a name that is not ours is none, and no recipe either.
  if (what !== undefined && !existsSync(what) && (getFamily(modelOfWord(what).family).ok || wellKnown(what) !== undefined)) {
    const size = sizeOfModel(modelOfWord(what), process.cwd());
    if (!size.ok) return err(size.error.failure);
    return ok({ size: size.value, pins: pinsOfFolder(process.cwd()), projectRoot: findProjectRoot(process.cwd()) });
  }
  const loaded = await loadRecipe(recipePath(context, what), { variant: flags.variant });
  if (!loaded.ok) return loaded;
  warn(context, loaded.value.warnings);
  const { recipe, dir, file, projectRoot, placeOf } = loaded.value;
  const size = sizeOfModel(recipe.model, dir);
  if (!size.ok) return err({ place: placeOf(size.error.path), ...size.error.failure });
  return ok({ size: size.value, pins: pinsOfRecipe(file, flags.variant), projectRoot, place: { place: placeOf(["model", "family"]) } });
}

async function pinOne(context: CliContext, what: string | undefined, flags: PinFlags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ pinSize }, { safeText }, { rowOf }] = await Promise.all([
    import("../../stages/pin.ts"),
    import("../../platform/redact.ts"),
    import("../../models/list.ts"),
  ]);
  if (flags.offline === true) (await import("../../platform/offline.ts")).goOffline();
  const target = await pinTarget(context, what, flags);
  if (!target.ok) return fail(context, target.error);
  const { size, pins, projectRoot, place } = target.value;
  const lockfile = pins.path;
  if (size === undefined) {
    if (flags.json === true) terminal.out(jsonText({ pinned: null, lockfile }));
    else terminal.out("Nothing to pin: forge, or a family file, knows the base model byte for byte.\n");
    return EXIT.ok;
  }
  const interrupt = listenForInterrupt((line) => terminal.err(`${line}\n`), "stopping, nothing is pinned");
  const told = flags.json !== true;
  const options = { signal: interrupt.signal, projectRoot, pins, update: flags.update === true, waitLockSeconds: waitSeconds(flags.waitLock) };
  const pinned = await pinSize(size, { ...(await tellers(context, told)), ...options });
  interrupt.release();
  if (!pinned.ok) return fail(context, { ...place, ...pinned.error });
  const { word, family, written } = pinned.value;
  if (flags.json === true) terminal.out(jsonText({ pinned: word, lockfile, written, ...rowOf(family) }));
  else terminal.out(`${safeText(await pinnedWords(pinned.value, lockfile))}\n`);
  return EXIT.ok;
}
