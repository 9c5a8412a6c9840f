/**
 * A model's vocabulary, as far as forge has to know it: which pre-tokenizer of llama.cpp cuts text as its own does, which texts are one control
 * token, at which an answer ends, and which chat template fits.
 */
import { err, ok, type Result } from "../../platform/result.ts";
import { chatTemplates, ENDING, PIECES, TEMPLATES } from "../known.ts";
import { reasonOf, roundTrip, verdictOf } from "../official/round-trip.ts";
import type { OfficialTemplate } from "../official/template.ts";
import type { ChatFamily, UsedTemplate } from "../rendering.ts";
import { type FamilyThinking, THINKING_TEMPLATES, type ThinkingWords, thinkingFor, thinkingInstead, thinkingOf } from "../thinking.ts";
import { isRecord, unfit } from "./files.ts";

/** What decides how a model is talked to, from a tokenizer.json or from a GGUF. */
export interface Vocabulary {
  /** llama.cpp's name of the pre-tokenizer. */
  readonly tokenizer: string;
  /** Tokens of their own, in the order of their ids. */
  readonly added: readonly { readonly text: string; readonly control: boolean }[];
  /** Texts of the tokens that the model's own files name as ends, the most important first. */
  readonly ends: readonly string[];
  /** The model's own chat template. */
  readonly ownTemplate: string;
  /** What that means by `bos_token` and `eos_token`. */
  readonly named?: Pick<OfficialTemplate, "bos_token" | "eos_token">;
  /** Whether tokens can be added to it. */
  readonly growth: Growth;
}

/** Reserved tokens that nobody uses, in the order of their ids; or why no token can be added, as the end of a sentence, and what to do. */
export type Growth = { readonly free: readonly string[] } | { readonly why: string; readonly hint: string };

const QWEN2 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/**
 * Expressions as tokenizer.json has them → llama.cpp's name of what cuts alike (src/llama-vocab.cpp, release v0.5.0, where the original stands beside
 * each).
 */
