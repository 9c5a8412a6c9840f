/** The valid word that somebody most likely meant: for "did you mean …?". */

/**
 * The candidate with the smallest edit distance (Damerau-Levenshtein, optimal string alignment: a
 * swap of neighbours counts once) to `word`, if it is near enough: a third of the longer word, at
 * least 1. Case and the difference of `-` and `_` do not count. Ties go to the earlier candidate.
 * Where none is near enough, the first candidate that begins with the word (three letters at least).
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > 100) return undefined;
  const wanted = fold(word);
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const folded = fold(candidate);
    const limit = Math.max(1, Math.floor(Math.max(wanted.length, folded.length) / 3));
    if (Math.abs(wanted.length - folded.length) > limit) continue;
    const d = distance(wanted, folded);
    if (d <= limit && d < least) {
      best = candidate;
      least = d;
    }
  }
  if (best !== undefined || wanted.length < 3) return best;
  for (const candidate of candidates) if (fold(candidate).startsWith(wanted)) return candidate;
  return undefined;
}

const fold = (text: string): string => text.toLowerCase().replaceAll("-", "_");

function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, (before[j - 2] ?? 0) + 1);
      row.push(d);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
