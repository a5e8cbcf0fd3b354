/** The value below which a share `q` (0..1) of the values lies, interpolated linearly; NaN where there are none. */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** The middle value. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/** What the rounds of a measurement gave: their median, and p5..p95 as the spread. */
export function overRounds(values: ArrayLike<number>): {
  value: number;
  spread: [low: number, high: number];
} {
  return { value: median(values), spread: [quantile(values, 0.05), quantile(values, 0.95)] };
}
