/**
 * `${secret:NAME}` in a server's environment or headers: resolved from our environment at the moment of opening,
 * registered for redaction, and never handed to anything but that server.
 */
import { registerSecret } from "../platform/redact.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { missingSecret } from "./failures.ts";

const REFERENCE = /(?<!\$)\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}/g;
/** A reference, or `$${secret:`, which is the text `${secret:`. */
const REFERENCE_OR_TEXT = /\$\$\{secret:|\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}/g;
const MASK = "[redacted]";

export interface ResolvedEnv {
  readonly env: Record<string, string>;
  /** Replaces the values of these secrets in a text. Narrower than the log's redaction, which may also hide what only looks like a key. */
  readonly mask: (text: string) => string;
}

/** The names of the secrets in some texts, each once. */
export const secretNames = (texts: readonly string[]): string[] => [
  ...new Set(texts.flatMap((text) => [...text.matchAll(REFERENCE)].map((m) => m[1] as string))),
];

/** Whether a text names a secret. */
export const namesSecret = (text: string): boolean => text.search(REFERENCE) >= 0;

/** Puts the secrets in. A secret that is not set, or empty, is a failure that names it. */
export function resolveSecrets(stated: Readonly<Record<string, string>>, where: string, environment: NodeJS.ProcessEnv): Result<ResolvedEnv> {
  const env: Record<string, string> = {};
  const values = new Set<string>();
  for (const [key, text] of Object.entries(stated)) {
    let missing: string | undefined;
    env[key] = text.replace(REFERENCE_OR_TEXT, (found, name: string | undefined) => {
      if (name === undefined) return found.slice(1);
      const value = environment[name];
      if (value === undefined || value === "") missing ??= name;
      else {
        registerSecret(value);
        if (value.length >= 4) values.add(value);
      }
      return value ?? "";
    });
    if (missing !== undefined) return err(missingSecret(missing, where));
  }
  const longestFirst = [...values].sort((a, b) => b.length - a.length);
  return ok({ env, mask: (text) => longestFirst.reduce((t, value) => t.replaceAll(value, MASK), text) });
}
