import { roundHalfEven } from './quantize.ts';

/** How the columns of a matrix are quantized in blocks. */
export interface BlockScaling {
  readonly bits: 4 | 8;
  /** Rows in a block: 16, 32, 64, 128 or 256. */
  readonly blockSize: number;
  /** `nearest` rounds to nearest; `hqq` (4 bits) then refines each block, and keeps what is nearer to the weights. */
  readonly rounding: 'nearest' | 'hqq';
}

/** A matrix as the runtime's MatMulNBits takes it (B, scales and zero_points of its documentation), column by column. */
export interface QuantizedBlocks {
  /** [columns, blocks, blockSize · bits / 8]; of two 4-bit values the first is in the low half. */
  readonly packed: Uint8Array;
  /** [columns, blocks] */
  readonly scales: Float32Array;
  /** [columns, blocks · bits / 8 rounded up]; packed in the same way. */
  readonly zeroPoints: Uint8Array;
  readonly blocks: number;
}

/** Scale and zero point of one block. */
interface BlockParameters {
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * Quantizes a row-major matrix of `rows` × `columns` in blocks of `blockSize` rows of one column, each with a scale and
 * an integer zero point: `w = scale · (q − zeroPoint)`, q of 0 … 2^bits − 1. Rounding to nearest gives the numbers of
 * ONNX Runtime's own quantizer (`MlasQuantizeBlockwise` of 1.30, asymmetric).
 */
export function quantizeBlocks(
  matrix: Float32Array,
  rows: number,
  columns: number,
  scaling: BlockScaling,
): QuantizedBlocks {
  const { bits, blockSize } = scaling;
  const blocks = Math.ceil(rows / blockSize);
  const blockBytes = (blockSize * bits) / 8;
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  const packed = new Uint8Array(columns * blocks * blockBytes);
  const scales = new Float32Array(columns * blocks);
  const zeroPoints = new Uint8Array(columns * zeroBytes);
  const block = new Float32Array(blockSize);
  for (let column = 0; column < columns; column++) {
    for (let index = 0; index < blocks; index++) {
      const length = Math.min(blockSize, rows - index * blockSize);
      for (let row = 0; row < length; row++) {
        block[row] = matrix[(index * blockSize + row) * columns + column] ?? 0;
      }
      const values = block.subarray(0, length);
      const parameters = blockParameters(values, scaling);
      scales[column * blocks + index] = parameters.scale;
      putInteger(zeroPoints, column * zeroBytes, index, parameters.zeroPoint, bits);
      const start = (column * blocks + index) * blockBytes;
      for (const [row, value] of values.entries()) {
        putInteger(packed, start, row, quantizeIn(value, parameters, bits), bits);
      }
    }
    // The runtime's own quantizer leaves the middle of the range in the half that no block uses.
    if (bits === 4 && blocks % 2 === 1) putInteger(zeroPoints, column * zeroBytes, blocks, 8, bits);
  }
  return { packed, scales, zeroPoints, blocks };
}

/** The matrix that quantized blocks stand for, row-major. */
export function dequantizeBlocks(
  { packed, scales, zeroPoints, blocks }: QuantizedBlocks,
  rows: number,
  columns: number,
  { bits, blockSize }: BlockScaling,
): Float32Array {
  const matrix = new Float32Array(rows * columns);
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      const index = Math.floor(row / blockSize);
      const start = ((column * blocks + index) * blockSize * bits) / 8;
      const q = getInteger(packed, start, row % blockSize, bits);
      const zeroPoint = getInteger(zeroPoints, column * zeroBytes, index, bits);
      matrix[row * columns + column] = (scales[column * blocks + index] ?? 0) * (q - zeroPoint);
    }
  }
  return matrix;
}

function putInteger(bytes: Uint8Array, start: number, index: number, value: number, bits: 4 | 8): void {
  if (bits === 8) bytes[start + index] = value;
  else bytes[start + (index >> 1)] = (bytes[start + (index >> 1)] ?? 0) | (value << ((index & 1) * 4));
}

