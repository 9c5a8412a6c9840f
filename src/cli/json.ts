/**
 * JSON for stdout: what a terminal could take for a command is written as an escape. JSON itself escapes
 * only the first 32 control characters; the value that a parser reads is the same.
 */

/** The C1 controls and what reorders or hides text. */
const UNSAFE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/g;

/** @param indent 2 for documents, 0 for a line */
export const jsonText = (value: unknown, indent: 0 | 2 = 2): string =>
  `${JSON.stringify(value, null, indent).replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`;
