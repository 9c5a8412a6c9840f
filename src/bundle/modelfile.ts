/**
 * The Modelfile: what Ollama needs to ask the model exactly as it was trained. Its TEMPLATE is a Go
 * text/template that carries the toolset's tool prompt byte for byte (the tools are fixed), and handles
 * text and calls of one turn side by side.
 *
 * Ollama finds out from the template that the model knows tools (`.Tools` is mentioned) and how a call
 * begins (the first text inside `if .ToolCalls`), which is why both are written as they are.
 *
 * Of a model that thinks (Ollama 0.9 and newer) it finds the texts around a thought as the first and last text of the block with `.Thinking` in it
 * (thinking/template.go), takes what is between them for the message's `thinking`, and says by `.Think` whether the user wants it.
 *
 * Three things are out of a template's reach, and said in the bundle's README: foreign text that holds
 * control words is not neutralised there; Ollama writes `<`, `>` and `&` in a call's arguments as JSON
 * escapes, and all of them without the spaces that a model's own template may put after colons and commas.
 */
import type { Turns } from "./turns.ts";

export interface ModelfileInput {
  readonly name: string;
  readonly modelFile: string;
  readonly turns: Turns;
  readonly contextLength: number;
  readonly stopTokens: readonly string[];
  /** Comment lines for the top. */
  readonly notes: readonly string[];
}

/** The whole Modelfile. */
export function modelfile(i: ModelfileInput): string {
  const comments = [`${i.name}: made by MCP-Forge. Use it with: ollama create ${i.name} -f Modelfile`, ...i.notes]
    .flatMap((n) => n.split("\n"))
    .map((n) => `# ${n}`.trimEnd());
  const parameters = [`num_ctx ${i.contextLength}`, "temperature 0", ...i.stopTokens.map((t) => `stop ${quoted(t)}`)].map((p) => `PARAMETER ${p}`);
  return `${comments.join("\n")}\nFROM ./${i.modelFile}\n\n${templateCommand(i.turns)}\n\n${parameters.join("\n")}\n`;
}

/** The command that sets the template, quoted for a Modelfile. */
export const templateCommand = (turns: Turns): string => `TEMPLATE """${inTripleQuotes(goTemplate(turns))}"""`;

/**
 * The conversation as a Go template. No trim markers: every white space outside an action is meant.
 */
export function goTemplate(t: Turns): string {
  const [open, middle, close] = t.call;
  const [opens, between, last] = t.result;
  const call = `${goText(open)}{{ .Function.Name }}${goText(middle)}{{ .Function.Arguments }}${goText(close)}`;
  const calls = `{{ if .ToolCalls }}{{ if .Content }}${goAction(t.textToCall)}{{ end }}{{ range $j, $call := .ToolCalls }}{{ if $j }}${goAction(t.callToCall)}{{ end }}${call}{{ end }}{{ end }}`;
  const { user, ended } = afterSystemTurn(t);
  const turn = [
    `{{ if eq .Role "tool" }}{{ if eq $previous "tool" }}${goText(between)}{{ else }}${goText(opens)}{{ end }}{{ .Content }}`,
    `{{ else if eq .Role "assistant" }}${goText(t.assistant[0])}${thoughtOf(t)}{{ .Content }}${calls}${goText(t.assistant[1])}`,
    `{{ else if eq .Role "user" }}${user}`,
    `{{ else if $i }}${goText(t.laterSystem[0])}{{ .Content }}${goText(t.laterSystem[1])}{{ end }}`,
  ].join("");
  const [before, after] = [goText(t.system[0]), goText(t.system[1])];
  const first =
    t.withoutSystem === undefined
      ? `${before}{{ if eq .Role "system" }}{{ .Content }}{{ else }}${goText(t.defaultSystem)}{{ end }}${after}`
      : `{{ if eq .Role "system" }}${before}{{ .Content }}${after}{{ else }}${goText(t.withoutSystem)}{{ end }}`;
  const system = `{{ if eq $i 0 }}${first}{{ end }}`;
  const closeResults = `{{ if and (eq $previous "tool") (ne .Role "tool") }}${goText(last)}{{ end }}`;
  return [
    `{{ if .Tools }}{{/* the tools are fixed: the model was trained on the list below */}}{{ end }}{{ $previous := "" }}${lastUserOf(t)}`,
    `{{ range $i, $message := .Messages }}${system}${closeResults}${ended}${turn}{{ $previous = .Role }}{{ end }}`,
    `{{ if eq $previous "tool" }}${goText(last)}{{ end }}${alone(t)}${goText(t.generation)}${withoutThought(t)}`,
  ].join("");
}

/** A thought that is read again, after the last user's message. Where none is, a block that is never written: Ollama reads the texts around a thought off it. */
function thoughtOf({ thought }: Turns): string {
  if (thought === undefined) return "";
  const [before, after] = thought.around;
  return `{{ if and .Thinking ${thought.kept ? "(ge $user 0) (gt $i $user)" : "(lt $i 0)"} }}${goText(before)}{{ .Thinking }}${goText(after)}{{ end }}`;
}

/** Which message is the last user's; -1 where there is none. */
const lastUserOf = ({ thought }: Turns): string =>
  thought?.kept === true ? '{{ $user := -1 }}{{ range $i, $message := .Messages }}{{ if eq .Role "user" }}{{ $user = $i }}{{ end }}{{ end }}' : "";

/** An empty thought where the user of the model wants none. */
const withoutThought = ({ thought }: Turns): string => (thought === undefined ? "" : `{{ if and .IsThinkSet (not .Think) }}${goText(thought.none)}{{ end }}`);

/** A user's message, and what ends the system turn before another one: where a template writes the first user's words into the system turn. */
function afterSystemTurn(t: Turns): { readonly user: string; readonly ended: string } {
  const user = ([before, after]: Turns["user"]): string => `${goText(before)}{{ .Content }}${goText(after)}`;
  if (t.afterSystem === "" && t.firstUser.join("\0") === t.user.join("\0")) return { user: user(t.user), ended: "" };
  const first = '{{ $first := or (and (eq $i 0) (ne .Role "system")) (and (eq $i 1) (eq $previous "system")) }}';
  return {
    user: `{{ if $first }}${user(t.firstUser)}{{ else }}${user(t.user)}{{ end }}`,
    ended: `${first}{{ if and $first (ne .Role "user") }}${goText(t.afterSystem)}{{ end }}`,
  };
}

/** Ends a system turn that nothing follows. */
const alone = (t: Turns): string =>
  t.afterSystem === "" ? "" : `{{ if and (eq (len .Messages) 1) (eq $previous "system") }}${goText(t.afterSystem)}{{ end }}`;

/** Text as itself in a Go template: a brace that would open an action, alone or with what follows, becomes one that prints it. */
export const goText = (text: string): string => text.replace(/\{(?=\{)|\{$/g, '{{"{"}}');

/** Text as an action: where the first text of a block must be another. Empty for no text. */
const goAction = (text: string): string => (text === "" ? "" : `{{ ${JSON.stringify(text)} }}`);

/** A Modelfile's long string ends at three quotes: the third of a row is printed by the template instead. */
const inTripleQuotes = (template: string): string => template.replaceAll('"""', '""{{"\\u0022"}}').replace(/"$/, '{{"\\u0022"}}');

const quoted = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
