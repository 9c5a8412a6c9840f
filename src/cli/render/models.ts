/** Base models in words: the table of all, and everything of one. Nothing here is made safe for a terminal: whoever prints it does that. */
import type { ModelRow, SizeRow, SourceRow, WrongFamily } from "../../models/list.ts";
import { bytes, table } from "../words.ts";

const LONGEST_TABLE_CELL = 60;

/** The table of all families: one line each. */
export function listWords(models: readonly ModelRow[], wrong: readonly WrongFamily[]): string[] {
  const rows: string[][] = models.map((m) => [
    m.family,
    range(
      sizesIn(m).map((s) => s.parameters),
      count,
    ),
    range(
      sizesIn(m).map((s) => s.context_tokens),
      String,
    ),
    range(
      sizesIn(m).map((s) => s.memory.bytes),
      (b) => `${m.memory.measured ? "" : "~"}${bytes(b)}`,
    ),
    range(vramsIn(m), (gb) => `~${bytes(gb * 1e9)}`),
    cachedWords(m),
    m.chat.template,
    `${m.title} (${[...new Set(sizesIn(m).map((s) => s.licence))].join(", ").slice(0, LONGEST_TABLE_CELL)}${m.sources.some((s) => s.model?.gated === true) ? ", gated" : ""})`,
  ]);
  rows.push(...wrong.map((w) => [w.family, "broken", "", "", "", "", "", "cannot be used, see below"]));
  return table([["family", "size", "window", "memory", "4 bits", "weights", "template", "model"], ...rows], { left: [5, 6, 7] });
}

/** What is said of each family's own chat template. */
export const templateWords = (models: readonly ModelRow[]): string[] =>
  table(
    models.flatMap((m) => (m.chat.reason === null ? [] : [[m.family, m.chat.reason]])),
    { left: [1], indent: "  " },
  );

/** The family's own model, and its sizes. */
type OneSize = Pick<SizeRow, "parameters" | "context_tokens" | "memory" | "licence">;
function sizesIn(m: ModelRow): OneSize[] {
  const sizes = m.sources.flatMap((s) => s.model ?? []);
  return sizes.length === m.sources.length ? sizes : [m, ...sizes];
}
const vramsIn = (m: ModelRow): number[] => [
  ...(m.vram === null ? [] : [m.vram.qlora_gb]),
  ...m.sources.flatMap((s) => (s.model === undefined ? [] : [s.model.vram.qlora_gb])),
];

/** The least and the most. */
function range(values: readonly number[], words: (value: number) => string): string {
  if (values.length === 0) return "";
  const [least, most] = [words(Math.min(...values)), words(Math.max(...values))];
  return least === most ? least : `${least}-${most}`;
}

const count = (n: number): string => (n < 0.9995e9 ? `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)}M` : `${(n / 1e9).toFixed(1)}B`);

function cachedWords({ sources }: ModelRow): string {
  if (sources.some((s) => s.cached)) return "in the cache";
  const first = sources.find((s) => s.name === "default" || s.also?.includes("default") === true);
  return first?.bytes == null ? "hub" : bytes(first.bytes);
}

/** Everything of one. */
export function infoWords(m: ModelRow): string[] {
  const overrides = Object.entries(m.training.overrides["*"] ?? {}).map(([name, value]) => `${name} ${value}`);
  const several = m.sources.some((s) => s.model !== undefined);
  const rows: [string, string][] = [
    ["family", m.family === m.name ? m.name : `${m.name} (${m.family})`],
    ["model", m.hub_id === null ? m.title : `${m.title} (${m.hub_id})`],
    ["licence", m.licence],
    ["size", `${count(m.parameters)} parameters, ${m.architecture}, cut as ${m.tokenizer}`],
    ["window", `${m.context_tokens} tokens`],
    ["gguf", m.gguf_architecture],
    ["chat", `${m.chat.template === "official" ? "by its own template" : m.template}, ends at ${m.stop_tokens.join(" ")}`],
    ...(m.chat.reason === null ? [] : [["template", m.chat.reason] as [string, string]]),
    ["calls", `${m.tool_call_syntax}: <tool_call>{"name": …, "arguments": …}</tool_call>`],
    ["thinking", thinkingWords(m.thinking)],
    ["adapter", m.lora.targets === "all-linear" ? "on all linear layers" : `on ${[m.lora.targets].flat().join(", ")}`],
    ...(m.ollama === null
      ? []
      : [
          [
            "ollama",
            `the Modelfile's template is ${m.ollama.template} off the chat template${m.ollama.version === undefined ? "" : `; Ollama ${m.ollama.version} or newer`}`,
          ] as [string, string],
        ]),
    ...(m.runtime === null ? [] : [["runtime", `${m.runtime.recommended}: ${m.runtime.reason}`] as [string, string]]),
    [
      "training",
      `${memoryWords(m.memory)} of memory${m.memory.measured ? "" : ", estimated by its size"}${m.vram === null ? "" : `; ${vramWords(m.vram)}`}; ${overrides.length === 0 ? "the profiles' defaults" : overrides.join(", ")}`,
    ],
    ...m.sources.map((s): [string, string] => [`source ${[s.name, ...(s.also ?? [])].join(", ")}`, sourceWords(s, m)]),
    ...(several ? [["", "A size is pinned in the recipe's lockfile at the first apply, or by `forge models pin`."] as [string, string]] : []),
  ];
  return table(rows, { left: [1] });
}

function thinkingWords(thinking: ModelRow["thinking"]): string {
  if (thinking === null) return "no";
  const { open, close, add } = thinking;
  const where = add?.length === 2 ? `in place of ${add.join(" and ")}` : "with ids of their own";
  return `yes, between ${open} and ${close}${add === undefined ? "" : `, which are added to its vocabulary (${where}) and trained`}`;
}

function sourceWords(s: SourceRow, m: ModelRow): string {
  const cached = s.cached ? ", in the cache" : "";
  if (s.model === undefined) return `${s.from}, ${bytes(s.bytes ?? 0)}, ${s.quantization}${cached}`;
  const { model } = s;
  const other = (word: string, own: string): string => (word === own ? "" : `, ${word}`);
  return [
    `${s.from}, ${count(model.parameters)}, ${vramWords(model.vram)}`,
    other(`${model.context_tokens} tokens`, `${m.context_tokens} tokens`),
    other(model.architecture, m.architecture),
    other(model.template, m.template),
    other(model.licence, m.licence),
    model.gated ? ", gated: HF_TOKEN of an account that has accepted its licence on the hub" : "",
    model.pinned === null ? "" : `, pinned at ${model.pinned.slice(0, 12)}${s.bytes === null ? "" : `, ${bytes(s.bytes)}`}`,
    cached,
  ].join("");
}

const vramWords = ({ qlora_gb, measured }: NonNullable<ModelRow["vram"]>): string =>
  `${measured ? "" : "~"}${bytes(qlora_gb * 1e9)} of a GPU in 4 bits${measured ? "" : " (an estimate)"}`;
const memoryWords = ({ bytes: count, measured }: ModelRow["memory"]): string => `${measured ? "" : "~"}${bytes(count)}`;
