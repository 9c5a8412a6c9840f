/** `forge models`: the base models that a project can use; `add` describes one of the user's own in a family file. */
import { resolve } from "node:path";
import { Command } from "commander";
import type { ModelRow, SourceRow } from "../../models/list.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { WELL_KNOWN } from "../../recipe/well-known.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { bytes, plural, table } from "../words.ts";

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

export function define(context: CliContext): Command {
  const list = new Command("list")
    .summary("the families that come with forge, and those in the folder models/")
    .description(
      "Lists the base models: those that come with forge, and the family files in the folder `models` where you stand. Nothing is fetched. A file that cannot be used is shown as broken.",
    )
    .option("--json", "print them as JSON")
    .addHelpText("after", "\nExample:\n  $ forge models list")
    .action(action(context, (flags: { readonly json?: boolean }) => listAll(context, flags)));
  const info = new Command("info")
    .summary("everything that is known of one")
    .description("Says what is known of a base model, by its name or its family file: window, licence, template, weights, how it is trained.")
    .argument("<family>", "a family's name, or the path of a family file")
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge models info smollm2\n  $ forge models info models/qwen2.5-0.5b-instruct.json")
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
    .option("--thinking", "a Qwen3 or DeepSeek-R1 that is to think before it acts (default: it begins after an empty thought)")
    .option("--licence <spdx>", "the weights' licence, in SPDX's words (default: what the model card says)")
    .option("--name <name>", "what to call the family (default: the model's own name)")
    .option("--output <file>", "where to write (default: models/NAME.json)")
    .option("--force", "replace another family file that is there")
    .option("--offline", "fetch nothing")
    .option("--json", "print the family as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge models add ../Qwen2.5-0.5B-Instruct\n  $ forge models add Qwen/Qwen2.5-0.5B-Instruct --licence Apache-2.0")
    .action(action(context, (what: string, flags: AddFlags) => addOne(context, what, flags)));
  return new Command("models").description("Base models: what there is, and one of your own.").addCommand(list).addCommand(info).addCommand(add);
}

async function listAll({ terminal }: CliContext, flags: { readonly json?: boolean }): Promise<ExitCode> {
  const [{ listModels }, { safeText }] = await Promise.all([import("../../models/list.ts"), import("../../platform/redact.ts")]);
  const { models, wrong } = listModels(process.cwd());
  if (flags.json === true) terminal.out(jsonText({ models, wrong }));
  else {
    const rows: string[][] = models.map((m) => [
      m.family,
      parametersOf(m),
      `${m.context_tokens}`,
      memoryWords(m),
      cachedWords(m.sources),
      m.chat.template,
      `${m.title} (${m.licence})`,
    ]);
    rows.push(...wrong.map((w) => [w.family, "broken", "", "", "", "", "cannot be used, see below"]));
    terminal.out(
      `${table([["family", "size", "window", "memory", "weights", "template", "model"], ...rows], { left: [4, 5, 6] })
        .map((l) => safeText(l))
        .join("\n")}\n`,
    );
    const judged = models.flatMap((m) => (m.chat.reason === null ? [] : [[m.family, m.chat.reason]]));
    if (judged.length > 0)
      terminal.out(
        `\nTemplates:\n${table(judged, { left: [1], indent: "  " })
          .map((l) => safeText(l, 1200))
          .join("\n")}\n`,
      );
    const named = new Set(models.flatMap((m) => m.hub_id ?? []));
    const others = Object.entries(WELL_KNOWN).filter(([, hub]) => !named.has(hub));
    if (others.length > 0) terminal.out(`\nOthers, after \`forge models add OWNER/NAME\`:\n${table(others, { left: [1], indent: "  " }).join("\n")}\n`);
    if (wrong.length > 0) terminal.err(`${plural(wrong.length, "file")} in models/ cannot be used:\n`);
    for (const w of wrong) terminal.err(`  ${safeText(w.problem, 400)}\n`);
  }
  return EXIT.ok;
}

async function showOne(context: CliContext, named: string, flags: { readonly json?: boolean }): Promise<ExitCode> {
  const { terminal } = context;
  const [{ familyOfModel }, { rowOf }, { safeText }] = await Promise.all([
    import("../../models/family-file.ts"),
    import("../../models/list.ts"),
    import("../../platform/redact.ts"),
  ]);
  const family = familyOfModel({ family: named }, process.cwd());
  if (!family.ok) return fail(context, family.error.failure);
  const row = rowOf(family.value);
  if (flags.json === true) terminal.out(jsonText(row));
  else for (const line of lines(row)) terminal.out(`${safeText(line)}\n`);
  return EXIT.ok;
}

async function addOne(context: CliContext, what: string, { offline, json, ...flags }: AddFlags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ addModel }, { rowOf }, { safeText }] = await Promise.all([
    import("../../models/add/index.ts"),
    import("../../models/list.ts"),
    import("../../platform/redact.ts"),
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
    for (const line of lines(row)) terminal.out(`${safeText(line)}\n`);
    terminal.out(
      safeText(`${written === "unchanged" ? "As it was" : "Written"}: ${row.family}. In the recipe:\n\n  model: { family: ${yamlWord(row.family)} }\n`),
    );
  }
  return EXIT.ok;
}

/** A path as a value inside braces of YAML. */
const yamlWord = (text: string): string => (/^[A-Za-z0-9._/][A-Za-z0-9._/+-]*$/.test(text) ? text : JSON.stringify(text));

const parametersOf = ({ parameters: n }: ModelRow): string => (n < 1e9 ? `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)}M` : `${(n / 1e9).toFixed(1)}B`);
const memoryWords = ({ memory }: ModelRow): string => `${memory.measured ? "" : "~"}${bytes(memory.bytes)}`;
const cachedWords = (sources: readonly SourceRow[]): string =>
  sources.some((s) => s.cached) ? "in the cache" : `${bytes(sources.find((s) => s.name === "default")?.bytes ?? 0)}`;

function lines(m: ModelRow): string[] {
  const overrides = Object.entries(m.training.overrides["*"] ?? {}).map(([name, value]) => `${name} ${value}`);
  const rows: [string, string][] = [
    ["family", m.family === m.name ? m.name : `${m.name} (${m.family})`],
    ["model", m.hub_id === null ? m.title : `${m.title} (${m.hub_id})`],
    ["licence", m.licence],
    ["size", `${parametersOf(m)} parameters, ${m.architecture}, cut as ${m.tokenizer}`],
    ["window", `${m.context_tokens} tokens`],
    ["chat", `${m.chat.template === "official" ? "by its own template" : m.template}, ends at ${m.stop_tokens.join(" ")}`],
    ...(m.chat.reason === null ? [] : [["template", m.chat.reason] as [string, string]]),
    [
      "training",
      `${memoryWords(m)} of memory${m.memory.measured ? "" : ", estimated by its size"}; ${overrides.length === 0 ? "the profiles' defaults" : overrides.join(", ")}`,
    ],
    ...m.sources.map((s): [string, string] => [`source ${s.name}`, `${s.from}, ${bytes(s.bytes)}, ${s.quantization}${s.cached ? ", in the cache" : ""}`]),
  ];
  return table(rows, { left: [1] });
}
