/**
 * What a family of the project's own has to be: of the schema's form, and free of what a schema cannot say. For files that are read
 * (family-file.ts), and for what `forge models add` is about to write.
 */
import { err, ok, type Result } from "../platform/result.ts";
import type { RecipePath } from "../recipe/types.ts";
import type { Family } from "../schemas/generated/family.ts";
import { validate } from "../schemas/generated/family.validate.js";
import { familyNames, isComplete } from "./family.ts";
import { ARCHITECTURES, chatTemplates, PIECES, PRE_TOKENIZERS, problemOfWords } from "./known.ts";
import { thinkingOf } from "./thinking.ts";

export const FAMILY_HINT = "`forge models add` writes such a file; schemas/family.schema.json describes it.";
const SHOWN_PROBLEMS = 3;

export interface Contradiction {
  readonly path: RecipePath;
  readonly message: string;
  readonly hint: string;
  /** It is not even of the schema's form. */
  readonly form?: true;
}

/** Of data from outside, a family; else what in it is wrong, the first thing that can be pointed at. Reads nothing but forge's own files. */
export function checkFamily(data: unknown): Result<Family, Contradiction> {
  if (!validate(data)) {
    const problems = validate.errors ?? [];
    const said = [...new Set(problems.map((e) => `${e.instancePath || "the file"} ${e.message ?? "is not valid"}`))].slice(0, SHOWN_PROBLEMS);
    return err({ path: stepsOf(problems[0]?.instancePath ?? ""), message: said.join("; "), hint: FAMILY_HINT, form: true });
  }
  const family = data as Family; // the schema's own type: what `validate` has just proven
  const wrong = contradictions(family)[0];
  return wrong === undefined ? ok(family) : err(wrong);
}

/** What the schema cannot say of a project's family. */
function contradictions(f: Family): Contradiction[] {
  const found: Contradiction[] = [];
  const say = (path: RecipePath, message: string, hint: string = FAMILY_HINT): void => void found.push({ path, message, hint });
  if (isComplete(f.name)) say(["name"], `\`${f.name}\` is the name of a family that comes with forge`, "Give it a name of its own.");
  if (!chatTemplates().includes(f.template)) say(["template"], `there is no chat template \`${f.template}\``, `Use one of: ${chatTemplates().join(", ")}.`);
  if (!ARCHITECTURES.includes(f.architecture))
    say(["architecture"], `forge cannot fine-tune the architecture \`${f.architecture}\``, `It can: ${ARCHITECTURES.join(", ")}.`);
  if (!PRE_TOKENIZERS.includes(f.tokenizer))
    say(["tokenizer"], `forge does not know the pre-tokenizer \`${f.tokenizer}\``, `It knows: ${PRE_TOKENIZERS.join(", ")}.`);
  if (f.head_start !== undefined) say(["head_start"], "a head start belongs to a family that comes with forge", "Remove `head_start`.");
  if (f.larger !== undefined && !familyNames().includes(f.larger)) say(["larger"], `there is no family \`${f.larger}\``, "Remove `larger`.");
  const words = problemOfWords(f.template, f.special_tokens, f.stop_tokens);
  if (words !== undefined) say([words.key], words.message, "Name tokens as the model's vocabulary has them, and the template that they belong to.");
  const thinking = thinkingOf(f.template);
  if (thinking === undefined && f.thinking !== null)
    say(["thinking"], `the chat template \`${f.template}\` lets no model think: \`thinking\` is null`, "`forge models add … --thinking` writes what is due.");
  else if (thinking !== undefined && (f.thinking?.open !== thinking.open || f.thinking.close !== thinking.close))
    say(
      ["thinking"],
      `the chat template \`${f.template}\` writes thoughts between ${thinking.open} and ${thinking.close}, and \`thinking\` has to say so`,
      `Write { "open": "${thinking.open}", "close": "${thinking.close}" }, or use the template \`${thinking.instead}\`.`,
    );
  found.push(...ofAddition(f));
  if (f.chat?.template === "official")
    for (const key of ["bos_token", "eos_token"] as const) {
      const token = f.chat[key];
      if (token !== undefined && !f.special_tokens.includes(token)) say(["chat", key], `\`${key}\` is none of \`special_tokens\``);
    }
  const { whole = 1, first = 0, first_without_call = 0 } = f.training.examples ?? {};
  const turnByTurn = thinking !== undefined || (f.chat?.template === "official" && f.chat.rewrites);
  if (turnByTurn && (whole !== 1 || first !== 0 || first_without_call !== 0))
    say(
      ["training", "examples"],
      `a family ${thinking === undefined ? "whose template rewrites turns" : "that thinks"} learns each turn whole and once: there is nothing for \`training.examples\` to say`,
      "Remove it.",
    );
  if (f.lora.targets !== "all-linear")
    say(["lora", "targets"], "a project's family is trained in all linear layers: `lora.targets` is `all-linear`", 'Write "all-linear".');
  for (const [name, source] of Object.entries(f.sources)) {
    const path = ["sources", name];
    if (source?.kind === "wheel" || source?.kind === "package" || source?.kind === "repository" || source?.kind === "same")
      say([...path, "kind"], `a source of a project's family is \`hub\` or \`folder\`, not \`${source.kind}\``);
    else if (source?.kind === "folder") {
      const ready = Object.keys(source.files).filter((file) => file.endsWith(".gguf"));
      const weights = Object.keys(source.files).filter((file) => file.endsWith(".safetensors"));
      if (ready.length > 1 || (ready.length > 0 && weights.length > 0)) say([...path, "files"], "a folder holds one GGUF, or weights as safetensors, not both");
      else if (ready.length === 0 && !["BF16", "F16"].includes(source.quantization))
        say([...path, "quantization"], "weights that are converted stay BF16 or F16");
    }
  }
  return found;
}

/** Where the words around a thought cannot be added to the vocabulary as `thinking.add` says. */
function ofAddition({ thinking, tokenizer, sources, special_tokens, stop_tokens }: Family): Contradiction[] {
  if (thinking?.add === undefined) return [];
  const { add, open, close } = thinking;
  const ready = Object.values(sources).some((s) => s?.kind === "folder" && Object.keys(s.files).some((file) => file.endsWith(".gguf")));
  const used = add.find((slot) => [...special_tokens, ...stop_tokens, open, close].includes(slot));
  const wrong =
    tokenizer === PIECES
      ? "the vocabulary is SentencePiece's, to which no token can be added"
      : ready
        ? "a GGUF is taken as it is: no token is added to its vocabulary"
        : add.length === 1 || new Set(add).size !== add.length
          ? "`add` names two reserved tokens, one for each text, or none"
          : used !== undefined
            ? `\`add\` names ${JSON.stringify(used)}, which is a token of another meaning`
            : undefined;
  return wrong === undefined ? [] : [{ path: ["thinking", "add"], message: wrong, hint: "`forge models add … --thinking` writes what is due." }];
}

/** JSON pointer → its steps. */
const stepsOf = (pointer: string): string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
