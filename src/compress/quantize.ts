/**
 * The arithmetic of integer quantization: `real = scale · (q − zeroPoint)`. Formulas are those of ONNX Runtime's
 * Python tool (quant_utils.py of 1.30: compute_scale_zp, quantize_nparray), so that both make the same numbers.
 */

/** The smallest and largest value seen of a tensor. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

/** An 8-bit integer type of activations. */
export type ActivationType = 'u8' | 's8';

/** Scale (FP32) and zero point of a whole tensor. */
export interface QuantParameters {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The integers that each activation type has. */
export const ACTIVATION_LIMITS = { u8: { min: 0, max: 255 }, s8: { min: -128, max: 127 } } as const;

/** Largest magnitude of symmetric weights: 8 bits, and 7 bits where sums of two products must fit in 16 bits. */
export const WEIGHT_LIMIT = { full: 127, reduced: 64 } as const;

/** Below the smallest normal float a scale is useless. */
const SMALLEST_SCALE = 2 ** -126;

/** The nearest integer, halves to the even one, as NumPy and the runtime round. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** Asymmetric parameters for a range, which is widened to hold 0; one without extent gets scale 1, zero point 0. */
export function activationParameters(range: ValueRange, type: ActivationType): QuantParameters {
  const limits = ACTIVATION_LIMITS[type];
  const min = Math.min(Math.fround(range.min), 0);
  const max = Math.max(Math.fround(range.max), 0);
  const scale = Math.fround(max - min) / (limits.max - limits.min);
  if (scale < SMALLEST_SCALE) return { scale: 1, zeroPoint: 0 };
  return { scale: Math.fround(scale), zeroPoint: roundHalfEven(limits.min - min / scale) };
}

/** The integer for a real value, cut off at the type's limits. */
export function quantize(value: number, { scale, zeroPoint }: QuantParameters, type: ActivationType): number {
  const limits = ACTIVATION_LIMITS[type];
  const q = roundHalfEven(Math.fround(value / scale)) + zeroPoint;
  return Math.min(limits.max, Math.max(limits.min, q));
}

/** The real values that quantized ones stand for are within this: from `min` to `max`. */
export function representableRange({ scale, zeroPoint }: QuantParameters, type: ActivationType): ValueRange {
  const limits = ACTIVATION_LIMITS[type];
  return { min: scale * (limits.min - zeroPoint), max: scale * (limits.max - zeroPoint) };
}

/** A tensor seen along one axis: element `i` belongs to channel `floor(i / inner) mod channels`. */
export interface ChannelView {
  readonly channels: number;
  readonly inner: number;
}

/** How a row-major tensor of this shape is seen along an axis. */
export function channelView(dims: readonly number[], axis: number): ChannelView {
  return { channels: dims[axis] ?? 1, inner: dims.slice(axis + 1).reduce((size, dim) => size * dim, 1) };
}

/** How weights are given their scales. */
export interface WeightScaling {
  /** 64 instead of 127 as the largest magnitude. */
  readonly reduceRange?: boolean;
  /** `mse`: cut off large weights where that makes the mean squared error of their channel smaller. */
  readonly clipping?: 'none' | 'mse';
}

/** The largest magnitude of a quantized weight. */
export function weightLimit({ reduceRange }: WeightScaling): number {
  return reduceRange === true ? WEIGHT_LIMIT.reduced : WEIGHT_LIMIT.full;
}

/** Symmetric scales of weights by channel: largest magnitude / limit. A channel of zeros has scale 0. */
export function weightScales(
  values: Float32Array,
  view: ChannelView,
  scaling: WeightScaling = {},
): Float32Array {
  const limit = weightLimit(scaling);
  const largest = new Float32Array(view.channels);
  eachChannel(values, view, (channel, start, end) => {
    let most = largest[channel] ?? 0;
    for (let at = start; at < end; at++) most = Math.max(most, Math.abs(values[at] ?? 0));
    largest[channel] = most;
  });
  const scales = largest.map((most) => (most / limit < SMALLEST_SCALE ? 0 : most / limit));
  return scaling.clipping === 'mse' ? leastSquaresScales(values, view, scales, limit) : scales;
}

/** Symmetric weights by channel in `-limit … limit`, halves to even; a channel whose scale is 0 becomes zeros. */
export function quantizeWeights(
  values: Float32Array,
  view: ChannelView,
  scales: Float32Array,
  scaling: WeightScaling = {},
): Int8Array {
  const limit = weightLimit(scaling);
  const result = new Int8Array(values.length);
  eachChannel(values, view, (channel, start, end) => {
    const scale = scales[channel] ?? 0;
    if (scale === 0) return;
    for (let at = start; at < end; at++) {
      const q = roundHalfEven(Math.fround((values[at] ?? 0) / scale));
      result[at] = Math.max(-limit, Math.min(limit, q));
    }
  });
  return result;
}

/** The real weights that quantized ones stand for. */
export function dequantizeWeights(
  quantized: Int8Array,
  view: ChannelView,
  scales: Float32Array,
): Float32Array {
  const result = new Float32Array(quantized.length);
  eachChannel(result, view, (channel, start, end) => {
    const scale = scales[channel] ?? 0;
    for (let at = start; at < end; at++) result[at] = (quantized[at] ?? 0) * scale;
  });
  return result;
}

/** The share of the largest magnitude at which clipping is tried. */
const CLIP_STEPS = Array.from({ length: 20 }, (_, step) => 1 - step * 0.02);

/** Picks for each channel the scale out of `CLIP_STEPS` with the smallest squared error. */
function leastSquaresScales(
  values: Float32Array,
  view: ChannelView,
  scales: Float32Array,
  limit: number,
): Float32Array {
  const best = scales.slice();
  const smallest = new Float64Array(view.channels).fill(Number.POSITIVE_INFINITY);
  for (const share of CLIP_STEPS) {
    const errors = new Float64Array(view.channels);
    eachChannel(values, view, (channel, start, end) => {
      const scale = Math.fround((scales[channel] ?? 0) * share);
      if (scale === 0) return;
      let sum = 0;
      for (let at = start; at < end; at++) {
        const value = values[at] ?? 0;
        const q = Math.min(limit, Math.max(-limit, Math.round(value / scale)));
        sum += (value - q * scale) ** 2;
      }
      errors[channel] = (errors[channel] ?? 0) + sum;
    });
    for (const [channel, error] of errors.entries()) {
      if (error >= (smallest[channel] ?? 0)) continue;
      smallest[channel] = error;
      best[channel] = (scales[channel] ?? 0) * share;
    }
  }
  return best;
}

/** Calls `visit` with every run of elements of one channel. */
function eachChannel(
  values: { readonly length: number },
  { channels, inner }: ChannelView,
  visit: (channel: number, start: number, end: number) => void,
): void {
  if (inner === 0 || channels === 0) return;
  for (let start = 0, run = 0; start < values.length; start += inner, run++) {
    visit(run % channels, start, start + inner);
  }
}

/** What an int32 bias may have at most, which leaves the sum of products as much room again. */
const BIAS_LIMIT = 2 ** 30;
/** Products of scales stay well above the denormal floats. */
const SMALLEST_BIAS_SCALE = 2 ** -100;

/**
 * Raises the scales of weights, each so far that the bias of its channel fits in 30 bits of `inputScale · scale`
 * (a near-dead channel with a bias would overflow int32 otherwise), and gives channels of zeros a scale.
 */
export function raiseScalesForBias(
  scales: Float32Array,
  inputScale: number,
  bias: Float32Array | undefined,
): Float32Array {
  return scales.map((scale, channel) => {
    const forBias = Math.abs(bias?.[channel] ?? 0) / (inputScale * BIAS_LIMIT);
    const raised = Math.max(scale, forBias, SMALLEST_BIAS_SCALE / inputScale);
    return scale === 0 && forBias === 0 ? 1 : raised;
  });
}

/** The int32 bias and its scales, which are exactly the FP32 products `inputScale · weightScale`. */
export function quantizeBias(
  bias: Float32Array,
  inputScale: number,
  scales: Float32Array,
): { readonly values: Int32Array; readonly scales: Float32Array } {
  const products = scales.map((scale) => Math.fround(inputScale) * scale);
  const values = Int32Array.from(bias, (value, channel) => {
    const q = roundHalfEven(value / (products[channel] ?? 1));
    return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), q));
  });
  return { values, scales: products };
}
