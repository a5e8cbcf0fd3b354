import type { AccuracyScores, ComparisonScores } from './comparison.ts';

/**
 * The signal-to-noise ratio a variant of a model that is no classifier must have, unless told otherwise: 20 dB, noise
 * with a tenth of the signal's amplitude, is where int8 models of the usual quality lie (21 dB for MobileNetV2
 * quantized by the tool of ONNX Runtime).
 */
const DEFAULT_MIN_SNR_DB = 20;

/** What the gate allows. */
export interface GateLimits {
  /** Largest accuracy that may be lost, as a fraction: 0.01 is one percentage point. */
  readonly maxAccuracyDrop: number;
  /** For models that are no classifiers; by default 20. */
  readonly minSnrDb?: number | undefined;
}

/** What the gate decided, by what, and why in a sentence. */
export interface GateVerdict {
  readonly status: 'accepted' | 'refused';
  readonly measure: 'accuracy' | 'agreement' | 'snr' | 'finite';
  readonly reason: string;
}

/**
 * Decides whether a variant may be served. With labels by the drop in accuracy; without, for a classifier, by the part
 * of the samples whose best class changed; else by the signal-to-noise ratio of every output. Labels on which the
 * float model is no better than chance are not believed. NaN or infinities, or no samples, are refused. What counts
 * is what was measured; the reason gives the interval.
 */
export function gate(scores: ComparisonScores, limits: GateLimits): GateVerdict {
  if (scores.samples === 0) {
    return { status: 'refused', measure: 'finite', reason: 'there were no samples to judge by' };
  }
  if (scores.nonFinite > 0) {
    const reason = `gives NaN or infinity in ${scores.nonFinite} values where the float model does not`;
    return { status: 'refused', measure: 'finite', reason };
  }
  const { accuracy, agreement } = scores;
  if (accuracy !== undefined && isAboveChance(accuracy)) return byAccuracy(accuracy, limits);
  if (agreement === undefined) return bySnr(scores, limits);
  const allowed = points(limits.maxAccuracyDrop);
  const changed = agreement.samples - agreement.count;
  const verdict = within(changed, limits.maxAccuracyDrop, agreement.samples);
  const doubt =
    accuracy === undefined
      ? ''
      : `; the labels are not believed, the float model gets only ${percent(accuracy.float.value)} of them right`;
  return {
    status: verdict,
    measure: 'agreement',
    reason:
      `the best class differs from the float model's on ${changed} of ${agreement.samples} samples: ` +
      `${points(1 - agreement.value)} (${points(1 - agreement.high)} to ${points(1 - agreement.low)}), allowed ${allowed}${doubt}`,
  };
}

/** Whether the float model gets significantly more labels right than a guess would: else they belong to other data. */
export function isAboveChance(accuracy: AccuracyScores): boolean {
  return accuracy.float.low > 1 / accuracy.classes;
}

function byAccuracy(accuracy: AccuracyScores, limits: GateLimits): GateVerdict {
  const { drop } = accuracy;
  const reason =
    `accuracy ${percent(accuracy.variant.value)} against ${percent(accuracy.float.value)} of the float model: ` +
    `drop ${points(drop.value)} (${points(drop.low)} to ${points(drop.high)}), allowed ${points(limits.maxAccuracyDrop)}`;
  const lost = drop.rightToWrong - drop.wrongToRight;
  return { status: within(lost, limits.maxAccuracyDrop, drop.samples), measure: 'accuracy', reason };
}

function bySnr(scores: ComparisonScores, limits: GateLimits): GateVerdict {
  const least = limits.minSnrDb ?? DEFAULT_MIN_SNR_DB;
  const ratios = scores.outputs.flatMap(({ name, snrDb }) => (snrDb === undefined ? [] : { name, snrDb }));
  const worst = ratios.sort((a, b) => a.snrDb - b.snrDb)[0];
  if (worst === undefined) {
    const reason = 'every output of the float model is nearly zero on this data: there is nothing to compare';
    return { status: 'refused', measure: 'snr', reason };
  }
  const found = `signal-to-noise ratio ${worst.snrDb.toFixed(1)} dB in output '${worst.name}'`;
  const status = worst.snrDb >= least ? 'accepted' : 'refused';
  return { status, measure: 'snr', reason: `${found}, needed ${least} dB` };
}

/** Compares in samples: fractions such as 3/300 and 0.01 differ by rounding. */
function within(lost: number, allowedPart: number, samples: number): GateVerdict['status'] {
  return lost <= allowedPart * samples + 1e-9 ? 'accepted' : 'refused';
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

function points(part: number): string {
  return `${(part * 100).toFixed(1)} points`;
}
