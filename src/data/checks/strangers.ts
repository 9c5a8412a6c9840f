/**
 * Texts that nobody should learn from: keys and passwords, and words that are meant for the program rather than for people (a chat
 * template's own marks, orders to forget the instructions). They come with what people wrote, and with what tool servers gave back.
 */
import { holdsSecret } from "../../platform/redact.ts";
import type { Sample } from "../types.ts";
import type { SampleCheck } from "./check.ts";

/** The message itself is never repeated: it holds the secret. */
export const secrets: SampleCheck = {
  name: "secrets",
  title: "Keys and passwords",
  gates: false,
  run: (sample) => first(sample, (text) => (holdsSecret(text) ? "has the form of a key or a password" : null)),
};

/** Marks of ChatML, Llama 2 and 3, Gemma, Mistral, DeepSeek, Phi, GLM and InternLM; of tool calls as the families write them. `<s>`, `<pad>` and `<unk>` are left: people write them. */
const MARKS =
  /<\|[a-z_]{2,30}(?:\|>|:)|<\|[a-z0-9_]{2,40}\|>|<(?:bos|eos|unused\d{1,4})>|\[(?:gMASK|UNUSED_TOKEN_\d{1,4})\]|<｜[^｜<>]{2,40}｜>|<\/?(?:start|end)_of_turn>|\[\/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<<\/?SYS>>|<\/?tool_(?:call|response)>/;
/** The end of a text after Llama and Mistral; behind a beginning it strikes out, in HTML. */
const END = "</s>";
const isEnd = (text: string): boolean => {
  const at = text.indexOf(END);
  return at >= 0 && !/<s[ >]/.test(text.slice(0, at));
};
/** Orders that override instructions, as collections of prompt injections have them (OWASP LLM01); the same in the commonest languages beside English. */
const ORDERS: readonly RegExp[] = [
  /(?<!\b(?:not|never|\w+n['\u2019]t) )\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,30}\b(?:(?:previous|prior|above|earlier|preceding|system)\b[^.!?\n]{0,20}\b(?:instructions?|prompts?|messages?|rules?|directions?)|(?:all|your|the|any) (?:instructions|rules|guidelines))\b|\b(?:reveal|print|repeat|show)\b[^.!?\n]{0,20}\b(?:system prompt|your instructions)\b/i,
  /\bnew system (?:prompt|instructions?|message)\s{0,2}:|\byou are now (?:in )?(?:DAN\b|(?:developer|jailbreak|god) mode|(?:an? )?(?:unrestricted|unfiltered|jailbroken|uncensored) )/i,
  /\b(?:ignorier\w{0,3}|vergiss|vergessen|missachte\w?|umgeh\w{0,2})\b(?![^.!?\n]{0,12}\bnicht\b)[^.!?\n]{0,30}\b(?:(?:vorherig|bisherig|vorig|obig|fr\u00fcher|vorangegangen)\w{0,2}\b[^.!?\n]{0,20}|(?:alle|deine|ihre|s\u00e4mtliche)n? )(?:anweisung|instruktion|vorgabe|system-?prompt)|\b(?:zeig|nenn|verrat|wiederhol|gib)\w{0,3}\b[^.!?\n]{0,20}(?:system-?prompt|deine anweisungen)/i,
  /(?<!\bn['\u2019])\b(?:ignor|oubli|contourn|n\u00e9glig)e[rsz]{0,2}\b[^.!?\n]{0,30}\b(?:(?:instruction|consigne|r\u00e8gle|directive|message)s?\b[^.!?\n]{0,20}\b(?:pr\u00e9c\u00e9dent|ant\u00e9rieur|ci-dessus|du syst\u00e8me)|toutes? (?:les|tes|vos) (?:instruction|consigne|r\u00e8gle|directive)s?)|\b(?:montre|r\u00e9v\u00e8le|affiche|r\u00e9p\u00e8te|donne)[rsz]?\b[^.!?\n]{0,20}(?:prompt syst\u00e8me|(?:tes|vos) instructions)/i,
  /(?<!\bno )\b(?:ignor|olvid|descart|omit)[ae][rns]?\b[^.!?\n]{0,30}\b(?:(?:instruccion|regla|indicacion|mensaje)(?:e?s)?\b[^.!?\n]{0,20}\b(?:anterior|previ[ao]|precedente|del sistema)|tod[ao]s (?:las|tus|sus|los) (?:instrucciones|reglas|indicaciones))|\b(?:muestra|revela|repite|dime)(?:me)?\b[^.!?\n]{0,20}(?:prompt del sistema|tus instrucciones)/i,
];
/** Signs of no width, which hide a word from whoever looks for it. */
const HIDDEN = /[\u00ad\u200b-\u200f\u2060\ufeff]/g;
/** In every text that has such an order, and in few others: quicker to look for. */
const NEAR_ORDERS = /instru|prompt|message|rule|direct|guideline|are now|anweisung|vorgabe|nachricht|regel|consigne|r\u00e8gle|regla|indicaci|mensaje/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const FOREIGN = /[^\u0000-\u007f]/;
const orders = (text: string): boolean => {
  const seen = FOREIGN.test(text) ? text.replace(HIDDEN, "").normalize("NFC") : text;
  return NEAR_ORDERS.test(seen) && ORDERS.some((order) => order.test(seen));
};

export const templateMarks: SampleCheck = {
  name: "template_marks",
  title: "Marks of chat templates",
  gates: false,
  run: (sample) =>
    first(sample, (text) => {
      if (!text.includes("<") && !text.includes("[")) return null;
      const mark = MARKS.exec(text)?.[0] ?? (isEnd(text) ? END : undefined);
      return mark === undefined ? null : `has ${mark}, a mark of chat templates`;
    }),
};

/** People write such words for good reasons too: in their own data it is measured. */
export const injection: SampleCheck = {
  name: "injection",
  title: "Prompt injection",
  gates: false,
  ruleOfThumb: true,
  run: (sample) => first(sample, (text, role) => ((role === "user" || role === "tool") && orders(text) ? "tells the model to leave its instructions" : null)),
};

/** What is wrong with the first message that `says` something of; of calls the arguments are read. */
function first(sample: Sample, says: (text: string, role: string) => string | null): string | null {
  let i = 0;
  for (const m of sample.messages) {
    let said = m.content ? says(m.content, m.role) : null;
    if (m.role === "assistant" && m.reasoning_content) said ??= says(m.reasoning_content, m.role);
    if (m.role === "assistant" && m.tool_calls) for (const c of m.tool_calls) said ??= says(c.function.arguments, m.role);
    if (said !== null) return `message ${i} ${said}`;
    i++;
  }
  return null;
}
