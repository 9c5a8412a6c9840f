/**
 * `${env:NAME}`, `${env:NAME:-default}` and `${secret:NAME}` in a recipe's texts.
 *
 * A setting (`env`) is replaced by its value, which thereby counts as part of the recipe; written
 * without quotes and alone it is read as YAML reads it (`samples: ${env:N}` is a number). A secret
 * stays as it is, only its name is checked, and it may stand nowhere but in a tool server's `env` and
 * `headers`: everywhere else its value would end up in a key, a log or a file. `$${` is a plain `${`.
 */
import type { Failure } from "../platform/result.ts";
import { nearest } from "./nearest.ts";
import type { Leaf, MapTree, Member, Range, Source, Tree } from "./source.ts";
import type { RecipePath } from "./types.ts";

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const REFERENCE = /\$?\$\{([a-z]*):([^}]*)\}/g;
/** Longest text that one setting may put in. */
const MAX_VALUE = 32 * 1024;

export interface Substitution {
  readonly tree: MapTree;
  readonly failures: readonly Failure[];
}

/** Replaces every reference in the tree. What could not be replaced is marked unknown, so that nothing else is said about it. */
export function substitute(tree: MapTree, source: Source, env: NodeJS.ProcessEnv): Substitution {
  const failures: Failure[] = [];
  const walk = (node: Tree, path: RecipePath): Tree => {
    if (node.kind === "list") return { ...node, items: node.items.map((item, i) => walk(item, [...path, i])) };
    if (node.kind === "map") return walkMap(node, path);
    return typeof node.value === "string" && node.value.includes("${") ? leaf(node, path, source, env, failures) : node;
  };
  const walkMap = (node: MapTree, path: RecipePath): MapTree => {
    const members = new Map<string, Member>();
    for (const [key, member] of node.members) members.set(key, { key: member.key, value: walk(member.value, [...path, key]) });
    return { ...node, members };
  };
  return { tree: walkMap(tree, []), failures };
}

/** Names of the secrets in a text. */
export const secretNames = (text: string): string[] => [...text.matchAll(/(?<!\$)\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}/g)].map((m) => m[1] ?? "");

/**
 * A text of a tool server with its settings by name, as it may travel: `${env:NAME}` and `$${env:` stay as they were written, everything else
 * is as `substitute` leaves it. `tools/settings.ts` reads it.
 */
export const settingsByName = (written: string, path: RecipePath): string =>
  written.replace(REFERENCE, (whole, kind: string) =>
    !whole.startsWith("$$") || kind === "env" || (kind === "secret" && mayHoldSecret(path)) ? whole : whole.slice(1),
  );

function leaf(node: Leaf, path: RecipePath, source: Source, env: NodeJS.ProcessEnv, failures: Failure[]): Leaf {
  const text = String(node.value);
  let unknown = false;
  const fail = (reference: string, code: string, message: string, hint: string): string => {
    unknown = true;
    failures.push(source.failure(code, message, within(node.range, reference, source), hint));
    return reference;
  };
  const value = text.replace(REFERENCE, (whole, kind: string, body: string) => {
    // Where secrets may stand they are put in later (tools/secrets.ts), and what is none has to be told from them until then.
    if (whole.startsWith("$$")) return kind === "secret" && mayHoldSecret(path) ? whole : whole.slice(1);
    if (kind === "secret") {
      if (!NAME.test(body))
        return fail(
          whole,
          "secret-name",
          `\`${whole}\` does not name a secret`,
          "write the name of an environment variable: letters, digits and underscores, as in ${secret:API_TOKEN}",
        );
      if (!mayHoldSecret(path))
        return fail(
          whole,
          "secret-place",
          "a secret may stand only in the `env` or `headers` of a tool server",
          "hand it to the server under `env:`, where it is stored and logged nowhere",
        );
      return whole;
    }
    if (kind === "env") {
      const split = body.indexOf(":-");
      const name = split === -1 ? body : body.slice(0, split);
      if (!NAME.test(name))
        return fail(
          whole,
          "env-name",
          `\`${whole}\` does not name an environment variable`,
          "letters, digits and underscores, as in ${env:SAMPLES} or ${env:SAMPLES:-300}",
        );
      const found = env[name];
      if (found !== undefined && found !== "" && found.length <= MAX_VALUE)
        return mayHoldSecret(path) ? found.replaceAll("${secret:", () => "$${secret:") : found;
      if (found !== undefined && found.length > MAX_VALUE)
        return fail(whole, "env-value", `the environment variable ${name} holds more than ${MAX_VALUE} characters`, "give a shorter value");
      if (split !== -1) return body.slice(split + 2);
      return fail(whole, "env-missing", `the environment variable ${name} is not set`, `set it (export ${name}=…), or give a default: \${env:${name}:-value}`);
    }
    const meant = nearest(kind, ["env", "secret"]);
    return fail(
      whole,
      "reference",
      `\`${whole}\` is no reference that forge knows`,
      meant ? `did you mean \`\${${meant}:${body}}\`?` : "there are ${env:NAME} and ${secret:NAME}; write $${ for a plain ${",
    );
  });
  if (unknown) return { ...node, unknown };
  const alone = node.plain && value !== text && REFERENCE.exec(text)?.[0] === text;
  REFERENCE.lastIndex = 0;
  return { ...node, value: alone ? asYaml(value) : value };
}

/** Only `tools[i].mcp.env.NAME` and `tools[i].mcp.headers.NAME`. */
const mayHoldSecret = (path: RecipePath): boolean =>
  path.length === 5 && path[0] === "tools" && path[2] === "mcp" && (path[3] === "env" || path[3] === "headers");

/** A plain scalar of YAML's core schema. */
function asYaml(text: string): string | number | boolean | null {
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  return text;
}

/** The reference's own range where it can be found in the written text, else the whole value's. */
function within(range: Range, reference: string, source: Source): Range {
  const at = source.text.indexOf(reference, range.start);
  return at === -1 || at >= range.end ? range : { start: at, end: at + reference.length };
}
