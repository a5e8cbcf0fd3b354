import type { ComparisonScores } from '../../compress/score/comparison.ts';
import { gate } from '../../compress/score/gate.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { type MeasuredSpeed, measureSpeed } from './measure-speed.ts';
import type { MemoryPeak } from './memory-peak.ts';
import { Session } from './session.ts';

/** A file must be smaller than this part of the float model's to count as smaller. */
const SMALLER_PART = 0.95;

/** What was measured of a variant. */
export interface VariantFigures {
  readonly sizeBytes: number;
  readonly scores: ComparisonScores;
  readonly speed: MeasuredSpeed | undefined;
}

/** Whether a variant may be served, and why in a sentence. */
export interface Verdict {
  readonly status: 'accepted' | 'refused';
  readonly reason: string;
}

/** Measures the speed of a variant against the float model's on one sample, each in a runner of its own. */
export async function compareSpeed(
  floatPath: string,
  variantPath: string,
  sample: readonly Tensor[],
  memory: MemoryPeak,
): Promise<MeasuredSpeed | undefined> {
  const float = await Session.open(floatPath, memory);
  try {
    const variant = await Session.open(variantPath, memory);
    try {
      return await measureSpeed(float, variant, sample);
    } finally {
      variant.close();
    }
  } finally {
    float.close();
  }
}

/** Decides by the gate, and refuses what is accurate enough but neither faster nor smaller than the float model. */
export function judge(figures: VariantFigures, floatBytes: number, maxAccuracyDrop: number): Verdict {
  const { scores, speed, sizeBytes } = figures;
  const { status, reason } = gate(scores, { maxAccuracyDrop });
  if (status === 'refused') return { status, reason };
  const isFaster = speed !== undefined && speed.low > 1;
  const isSmaller = sizeBytes < floatBytes * SMALLER_PART;
  if (isFaster || isSmaller) return { status, reason };
  const times = speed === undefined ? 'not measured' : `${speed.median.toFixed(2)}×`;
  return {
    status: 'refused',
    reason: `neither faster (${times} the speed) nor smaller (${sizeBytes} of ${floatBytes} bytes) than the float model`,
  };
}
