/**
 * Keeps secrets out of whatever people or files see, and control sequences of strangers out of the terminal.
 *
 * Guarantees: every registered value of four characters or more is replaced wherever it occurs, also in its
 * JSON-escaped and URL-encoded form; well-known shapes of keys are replaced without registration; `safeText`
 * returns text that cannot move the cursor, recolour, retitle, hyperlink or reorder what is on the screen.
 */

import { holdsCredential } from "./credentials.ts";

const MASK = "[redacted]";
/** Shorter values would mask ordinary words ("a", "on"); a secret of three characters is none. */
const SHORTEST_SECRET = 4;

const secrets = new Set<string>();
let registered: RegExp | undefined;

/**
 * Shapes of keys that are recognised wherever they appear: OpenAI, Anthropic, Hugging Face, GitHub, GitLab, AWS, Google,
 * Slack, PyPI, npm, Stripe, SendGrid, Telegram, Azure, JSON Web Tokens. From the providers' own documentation and GitHub's list of secret-scanning patterns.
 */
const SHAPES =
  /\b(?:sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|xox[abeprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])|(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}={0,2}|pypi-[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{30,}|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})/g;
/** Credentials after "Basic" have a digit or a capital inside; the configuration in "basic configuration" has neither. */
const SCHEME = /\b(Bearer|bearer|BEARER|[Bb]asic(?=\s+(?:[A-Za-z._~+/-]*[0-9]|[A-Za-z0-9._~+/-]+[A-Z]))|BASIC)\s+[A-Za-z0-9._~+/-]{12,}=*/g;
const USERINFO = /(:\/\/)[^\s/:@"']{0,256}:[^\s/@"']{1,256}@/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g;

/** Makes `redact` replace this value from now on. Values shorter than four characters are ignored. */
export function registerSecret(value: string): void {
  if (value.length < SHORTEST_SECRET) return;
  secrets.add(value);
  secrets.add(JSON.stringify(value).slice(1, -1));
  secrets.add(encodeURIComponent(value));
  const longestFirst = [...secrets].sort((a, b) => b.length - a.length);
  registered = new RegExp(longestFirst.map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "g");
}

/** The text with every secret replaced by `[redacted]`. Returns the same string when there is none. */
export function redact(text: string): string {
  let out = registered === undefined ? text : text.replace(registered, MASK);
  out = out.replace(SHAPES, MASK);
  if (out.includes("://")) out = out.replace(USERINFO, `$1${MASK}@`);
  if (/bearer|basic/i.test(out)) out = out.replace(SCHEME, `$1 ${MASK}`);
  if (out.includes("PRIVATE KEY-----")) out = out.replace(PRIVATE_KEY, MASK);
  return out;
}

/** What documentation writes in place of a key. */
const isPlaceholder = (key: string): boolean => /example|your|placeholder|redacted|dummy|x{4}|\.{3}/i.test(key);

/** Registered values this long are no words that a text has for another reason; shorter ones are none with both letters and digits. */
const SURE_SECRET = 16;
const SHORT_SECRET = 8;
const isSure = (secret: string): boolean => secret.length >= SURE_SECRET || (secret.length >= SHORT_SECRET && /\d/.test(secret) && /\p{L}/u.test(secret));

/**
 * Whether a text of somebody's data holds a key: narrower than `redact`, which rather masks too much. Registered values count from 16 characters on, from 8 with
 * letters and digits, and as words of their own; of keys and passwords those that are no placeholders (credentials.ts).
 */
export function holdsSecret(text: string): boolean {
  for (const secret of secrets) {
    if (!isSure(secret)) continue;
    const at = text.indexOf(secret);
    if (at >= 0 && !/\w/.test(text[at - 1] ?? "") && !/\w/.test(text[at + secret.length] ?? "")) return true;
  }
  if (text.search(SHAPES) >= 0) for (const [key] of text.matchAll(SHAPES)) if (!isPlaceholder(key)) return true;
  if (holdsCredential(text)) return true;
  return text.includes("PRIVATE KEY-----") && text.search(PRIVATE_KEY) >= 0;
}

/**
 * Escape sequences of ECMA-48: OSC/DCS/SOS/PM/APC strings up to their terminator (or the end of the text), CSI
 * sequences, and the two- and three-character escapes; in 7-bit and 8-bit form.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const ANSI = /(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[\s\S]*?(?:\u0007|\u001b\\|\u009c|$)|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?/g;
/** Other controls, and the invisible characters that reorder or hide text (Unicode TR 36, "Trojan Source"). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;

/** The text without terminal escape sequences. */
export const stripAnsi = (text: string): string => text.replace(ANSI, "");

/**
 * Foreign text (a tool's description, a model's answer, a process's stderr) made fit for a terminal: no escape
 * sequences, no control characters but line feed and tab, no bidirectional overrides; secrets redacted.
 * @param maxLength longer text is cut, with an ellipsis; in UTF-16 code units.
 */
export function safeText(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  const cut = text.length > maxLength ? `${text.slice(0, Math.max(0, maxLength - 1))}…` : text;
  return redact(stripAnsi(cut.replaceAll("\r\n", "\n")).replace(CONTROLS, ""));
}
