/** A part of a number of samples, with the interval that holds the true part with 95 % confidence. */
export interface Proportion {
  /** 0..1; 0 where there are no samples. */
  readonly value: number;
  readonly count: number;
  readonly samples: number;
  readonly low: number;
  readonly high: number;
}

/** The two-sided 95 % quantile of the normal distribution. */
export const Z95 = 1.959963984540054;

/** `count` of `samples` with its Wilson score interval (E. B. Wilson, 1927), which holds for few samples and near 0 and 1. */
export function proportion(count: number, samples: number): Proportion {
  if (samples === 0) return { value: 0, count, samples, low: 0, high: 1 };
  const value = count / samples;
  const z2 = Z95 * Z95;
  const centre = (value + z2 / (2 * samples)) / (1 + z2 / samples);
  const half =
    (Z95 / (1 + z2 / samples)) * Math.sqrt((value * (1 - value)) / samples + z2 / (4 * samples * samples));
  // Exactly 0 and 1 at the ends, where rounding would leave a trace.
  const low = count === 0 ? 0 : Math.max(0, centre - half);
  const high = count === samples ? 1 : Math.min(1, centre + half);
  return { value, count, samples, low, high };
}
