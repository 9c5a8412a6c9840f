/**
 * A tool source as others may read it, in a toolset, a bundle or a message: what is handed over under the name of a key (`--api-key X`,
 * `TOKEN=X`, `?key=X`, `{"apiKey": "X"}`) is masked. A reference (`${env:NAME}`, `${secret:NAME}`) stays: it names a key and holds none.
 * The same source gives the same text, whatever secrets this process has come to know.
 */
import type { ServerSource, ToolSource } from "./types.ts";

export const LEFT_OUT = "[redacted]";

/** The last word of a key's name: `api-key`, `ACCESS_TOKEN`, `clientSecret`. */
const KEY_WORD = /^(?:(?:api|access|auth|secret)?(?:key|token)|secret|password|passwd|passphrase|pwd|credentials?|authorization|sig|signature)$/;
const FLAG = /^--?([A-Za-z][\w.-]*)$/;
/** `--api-key=X`, `API_KEY=X`, `X-Api-Key: X`. */
const GIVEN = /^(-{0,2}([A-Za-z][\w.-]*)(?:=|:\s*))(.+)$/s;
const QUERY = /([?&;]([\w.-]+)=)([^&;#\s"']+)/g;
const MEMBER = /("([\w.-]+)"\s*:\s*")((?:[^"\\]|\\.)+)(?=")/g;
const REFERENCE = /\$\{(?:env|secret):/;

/** The source with its keys masked. */
export function toldSource<S extends ToolSource>(source: S): S {
  return source.mcp === undefined ? source : { ...source, mcp: toldServer(source.mcp) };
}

function toldServer(server: ServerSource): ServerSource {
  const { args, env, url, headers } = server;
  return {
    ...server,
    ...(args === undefined ? {} : { args: toldArguments(args) }),
    ...(env === undefined ? {} : { env: toldMembers(env) }),
    ...(url === undefined ? {} : { url: withoutKeys(url) }),
    ...(headers === undefined ? {} : { headers: toldMembers(headers) }),
  };
}

function toldArguments(args: readonly string[]): string[] {
  return args.map((word, i) => {
    const flag = FLAG.exec(args[i - 1] ?? "")?.[1];
    return flag !== undefined && isKeyName(flag) && !word.startsWith("-") ? mask(word) : withoutKeys(word);
  });
}

const toldMembers = (members: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [name, isKeyName(name) ? mask(value) : withoutKeys(value)]));

/** A word, or an address, without the keys that stand in it by name. */
function withoutKeys(word: string): string {
  const given = GIVEN.exec(word);
  if (given !== null && isKeyName(given[2] as string)) return `${given[1]}${mask(given[3] as string)}`;
  const masked = (found: string, before: string, name: string, value: string): string => (isKeyName(name) ? `${before}${mask(value)}` : found);
  return word.replace(QUERY, masked).replace(MEMBER, masked);
}

const mask = (value: string): string => (value === "" || REFERENCE.test(value) ? value : LEFT_OUT);

function isKeyName(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return KEY_WORD.test(words.at(-1) ?? "");
}