const EXPRESSIONS: ReadonlyMap<string, string> = new Map([
  [QWEN2, "qwen2"],
  [QWEN2.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"), "qwen2"],
  [QWEN2.replace("|\\p{N}|", "|\\p{N}{1,3}|"), "llama-bpe"],
  [
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "tekken",
  ],
]);

/**
 * llama.cpp's name for a vocabulary that is cut as Llama 3's and then merged: Llama 3 takes a piece that is a token as that token, whatever its merges say.
 * @param said the tokenizer.json says that it does not; Llama 3's older ones say nothing
 */
const mergedName = (architecture: unknown, said: boolean): string =>
  architecture === "glm4" ? "glm4" : architecture === "phi3" || said ? "dbrx" : "llama-bpe";

/** A tokenizer.json with the files beside it. */
export function vocabularyOf(
  files: {
    readonly tokenizer: Readonly<Record<string, unknown>>;
    readonly about: Readonly<Record<string, unknown>>;
    readonly config: Readonly<Record<string, unknown>>;
    readonly generation: Readonly<Record<string, unknown>>;
    readonly template: string | undefined;
    /** Whether SentencePiece's own file is there, from which llama.cpp's converter has the scores. */
    readonly pieces: boolean;
  },
  shown: string,
): Result<Vocabulary> {
  const { tokenizer, about, config, generation } = files;
  const { model, normalizer, pre_tokenizer: pre, added_tokens: listed } = tokenizer;
  const no = (
    why: string,
    hint = "Byte-level vocabularies work: those of Llama 3, Qwen, SmolLM2, Phi-4, GLM-4 and Mistral with Tekken; and Gemma 3's.",
  ): Result<never> => err(unfit("unsupported", `forge cannot fine-tune ${shown}: ${why}`, hint));
  if (!isRecord(model) || model.type !== "BPE") return no("its vocabulary is no byte-level BPE");
  const gemma = config.model_type === "gemma3_text";
  if (gemma && !(model.byte_fallback === true && isSpaces(normalizer, "Replace") && (pre === null || pre === undefined || isSpaces(pre, "Split"))))
    return no("its vocabulary is not of the form of Gemma 3's");
  if (gemma && !files.pieces)
    return no("it lacks tokenizer.model, without which its vocabulary cannot be converted", "Fetch the repository with all its files.");
  if (!gemma && (model.byte_fallback === true || sentencePiece(normalizer)))
    return no("its vocabulary is SentencePiece's, which forge cuts text with for Gemma 3 only");
  if (!gemma && normalizer !== null && normalizer !== undefined && !isNfc(normalizer))
    return no("its vocabulary changes text before it cuts it, which llama.cpp does not");
  const cut = gemma ? PIECES : preTokenizer(pre);
  const name = cut === "llama-bpe" && model.ignore_merges !== true ? mergedName(config.model_type, model.ignore_merges === false) : cut;
  if (name === undefined) return no("forge does not know which of llama.cpp's pre-tokenizers cuts text as its own does");
  if (!Array.isArray(listed)) return no("its tokenizer.json lists no `added_tokens`");
  const added = listed
    .flatMap((t) =>
      isRecord(t) && typeof t.content === "string" && typeof t.id === "number" ? [{ id: t.id, text: t.content, control: t.special === true }] : [],
    )
    .sort((a, b) => a.id - b.id);
  const byId = new Map(added.map((t) => [t.id, t.text]));
  const ids = [generation.eos_token_id, config.eos_token_id].flat().filter((id): id is number => typeof id === "number");
  const eos = textOf(about.eos_token);
  const ends = [...(eos === undefined ? [] : [eos]), ...ids.flatMap((id) => byId.get(id) ?? [])];
  const bos = textOf(about.bos_token);
  const growth: Growth = gemma
    ? { why: "is SentencePiece's", hint: OTHER_BASE }
    : growthOf(model.vocab, added, tokenizer.post_processor, about, [config, generation]);
  return ok({
    ...{ growth, tokenizer: name, added, ends: [...new Set(ends)], ownTemplate: files.template ?? templateText(about.chat_template) },
    named: { ...(bos === undefined ? {} : { bos_token: bos }), ...(eos === undefined ? {} : { eos_token: eos }) },
  });
}

/** Names of tokens that a vocabulary keeps for later: Llama 3's, Phi-4's, Mistral's with Tekken, and others'. */
const RESERVED = /^<\|?(reserved_special_token|reserved|dummy|extra|unused|SPECIAL)_?\d+\|?>$/;
const OTHER_BASE = "Leave --thinking out, or use a model that has them (Qwen3, DeepSeek-R1 and its distilled models).";

/** A model made of another may have given a reserved token a meaning and left it its name: what its files name elsewhere is not free. */
function growthOf(
  pieces: unknown,
  added: readonly { readonly id: number; readonly text: string }[],
  after: unknown,
  { added_tokens_decoder: _, additional_special_tokens: __, extra_special_tokens: extra, ...about }: Readonly<Record<string, unknown>>,
  settings: readonly Readonly<Record<string, unknown>>[],
): Growth {
  const words = Object.values(THINKING_TEMPLATES).flatMap(({ open, close }) => [open, close]);
  const piece = isRecord(pieces) ? words.find((word) => Object.hasOwn(pieces, word)) : undefined;
  if (piece !== undefined && !added.some((t) => t.text === piece)) return { why: `has ${piece} as a piece of words`, hint: OTHER_BASE };
  // A list of all control tokens names no use of them; by names of their own (transformers' dictionary) they have one.
  const named = JSON.stringify([after ?? null, about, isRecord(extra) ? extra : null]);
  const ids = new Set(settings.flatMap((s) => Object.entries(s).flatMap(([key, value]) => (key.endsWith("_token_id") ? [value].flat() : []))));
  return { free: added.filter((t) => RESERVED.test(t.text) && !named.includes(JSON.stringify(t.text).slice(1, -1)) && !ids.has(t.id)).map((t) => t.text) };
}

/** SentencePiece's way with spaces: they become letters, and whoever cut at them would find none. */
const isSpaces = (value: unknown, type: "Replace" | "Split"): boolean =>
  isRecord(value) && value.type === type && isRecord(value.pattern) && value.pattern.String === " " && (type === "Split" || value.content === "▁");
const sentencePiece = (normalizer: unknown): boolean => JSON.stringify(normalizer ?? null).includes("▁");
const isNfc = (n: unknown): boolean =>
  isRecord(n) && (n.type === "NFC" || (n.type === "Sequence" && Array.isArray(n.normalizers) && n.normalizers.every((inner) => isNfc(inner))));
const textOf = (token: unknown): string | undefined =>
  typeof token === "string" ? token : isRecord(token) && typeof token.content === "string" ? token.content : undefined;

/** `chat_template` of tokenizer_config.json: a text, or several by name. */
function templateText(value: unknown): string {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return "";
  const named = value.filter(isRecord);
  const found = named.find((t) => t.name === "default") ?? named[0];
  return typeof found?.template === "string" ? found.template : "";
}

/** llama.cpp's name of a pre-tokenizer of a tokenizer.json. */
export function preTokenizer(pre: unknown): string | undefined {
  if (!isRecord(pre) || pre.type !== "Sequence" || !Array.isArray(pre.pretokenizers) || pre.pretokenizers.length !== 2) return undefined;
  const [first, last] = pre.pretokenizers as readonly unknown[];
  if (!isRecord(first) || !isRecord(last) || last.type !== "ByteLevel" || last.add_prefix_space === true) return undefined;
  if (first.type === "Digits") return first.individual_digits === true && last.use_regex !== false ? "smollm" : undefined;
  if (first.type !== "Split" || last.use_regex !== false || !isRecord(first.pattern)) return undefined;
  const isolated = first.invert === true ? first.behavior === "Removed" : first.behavior === "Isolated";
  if (!isolated) return undefined;
  return typeof first.pattern.Regex === "string" ? EXPRESSIONS.get(first.pattern.Regex) : undefined;
}

export interface Talk {
  readonly template: string;
  /** The texts around a thought, where the template lets the model think. */
  readonly thinking: FamilyThinking | null;
  readonly stopTokens: readonly string[];
  readonly specialTokens: readonly string[];
  /** What the model's own template keeps or loses. */
  readonly reason: string;
  /** The model's own template, where that is what the model is to be talked to by. */
  readonly official?: UsedTemplate;
}

/** Tokens with letters only are words of a language, if they are no control tokens. */
const MARKUP = /[<>[\]|{}]/;
/** Gemma has 6,242 that mean nothing; to look for each of them in every text would take longer than all else. */
const UNUSED = /^<unused\d+>$/;

/** Words for the templates that are no names of one. */
const [OFFICIAL, OURS] = ["official", "ours"] as const;

/** How a model with this vocabulary is talked to. `said`: the template that the user names; `think`: the model is to think aloud. */
export function talkOf(v: Vocabulary, said: string | undefined, shown: string, think = false): Result<Talk> {
  const known = new Set(v.added.map((t) => t.text));
  const wanted = said === OFFICIAL || said === OURS ? undefined : said;
  const plain = wanted === undefined ? templateFor(known, v.ownTemplate) : wanted.endsWith(".jinja") ? wanted : `${wanted}.jinja`;
  const file = think && plain !== undefined && thinkingOf(plain) === undefined ? thinkingFor(plain) : plain;
  if (file === undefined && plain !== undefined)
    return err(
      unfit(
        "no-thinking",
        `--thinking does not go with the chat template \`${plain}\`, by which ${shown} is talked to`,
        `Leave it out, or name a template that lets a model think, whose tokens the vocabulary has: --template ${thinkingNames().join(" | ")}`,
      ),
    );
  const names = chatTemplates().map((t) => t.replace(/\.jinja$/, ""));
  if (file === undefined)
    return err(
      unfit(
        "template-needed",
        `forge does not know how ${shown} is talked to: its vocabulary has the turn markers of none of our chat templates`,
        `Name the template whose markers it has: --template ${names.join(" | ")}`,
      ),
    );
  const words = TEMPLATES[file];
  if (words === undefined) return err(unfit("bad-value", `there is no chat template \`${wanted}\``, `Use one of: ${[OURS, OFFICIAL, ...names].join(", ")}.`));
  const missing = words.needs.filter((token) => !known.has(token));
  const thinking = thinkingOf(file);
  const added =
    think && thinking !== undefined && [thinking.open, thinking.close].every((token) => missing.includes(token)) ? addition(v, thinking) : undefined;
  if (added?.ok === false) return err(unfit("unsupported", `${shown} cannot be made to think: ${added.error.why}`, added.error.hint));
  const absent = added === undefined ? missing : missing.filter((token) => token !== thinking?.open && token !== thinking?.close);
  if (absent.length > 0)
    return err(
      unfit(
        "unsupported",
        `the chat template \`${file}\` does not fit ${shown}: its vocabulary has no token ${absent.join(", ")}`,
        thinking !== undefined && absent.every((token) => token === thinking.open || token === thinking.close)
          ? "Say --thinking, and forge adds both to a vocabulary that has neither; or leave that template out."
          : "Name another with --template, or use another model.",
      ),
    );
  const eos = v.ends[0];
  const stopTokens = [...new Set([words.end, ...v.ends.filter((t) => known.has(t) && (ENDING.has(t) || (words.also ?? []).includes(t) || t === eos))])];
  const replaced = added?.value ?? [];
  const control = v.added
    .filter((t) => t.text.trim() !== "" && !replaced.includes(t.text) && !UNUSED.test(t.text) && (t.control || MARKUP.test(t.text)))
    .map((t) => t.text);
  const specialTokens = [...new Set([...control, ...words.needs, ...stopTokens])];
  const own = ownTalk(v, { template: file, special_tokens: specialTokens }, said === OFFICIAL, shown);
  if (!own.ok) return own;
  return ok({
    template: file,
    thinking: thinking === undefined ? null : { open: thinking.open, close: thinking.close, ...(added === undefined ? {} : { add: [...added.value] }) },
    stopTokens,
    specialTokens,
    ...own.value,
  });
}

/** The reserved tokens in whose places the words around a thought can stand: one each, or none where the vocabulary has not so many. */
function addition(
  { growth, ownTemplate }: Vocabulary,
  { open, close }: ThinkingWords,
): Result<readonly string[], { readonly why: string; readonly hint: string }> {
  if ("why" in growth) return err({ ...growth, why: `its vocabulary has no token ${open}, ${close}, and none can be added: it ${growth.why}` });
  const free = growth.free.filter((text) => !ownTemplate.includes(text));
  return ok(free.length < 2 ? [] : free.slice(0, 2));
}

/** What a round trip says of the model's own template, and that template where it is wanted: then it has to lose nothing. */
function ownTalk(v: Vocabulary, family: ChatFamily, wanted: boolean, shown: string): Result<Pick<Talk, "reason" | "official">> {
  const no = (why: string, hint: string): Result<never> =>
    err(unfit("official-template", `${shown} cannot be talked to by its own chat template: ${why}`, hint));
  if (v.ownTemplate.trim() === "") return wanted ? no("it has none", USE_OURS) : ok({ reason: "it came without a chat template of its own" });
  // What it does not speak of is nothing to it.
  const named = Object.fromEntries(Object.entries(v.named ?? {}).filter(([name]) => v.ownTemplate.includes(name)));
  const text: OfficialTemplate = { text: v.ownTemplate, ...named };
  const tried = roundTrip(text, family);
  if (tried.usable) {
    const { rewrites, spacing } = tried;
    return ok({ reason: reasonOf(tried), ...(wanted ? { official: { ...text, rewrites, spacing } } : {}) });
  }
  const aloud = thinkingInstead(family.template);
  const thinking = aloud === undefined ? undefined : roundTrip(text, { ...family, template: aloud });
  if (wanted) return no(`it ${verdictOf(tried)}`, thinking?.usable === true ? "Let it think: --template official --thinking" : USE_OURS);
  return ok({ reason: thinking?.usable === true ? `${reasonOf(thinking)}; it is for a model that thinks (--thinking)` : reasonOf(tried) });
}

const USE_OURS = "Leave --template out, or say --template ours: forge then talks to it by a template of its own with the same turn markers.";

const thinkingNames = (): string[] => Object.keys(THINKING_TEMPLATES).map((name) => name.replace(/\.jinja$/, ""));

/** The template whose turn markers a vocabulary has; of several ChatML's, the one that the model's own template is like. */
function templateFor(known: ReadonlySet<string>, own: string): string | undefined {
  const has = (file: string): boolean => (TEMPLATES[file]?.needs ?? []).every((token) => known.has(token));
  if (has("phi-4.jinja") && (own === "" || own.includes("<|im_sep|>"))) return "phi-4.jinja";
  if (has("chatml.jinja")) {
    if (own.includes("named SmolLM")) return "smollm2.jinja";
    if (own.includes("You are Qwen, created by Alibaba Cloud")) return "qwen2.5.jinja";
    return has("qwen3.jinja") && /enable_thinking|<think>/.test(own) ? "qwen3.jinja" : "chatml.jinja";
  }
  if (has("llama-3.1.jinja") && own.includes("Cutting Knowledge Date")) return "llama-3.1.jinja";
  return ["deepseek-r1.jinja", "gemma-3.jinja", "glm-4.jinja", "llama-3.jinja", "mistral-v7.jinja", "mistral.jinja"].find(has);
}
