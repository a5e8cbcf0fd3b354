/**
 * IEEE 754 binary16, the FP16 datatype: 1 sign, 5 exponent and 10 fraction bits. Node 20 has no Float16Array, so
 * FP16 tensors are held as Uint16Array of these bit patterns.
 */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The bit pattern of the binary16 number nearest to `value` as a binary32 (ties to even); overflow gives infinity. */
export function halfFromNumber(value: number): number {
  float[0] = value;
  const word = bits[0] ?? 0;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  // 65520 is halfway between the largest binary16 number, 65504, and the next power of two.
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  // Below 2^-14 numbers are multiples of 2^-24; Math.fround has already rounded to binary32.
  if (magnitude < 0x3880_0000) return sign | roundToEven(Math.abs(float[0]) * 2 ** 24);
  const rounded = magnitude + 0x0fff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x3800_0000) >>> 13);
}

/** The number that a binary16 bit pattern stands for. */
export function numberFromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
