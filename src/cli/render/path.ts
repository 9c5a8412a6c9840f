/** Paths as a user would type them. */
import { isAbsolute, relative } from "node:path";

/** Relative to the working directory where that is below it, else absolute. */
export function shortPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" ? "." : near.startsWith("..") || isAbsolute(near) ? path : near;
}

/** Quoted for a POSIX shell, when it must be (or always). */
export const quote = (text: string, always = false): string =>
  !always && /^[A-Za-z0-9_./:@%+,-]+$/.test(text) ? text : `"${text.replace(/["\\$`]/g, "\\$&")}"`;
