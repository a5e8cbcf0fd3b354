import { Z95 } from './proportion.ts';

/** How much accuracy a variant loses against the float model on the same samples. */
export interface PairedDrop {
  /** Float accuracy minus the variant's, -1..1: negative where the variant is better. */
  readonly value: number;
  /** Interval that holds the true drop with 95 % confidence. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
  /** Samples that only the float model gets right. */
  readonly rightToWrong: number;
  /** Samples that only the variant gets right. */
  readonly wrongToRight: number;
}

/**
 * The drop in accuracy from the samples on which the two differ. The interval is that of Bonett and Price (2012) for
 * paired proportions, which is far narrower than comparing two separate accuracies and holds where few differ.
 */
export function pairedDrop(rightToWrong: number, wrongToRight: number, samples: number): PairedDrop {
  const value = samples === 0 ? 0 : (rightToWrong - wrongToRight) / samples;
  const lost = (rightToWrong + 1) / (samples + 2);
  const won = (wrongToRight + 1) / (samples + 2);
  const half = Z95 * Math.sqrt(Math.max(0, lost + won - (lost - won) ** 2) / (samples + 2));
  return {
    value,
    low: samples === 0 ? -1 : Math.max(-1, Math.min(value, lost - won - half)),
    high: samples === 0 ? 1 : Math.min(1, Math.max(value, lost - won + half)),
    samples,
    rightToWrong,
    wrongToRight,
  };
}
