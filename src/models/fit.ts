/**
 * Whether a toolset suits a base model: its tools must leave room in the model's window, and be written in words
 * that the model has read. Asked before data is made, so that nobody waits for a model that cannot work.
 */
import { EXIT } from "../platform/exit.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { Message } from "../schemas/generated/sample.ts";
import type { ToolDefinition } from "../schemas/generated/toolset.ts";
import type { Family } from "./family.ts";
import { type Renderer, rowsOf } from "./render.ts";

/** Tokens of the window that a conversation needs beside the tools. */
export const CONVERSATION_TOKENS = 1024;

/**
 * Refuses a tool prompt that leaves no room for a conversation.
 * @param prompt what every prompt with these tools begins with
 * @param count tokens of a text; asked only where the prompt could be too long (a token is at least one byte)
 */
export async function fitsWindow(prompt: string, tools: number, family: Family, count: (text: string) => Promise<Result<number>>): Promise<Result<void>> {
  const room = family.context_tokens - CONVERSATION_TOKENS;
  if (Buffer.byteLength(prompt) <= room) return ok(undefined);
  const tokens = await count(prompt);
  if (!tokens.ok) return tokens;
  if (tokens.value <= room) return ok(undefined);
  const what = tools === 1 ? "the tool takes" : `the ${tools} tools take`;
  return err({
    code: "models/toolset-too-long",
    message: `${what} ${tokens.value} tokens of every prompt; \`${family.name}\` reads ${family.context_tokens}, and a conversation needs ${CONVERSATION_TOKENS} of them`,
    hint: `Offer fewer tools (\`include: [name, ...]\` beside the source), or shorter descriptions (\`forge tools inspect --output tools.json\`, cut it, \`tools: [{ file: tools.json }]\`)${instead(family)}.`,
    exit: EXIT.usage,
  });
}

/** Bytes that a template writes around a message, and around a call: marks, names of roles, an empty thought. */
const MARKS = 128;
/** Foreign text is written with marks broken up (neutralise.ts): that at most doubles it. */
const BROKEN_UP = 2;

/**
 * Tells which conversations the family's window holds, after the chat template.
 * @param count tokens of a text; asked only of conversations that could be too long (a token is at least one byte)
 */
export function holdsConversations(
  renderer: Renderer,
  tools: readonly ToolDefinition[],
  window: number,
  count: (text: string) => Promise<Result<number>>,
): (conversations: readonly (readonly Message[])[]) => Promise<Result<boolean[]>> {
  const prompt = renderer.toolPrompt(tools);
  let promptTokens: number | undefined;
  return async (conversations) => {
    if (promptTokens === undefined) {
      const counted = Buffer.byteLength(prompt) <= window / 2 ? ok(Buffer.byteLength(prompt)) : await count(prompt);
      if (!counted.ok) return counted;
      promptTokens = counted.value;
    }
    const held: boolean[] = [];
    for (const messages of conversations) {
      if (promptTokens + mostBytes(messages) <= window) {
        held.push(true);
        continue;
      }
      let longest = 0;
      for (const row of rowsOf(renderer, messages, tools)) {
        let tokens = 0;
        for (const { text } of row) {
          const counted = await count(text);
          if (!counted.ok) return counted;
          tokens += counted.value;
        }
        longest = Math.max(longest, tokens);
      }
      held.push(longest <= window);
    }
    return ok(held);
  };
}

/** Bytes that the messages come to at most, without the system's, which the tool prompt has. */
function mostBytes(messages: readonly Message[]): number {
  let bytes = 0;
  for (const m of messages) {
    if (m.role === "system") continue;
    bytes += MARKS + BROKEN_UP * Buffer.byteLength(m.content ?? "");
    if (m.role === "assistant") bytes += BROKEN_UP * Buffer.byteLength(m.reasoning_content ?? "");
    for (const c of (m.role === "assistant" && m.tool_calls) || []) bytes += MARKS + BROKEN_UP * Buffer.byteLength(c.function.name + c.function.arguments);
  }
  return bytes;
}

const instead = ({ larger }: Family): string => (larger === undefined ? "" : `, or use \`model: { family: ${larger} }\``);

/** Words that tell English from its neighbours: the commonest of it, and the commonest of languages that share its letters. */
const ENGLISH = new Set("the of to and for in is or with by from that this be are on at it an as which if not your you".split(" "));
const OTHERS = new Set(
  (
    "der die das und für mit von ein eine einen eines einer den dem des zu auf nicht oder ist wird " + // German
    "le la les une du pour avec sur par dans est ou et aux " + // French
    "el los las un una del para con por en y o es que " + // Spanish
    "il lo gli di per della dei delle nel e " + // Italian
    "het een van voor op met te om bij naar " + // Dutch
    "os da dos em uma na no ao ou " + // Portuguese
    "w z na do dla od się oraz lub jest " + // Polish
    "och att för med av på som till eller ett"
  ) // Swedish
    .split(" ")
    .filter((word) => !ENGLISH.has(word)),
);
/** Fewer words than this say nothing about a language. */
const ENOUGH_WORDS = 12;

/** Whether most of a text is in another language than English: by its letters, or by its commonest words. Short texts never are. */
export function isNotEnglish(text: string): boolean {
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const foreign = text.match(/(?!\p{Script=Latin})\p{L}/gu)?.length ?? 0;
  if (letters >= ENOUGH_WORDS && foreign > letters / 2) return true;
  if (words.length < ENOUGH_WORDS) return false;
  const count = (of: ReadonlySet<string>): number => words.filter((w) => of.has(w)).length;
  return count(OTHERS) > 2 * count(ENGLISH) && count(OTHERS) > words.length / 12;
}

/** What to say where a family that has read little but English is given tools in other words; undefined where all is well. */
export function languageWarning(tools: readonly Pick<ToolDefinition, "description" | "input_schema">[], family: Family): string | undefined {
  if (!family.english_only) return undefined;
  const text = tools.map((t) => `${t.description} ${descriptionsIn(t.input_schema).join(" ")}`).join("\n");
  if (!isNotEnglish(text)) return undefined;
  return `the tools are not described in English, and \`${family.name}\` has read little else: expect wrong calls. Describe them in English${instead(family)}.`;
}

/** Texts of all members `description`, however deep. */
function descriptionsIn(value: unknown): string[] {
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === "description" && typeof inner === "string" ? [inner] : descriptionsIn(inner)));
}
