/**
 * IEEE 754 binary16 (FP16), which no typed array of Node 20 holds: 1 sign bit, 5 exponent bits (bias 15),
 * 10 fraction bits.
 */

const MIN_NORMAL = 2 ** -14;
const SUBNORMAL_STEP = 2 ** -24;
/** Halfway between the largest finite half (65504) and the next power of two: from here on it rounds to infinity. */
const OVERFLOW = 65_520;

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** The bits of the half nearest to `value`, ties to even; beyond ±65520 infinity, NaN as the quiet 0x7e00. */
export function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= OVERFLOW) return sign | 0x7c00;
  // A subnormal that rounds up to 1024 steps carries into the smallest normal: the bit patterns are adjacent.
  if (magnitude < MIN_NORMAL) return sign | roundHalfEven(magnitude / SUBNORMAL_STEP);
  scratch[0] = magnitude;
  const exponent = ((scratchWords[1] as number) >>> 20) - 1023;
  const steps = roundHalfEven(magnitude / 2 ** (exponent - 10));
  return sign | (((exponent + 15) << 10) + (steps - 1024));
}

/** The number that the half with these 16 bits stands for. */
export function fromHalf(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * SUBNORMAL_STEP;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Exact for the arguments above: they were scaled by a power of two, which loses nothing. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
