/** A curve in one line of text, after Edward Tufte's sparklines: each cell stands for some of the values, the higher the larger. */

const BLOCKS = "▁▂▃▄▅▆▇█";
/** Where a terminal's encoding has no blocks: the same from low to high. */
const ASCII = "_.-~=+*#";

/**
 * At most `width` cells over `values`, in order; each shows the mean of its share of them, on a scale from the least to the largest mean. Empty for
 * fewer than two values, or where there is nothing to scale by.
 */
export function sparkline(values: readonly number[], width: number, unicode = true): string {
  const cells = means(
    values.filter((v) => Number.isFinite(v)),
    width,
  );
  const [low, high] = [Math.min(...cells), Math.max(...cells)];
  if (cells.length < 2 || high <= low) return "";
  const marks = unicode ? BLOCKS : ASCII;
  return cells.map((v) => marks[Math.min(marks.length - 1, Math.floor(((v - low) / (high - low)) * marks.length))]).join("");
}

function means(values: readonly number[], width: number): number[] {
  const count = Math.min(width, values.length);
  return Array.from({ length: count }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count));
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
}

/** Whether text in UTF-8 shows: the locale says so by POSIX's order of variables; without one it does where terminals have been so for long. */
export function showsUnicode(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  return locale ? /utf-?8/i.test(locale) : platform !== "linux" || env.TERM !== "linux";
}
