import { SelvageError } from '../../lib/errors.ts';
import { shapeText } from '../../tensor/check-request.ts';

interface ChannelSums {
  readonly sums: Float64Array;
  readonly counts: Float64Array;
}

/**
 * The mean of every channel of tensors over all samples: E[x] of the bias correction `b += (W - Ŵ) E[x]`
 * (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2).
 */
export class ChannelMeans {
  private readonly tensors = new Map<string, ChannelSums>();

  /**
   * Adds the values of tensor `name`, row-major in `shape`; its channels lie along `axis` (negative: from the end).
   * NaN and infinities are left out. Throws INTERNAL where values and shape do not fit, or the channel count changed.
   */
  observe(name: string, values: ArrayLike<number>, shape: readonly number[], axis: number): void {
    const at = axis < 0 ? axis + shape.length : axis;
    const channels = shape[at];
    const inner = shape.slice(at + 1).reduce((product, dimension) => product * dimension, 1);
    const outer = shape.slice(0, Math.max(0, at)).reduce((product, dimension) => product * dimension, 1);
    if (channels === undefined || outer * channels * inner !== values.length) {
      throw unfit(name, `${values.length} values with channels on axis ${axis} of ${shapeText(shape)}`);
    }
    const { sums, counts } = this.entry(name, channels);
    for (let index = 0, block = 0; block < outer * channels; block++) {
      const channel = block % channels;
      let sum = 0;
      let count = 0;
      for (const end = index + inner; index < end; index++) {
        const value = values[index] as number;
        if (value - value !== 0) continue;
        sum += value;
        count += 1;
      }
      sums[channel] = (sums[channel] as number) + sum;
      counts[channel] = (counts[channel] as number) + count;
    }
  }

  /** Mean by channel, 0 for a channel without finite values; undefined for a tensor that never came. */
  means(name: string): Float64Array | undefined {
    const entry = this.tensors.get(name);
    return entry?.sums.map((sum, channel) => sum / Math.max(1, entry.counts[channel] as number));
  }

  private entry(name: string, channels: number): ChannelSums {
    let entry = this.tensors.get(name);
    if (entry === undefined) {
      entry = { sums: new Float64Array(channels), counts: new Float64Array(channels) };
      this.tensors.set(name, entry);
    }
    if (entry.sums.length !== channels) {
      throw unfit(name, `${channels} channels after ${entry.sums.length}`);
    }
    return entry;
  }
}

function unfit(name: string, found: string): SelvageError {
  return SelvageError.of('INTERNAL', { reason: `channel means of '${name}': ${found}` });
}
