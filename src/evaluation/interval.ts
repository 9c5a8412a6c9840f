/**
 * Intervals for rates whose cases are not independent: cases made from one frame (wording) succeed or
 * fail together, so they count as one cluster.
 *
 * Method: Rao and Scott, "A simple method for the analysis of clustered binary data", Biometrics 48
 * (1992): divide numerator and denominator by the design effect, the ratio of the clustered variance of
 * the rate (as a ratio estimate) to its binomial variance; then Wilson's score interval (1927) on what is
 * left. Where the rate is 0 or 1, or there is one cluster, no variance can be estimated: every cluster
 * then counts as one observation, the cautious end. No randomness: the same cases give the same interval.
 */

/** What one case adds to a rate. */
export interface Item {
  readonly numerator: number;
  readonly denominator: number;
  readonly cluster: string;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly clusters: number;
  /** How many independent observations the cases are worth. */
  readonly effective: number;
}

/** 97.5th percentile of the normal distribution, for 95 % intervals. */
const Z = 1.959963984540054;

/** The 95 % interval of the rate sum(numerator) / sum(denominator); null when nothing was counted. */
export function clusteredInterval(items: readonly Item[]): Interval | null {
  const clusters = new Map<string, { x: number; m: number }>();
  for (const { numerator, denominator, cluster } of items) {
    if (denominator === 0) continue;
    const c = clusters.get(cluster) ?? { x: 0, m: 0 };
    clusters.set(cluster, { x: c.x + numerator, m: c.m + denominator });
  }
  const sums = [...clusters.values()];
  const n = sums.reduce((s, c) => s + c.m, 0);
  if (n === 0) return null;
  const rate = sums.reduce((s, c) => s + c.x, 0) / n;
  const effective = n / designEffect(sums, n, rate);
  return { ...wilson(rate, effective), clusters: sums.length, effective };
}

/** At least 1 (cases are never worth more than themselves), at most the mean cluster size weighted by size. */
function designEffect(sums: readonly { x: number; m: number }[], n: number, rate: number): number {
  const most = sums.reduce((s, c) => s + c.m * c.m, 0) / n;
  const k = sums.length;
  if (k < 2 || rate === 0 || rate === 1) return Math.max(1, most);
  const clustered = (k / (k - 1)) * sums.reduce((s, c) => s + (c.x - rate * c.m) ** 2, 0);
  return Math.min(Math.max(1, most), Math.max(1, clustered / (n * rate * (1 - rate))));
}

function wilson(rate: number, n: number): { low: number; high: number } {
  const z2 = Z * Z;
  const middle = (rate + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z / (1 + z2 / n)) * Math.sqrt((rate * (1 - rate)) / n + z2 / (4 * n * n));
  return { low: rate === 0 ? 0 : Math.max(0, middle - half), high: rate === 1 ? 1 : Math.min(1, middle + half) };
}
