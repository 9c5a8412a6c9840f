/** What a GGUF is, in words: `forge export --inspect`. Every text of the file is foreign. */
import type { GgufInspection } from "../../models/inspect-gguf.ts";
import { safeText } from "../../platform/redact.ts";
import { bytes, cut, oneLine, plural } from "../words.ts";

/** Lines of a chat template that are shown; `--json` has it whole. */
const TEMPLATE_LINES = 6;
const MOST_TOOLS = 40;

export function ggufWords(g: GgufInspection, width: number): string {
  const say = (text: string, most = 400): string => cut(oneLine(safeText(text)), most);
  const rows: [string, string][] = [["file", `${say(g.file)} (${bytes(g.bytes)})`]];
  const row = (name: string, value: string | null | undefined): void => {
    if (value !== null && value !== undefined && value !== "") rows.push([name, value]);
  };
  if (g.damaged !== null) row("DAMAGED", say(g.damaged));
  row("what", g.kind === "model" ? null : say(g.kind === "adapter" ? "a LoRA adapter, no model by itself" : g.kind));
  row("name", g.name === null ? null : say(g.name));
  row("description", g.description === null ? null : say(g.description));
  row("licence", g.licence === null ? null : say(g.licence));
  row("architecture", say(g.architecture ?? "not named"));
  row("parameters", g.parameters === 0 ? null : `${count(g.parameters)}${g.bits_per_weight === null ? "" : `, ${g.bits_per_weight} bits a weight`}`);
  const sizes = Object.entries(g.sizes).map(
    ([name, n]) => `${name.replaceAll("_", " ").replace("attention.", "").replace("rope.freq base", "rope base")} ${n}`,
  );
  row("sizes", sizes.join(", "));
  const tensors = Object.entries(g.quantization.tensors).map(([type, n]) => `${n} ${say(type)}`);
  row("quantization", [g.quantization.format === null ? "not named" : say(g.quantization.format), tensors.join(", ")].filter((t) => t !== "").join(": "));
  const { imatrix } = g.quantization;
  row(
    "imatrix",
    imatrix &&
      [imatrix.dataset && say(imatrix.dataset), imatrix.entries === null ? "" : plural(imatrix.entries, "matrix").replace("matrixs", "matrices")]
        .filter(Boolean)
        .join(", "),
  );
  if (g.tokenizer !== null) {
    row(
      "tokenizer",
      `${say(g.tokenizer.model ?? "not named")}${g.tokenizer.pre === null ? "" : ` (${say(g.tokenizer.pre)})`}, ${plural(g.tokenizer.tokens, "token")}`,
    );
    row(
      "control tokens",
      Object.entries(g.tokenizer.special)
        .map(([role, t]) => `${say(role)} ${t.id}${t.text === null ? "" : ` ${JSON.stringify(say(t.text, 40))}`}`)
        .join(", "),
    );
  }
  if (g.forge !== null) {
    row("base model", g.forge.base_model === null ? null : say(g.forge.base_model));
    const shown = g.forge.tools.slice(0, MOST_TOOLS).map((t) => say(t, 100));
    row("tools", `${shown.join(", ")}${g.forge.tools.length > shown.length ? ` and ${g.forge.tools.length - shown.length} more` : ""}`);
    row("toolset hash", g.forge.toolset_hash === null ? null : say(g.forge.toolset_hash));
    row("recipe hash", g.forge.recipe_hash === null ? null : say(g.forge.recipe_hash));
    row("dataset hash", g.forge.dataset_hash === null ? null : say(g.forge.dataset_hash));
    row(
      "training",
      Object.entries(g.forge.training)
        .map(([name, v]) => `${say(name).replaceAll("_", " ")} ${say(String(v), 40)}`)
        .join(", "),
    );
  }
  const pad = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(pad)}  ${value}`);
  if (g.forge === null) lines.push(`${"".padEnd(pad)}  (not made by MCP-Forge: it names no tools)`);
  if (g.chat_template !== null) {
    const template = safeText(g.chat_template).split("\n");
    lines.push("", "chat template", ...template.slice(0, TEMPLATE_LINES).map((l) => `  ${cut(l, Math.max(20, width - 2))}`));
    if (template.length > TEMPLATE_LINES) lines.push(`  … ${plural(template.length - TEMPLATE_LINES, "more line")} (--json has all)`);
  } else if (g.kind === "model") lines.push("", "no chat template");
  return `${lines.join("\n")}\n`;
}

/** `135M`, `3.6M`, `8.0B`. */
function count(n: number): string {
  const [value, unit] = n >= 1e9 ? [n / 1e9, "B"] : n >= 1e6 ? [n / 1e6, "M"] : n >= 1e3 ? [n / 1e3, "K"] : [n, ""];
  return unit === "" ? String(n) : `${value < 9.95 ? value.toFixed(1) : Math.round(value)}${unit}`;
}
