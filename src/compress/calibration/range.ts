/** The range that quantization has to represent; always holds 0, which must have a code of its own. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** The smallest range that holds both ends and 0. Ends that are not finite (nothing was seen) count as 0. */
export function rangeWithZero(min: number, max: number): Range {
  // Adding 0 turns -0 into 0.
  return {
    min: Number.isFinite(min) ? Math.min(0, min) + 0 : 0,
    max: Number.isFinite(max) ? Math.max(0, max) + 0 : 0,
  };
}
