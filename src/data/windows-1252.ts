/**
 * Windows-1252, both ways. Node's own decoder takes it for ISO 8859-1 in some versions (20.20 among them), which has control characters where
 * quotes, dashes and the euro sign are.
 */

/** The characters of the bytes 0x80 to 0x9f, in order (https://encoding.spec.whatwg.org/index-windows-1252.txt). */
const HIGH = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

/** Any bytes are a text. */
export const fromWindows1252 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString("latin1")
    .replace(/[\u0080-\u009f]/g, (c) => HIGH[c.charCodeAt(0) - 0x80] as string);

/** The bytes of a text; undefined where a character has none. */
export function toWindows1252(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  for (const c of text) {
    const at = HIGH.indexOf(c);
    const code = at >= 0 ? 0x80 + at : (c.codePointAt(0) ?? 0);
    if (code > 0xff) return undefined;
    bytes.push(code);
  }
  return Uint8Array.from(bytes);
}
