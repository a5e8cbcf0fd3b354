import type { SplitSizes } from '../../compress/data/split-dataset.ts';

/** More samples than this move the ranges little. */
const CALIBRATION = 100;
/** Enough to tell variants apart while searching. */
const VALIDATION = 400;
/** A drop of one point is told from none at about this number. */
const TEST = 2000;

/**
 * How many samples are used for what: a quarter for calibration at most, and of the rest, where there is a search, two
 * fifths to choose by; all others judge. No sample has two uses.
 */
export function partSizes(samples: number, isSearch: boolean): SplitSizes {
  const calibration = Math.min(CALIBRATION, Math.ceil(samples / 4));
  const rest = samples - calibration;
  const validation = isSearch ? Math.min(VALIDATION, Math.floor(rest * 0.4)) : 0;
  return { calibration, validation, test: Math.max(1, Math.min(TEST, rest - validation)) };
}
