/**
 * Completion scripts for bash, zsh and fish, made from the commands themselves: each command's names, flags and the
 * words that its flags take. Static: while the user types nothing of ours is started.
 */
import type { Command } from "commander";
import type { CliContext } from "./context.ts";

export interface Described {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly { readonly names: readonly string[]; readonly text: string; readonly takesValue: boolean }[];
  readonly subcommands: readonly Described[];
}

/** Every command with its flags. Loads them all, which nothing else does. */
export async function describe(context: CliContext): Promise<Described[]> {
  return (await context.commands()).map(({ command, summary }) => ofCommand(command, summary));
}

function ofCommand(command: Command, summary: string): Described {
  const flags = command.options.map((o) => ({
    names: [o.short, o.long].filter((n): n is string => typeof n === "string"),
    text: o.description,
    takesValue: o.required || o.optional,
  }));
  return {
    name: command.name(),
    summary,
    flags: [...flags, { names: ["-h", "--help"], text: "show help", takesValue: false }],
    subcommands: command.commands.map((c) => ofCommand(c, c.summary() || c.description())),
  };
}

const PROGRAMS = ["forge", "mcp-forge"];
const words = (d: Described): string => d.flags.flatMap((f) => f.names).join(" ");
const withValue = (all: readonly Described[]): string[] => [
  ...new Set(all.flatMap((d) => [d, ...d.subcommands]).flatMap((d) => d.flags.filter((f) => f.takesValue).flatMap((f) => f.names))),
];
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const plain = (text: string): string => text.split("\n", 1)[0]?.replace(/[[\]:`"\\$]/g, "") ?? "";

function bash(all: readonly Described[]): string {
  const cases = all.flatMap((d) => [
    ...d.subcommands.map((s) => `    "${d.name} ${s.name}") flags="${words(s)}" ;;`),
    `    "${d.name} "*) flags="${[...d.subcommands.map((s) => s.name), words(d)].join(" ")}" ;;`,
  ]);
  return `# bash completion for forge: forge completion bash > ~/.local/share/bash-completion/completions/forge
_forge() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} flags=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${all.map((d) => d.name).join(" ")} --help --version" -- "$current"))
    return
  fi
  case " ${withValue(all).join(" ")} " in *" $before "*) compopt -o default 2>/dev/null; return ;; esac
  case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$flags" -- "$current"))
  [ "\${#COMPREPLY[@]}" -gt 0 ] || compopt -o default 2>/dev/null
}
complete -F _forge ${PROGRAMS.join(" ")}
`;
}

function zsh(all: readonly Described[]): string {
  const spec = (d: Described): string =>
    d.flags.flatMap((f) => f.names.map((n) => `      ${quoted(`${n}[${plain(f.text)}]${f.takesValue ? ":value:_files" : ""}`)} \\`)).join("\n");
  const cases = all.map((d) => {
    const sub = d.subcommands.length === 0 ? "'*:file:_files'" : `'1:command:(${d.subcommands.map((s) => s.name).join(" ")})' '*:file:_files'`;
    const flags = [d, ...d.subcommands].map(spec).join("\n");
    return `    ${d.name}) _arguments \\\n${flags}\n      ${sub} ;;`;
  });
  return `#compdef ${PROGRAMS.join(" ")}
# zsh completion for forge: forge completion zsh > "\${fpath[1]}/_forge"
_forge() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${all.map((d) => `      ${quoted(`${d.name}:${plain(d.summary)}`)}`).join("\n")}
    )
    _describe command commands
    return
  fi
  local command=\${words[2]}
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
if [ "\${funcstack[1]}" = _forge ]; then _forge "$@"; else compdef _forge ${PROGRAMS.join(" ")}; fi
`;
}

function fish(all: readonly Described[]): string {
  const lines = ["# fish completion for forge: forge completion fish > ~/.config/fish/completions/forge.fish"];
  for (const program of PROGRAMS) {
    for (const d of all) {
      lines.push(`complete -c ${program} -n __fish_use_subcommand -a ${d.name} -d ${quoted(plain(d.summary))}`);
      for (const s of d.subcommands)
        lines.push(`complete -c ${program} -n "__fish_seen_subcommand_from ${d.name}" -a ${s.name} -d ${quoted(plain(s.summary))}`);
      for (const f of [d, ...d.subcommands].flatMap((x) => x.flags)) {
        const names = f.names.map((n) => (n.startsWith("--") ? `-l ${n.slice(2)}` : `-s ${n.slice(1)}`)).join(" ");
        lines.push(`complete -c ${program} -n "__fish_seen_subcommand_from ${d.name}" ${names}${f.takesValue ? " -r" : ""} -d ${quoted(plain(f.text))}`);
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

export const SHELLS = { bash, zsh, fish } as const;