function getInteger(bytes: Uint8Array, start: number, index: number, bits: 4 | 8): number {
  if (bits === 8) return bytes[start + index] ?? 0;
  return ((bytes[start + (index >> 1)] ?? 0) >> ((index & 1) * 4)) & 15;
}

function blockParameters(values: Float32Array, { bits, rounding }: BlockScaling): BlockParameters {
  const nearest = nearestParameters(values, bits);
  if (rounding === 'nearest' || nearest.scale === 0) return nearest;
  const refined = refineBlock(values, nearest, bits);
  return blockError(values, refined, bits) < blockError(values, nearest, bits) ? refined : nearest;
}

/** The range from smallest to largest weight, 0 among them. */
function nearestParameters(values: Float32Array, bits: 4 | 8): BlockParameters {
  let min = 0;
  let max = 0;
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  const most = 2 ** bits - 1;
  const scale = Math.fround(Math.fround(max - min) / most);
  if (scale === 0) return { scale: 0, zeroPoint: 0 };
  return { scale, zeroPoint: clampTo(roundHalfEven(Math.fround(-min / scale)), most) };
}

function quantizeIn(value: number, { scale, zeroPoint }: BlockParameters, bits: 4 | 8): number {
  if (scale === 0) return zeroPoint;
  return clampTo(roundHalfEven(Math.fround(value / scale) + zeroPoint), 2 ** bits - 1);
}

/**
 * Half-quadratic quantization: how many rounds at most, the norm and the weights of its proximal step, and the step of
 * the zero point below which it ends.
 */
const HQQ = { rounds: 20, norm: 0.7, beta: 10, growth: 1.01, leastStep: 0.01 } as const;

/**
 * Half-quadratic quantization of one block (Badri and Shaji 2023): the zero point moves so that few weights keep large
 * errors rather than all small ones. Then it is rounded, as the fast kernels want integers, and the scale fitted to it by
 * least squares.
 */
function refineBlock(values: Float32Array, start: BlockParameters, bits: 4 | 8): BlockParameters {
  const { scale } = start;
  let zero = start.zeroPoint;
  let beta: number = HQQ.beta;
  for (let round = 0; round < HQQ.rounds; round++) {
    let sum = 0;
    for (const value of values) {
      const q = clampTo(Math.round(value / scale + zero), 2 ** bits - 1);
      const error = shrink(value - scale * (q - zero), beta);
      sum += q - (value - error) / scale;
    }
    const next = sum / values.length;
    const step = Math.abs(next - zero);
    zero = next;
    if (step < HQQ.leastStep) break;
    beta *= HQQ.growth;
  }
  return fitScale(values, { scale, zeroPoint: clampTo(Math.round(zero), 2 ** bits - 1) }, bits);
}

/** The proximal step of the p-norm: errors near 0 become 0. */
function shrink(error: number, beta: number): number {
  const size = Math.abs(error);
  return Math.sign(error) * Math.max(0, size - (size + 1e-8) ** (HQQ.norm - 1) / beta);
}

/** The scale with the least squared error for the integers that the present one gives. */
function fitScale(values: Float32Array, parameters: BlockParameters, bits: 4 | 8): BlockParameters {
  let product = 0;
  let square = 0;
  for (const value of values) {
    const step = quantizeIn(value, parameters, bits) - parameters.zeroPoint;
    product += value * step;
    square += step * step;
  }
  const scale = Math.fround(product / square);
  return scale > 0 && Number.isFinite(scale) ? { scale, zeroPoint: parameters.zeroPoint } : parameters;
}

function blockError(values: Float32Array, parameters: BlockParameters, bits: 4 | 8): number {
  let sum = 0;
  for (const value of values) {
    const q = quantizeIn(value, parameters, bits);
    sum += (value - parameters.scale * (q - parameters.zeroPoint)) ** 2;
  }
  return sum;
}

function clampTo(value: number, most: number): number {
  return Math.max(0, Math.min(most, value));
}
