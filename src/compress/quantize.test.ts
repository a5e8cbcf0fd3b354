import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../lib/paths.ts';
import { seededRandom } from '../lib/random.ts';
import {
  activationParameters,
  channelView,
  dequantizeWeights,
  type QuantParameters,
  quantize,
  quantizeBias,
  quantizeWeights,
  raiseScalesForBias,
  roundHalfEven,
  weightScales,
} from './quantize.ts';
import { type BlockScaling, dequantizeBlocks, quantizeBlocks } from './quantize-blocks.ts';

interface Channels {
  readonly scales: readonly number[];
  readonly values: readonly (readonly number[])[];
}

interface Blocks {
  readonly packed: readonly number[];
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
}

/** Made by test/fixtures/compress/make-quantization.py with ONNX Runtime's Python package. */
interface Fixture {
  readonly activations: readonly { min: number; max: number; u8: QuantParameters; s8: QuantParameters }[];
  readonly weights: {
    readonly rows: readonly (readonly number[])[];
    readonly full: Channels;
    readonly reduced: Channels;
  };
  readonly blocks: {
    readonly matrix: readonly (readonly number[])[];
    size: number;
    bits4: Blocks;
    bits8: Blocks;
  };
}

const fixture = JSON.parse(
  readFileSync(join(packageRoot, 'test/fixtures/compress/quantization.json'), 'utf8'),
) as Fixture;

/** Normally distributed, roughly (12 uniform numbers). */
function randomFloats(count: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, () => {
    let sum = -6;
    for (let draw = 0; draw < 12; draw++) sum += random();
    return sum;
  });
}

function squaredError(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + (value - (b[index] ?? 0)) ** 2, 0);
}

describe('quantize', () => {
  it('gives ranges the scales and zero points of the Python tool', () => {
    for (const { min, max, u8, s8 } of fixture.activations) {
      assert.deepEqual(activationParameters({ min, max }, 'u8'), u8, `u8 ${min} … ${max}`);
      assert.deepEqual(activationParameters({ min, max }, 's8'), s8, `s8 ${min} … ${max}`);
    }
  });

  it('gives weights the scales and integers of the Python tool', () => {
    const { rows } = fixture.weights;
    const values = Float32Array.from(rows.flat());
    const view = channelView([rows.length, rows[0]?.length ?? 0], 0);
    for (const reduceRange of [false, true]) {
      const expected = reduceRange ? fixture.weights.reduced : fixture.weights.full;
      const scales = weightScales(values, view, { reduceRange });
      assert.deepEqual([...scales], expected.scales);
      assert.deepEqual([...quantizeWeights(values, view, scales, { reduceRange })], expected.values.flat());
    }
  });

  it('represents 0 exactly and every value of the range within half a scale', () => {
    const random = seededRandom(1);
    for (let round = 0; round < 200; round++) {
      const range = {
        min: (random() - 0.7) * 10 ** (4 * random()),
        max: (random() - 0.3) * 10 ** (4 * random()),
      };
      if (range.max < range.min) continue;
      for (const type of ['u8', 's8'] as const) {
        const parameters = activationParameters(range, type);
        assert.equal(quantize(0, parameters, type), parameters.zeroPoint);
        for (const value of [range.min, range.max, range.min + random() * (range.max - range.min)]) {
          const back = parameters.scale * (quantize(value, parameters, type) - parameters.zeroPoint);
          // The zero point is rounded too, so an end of the range can lie half a step outside.
          assert.ok(
            Math.abs(back - value) <= parameters.scale * 1.001,
            `${value} → ${back} of ${JSON.stringify(range)}`,
          );
        }
      }
    }
  });

  it('rounds halves to the even integer', () => {
    assert.deepEqual(
      [0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6].map(roundHalfEven).map((q) => q + 0),
      [0, 2, 2, 0, -2, 2, -3],
    );
  });

  it('sees channels along any axis', () => {
    const values = Float32Array.from({ length: 2 * 3 * 4 }, (_, index) => index);
    assert.deepEqual(
      [...weightScales(values, channelView([2, 3, 4], 0))].map((scale) => Math.round(scale * 127)),
      [11, 23],
    );
    assert.deepEqual(
      [...weightScales(values, channelView([2, 3, 4], 1))].map((scale) => Math.round(scale * 127)),
      [15, 19, 23],
    );
    assert.deepEqual(
      [...weightScales(values, channelView([2, 3, 4], 2))].map((scale) => Math.round(scale * 127)),
      [20, 21, 22, 23],
    );
  });

  it('clips weights only where that lowers the error', () => {
    const values = randomFloats(2 * 20_000, 3);
    const view = channelView([2, 20_000], 0);
    const plain = weightScales(values, view);
    const clipped = weightScales(values, view, { clipping: 'mse' });
    const errorOf = (scales: Float32Array) =>
      squaredError(values, dequantizeWeights(quantizeWeights(values, view, scales), view, scales));
    assert.ok(errorOf(clipped) < errorOf(plain));
    for (const [channel, scale] of clipped.entries()) assert.ok(scale <= (plain[channel] ?? 0));
  });

  it('keeps biases of near-dead and dead channels within int32 and exact', () => {
    const bias = Float32Array.of(0.5, 3, -7, 0);
    const inputScale = 0.01;
    const scales = raiseScalesForBias(Float32Array.of(0.02, 1e-12, 0, 0), inputScale, bias);
    assert.equal(scales[0], Math.fround(0.02));
    const made = quantizeBias(bias, inputScale, scales);
    for (const [channel, value] of made.values.entries()) {
      assert.ok(Math.abs(value) <= 2 ** 30 + 64, `${value}`);
      const scale = made.scales[channel] ?? 0;
      assert.equal(scale, Math.fround(Math.fround(inputScale) * (scales[channel] ?? 0)));
      assert.ok(Math.abs(value * scale - (bias[channel] ?? 0)) <= scale, `channel ${channel}`);
    }
  });
});

describe('quantizeBlocks', () => {
  const { matrix, size, bits4, bits8 } = fixture.blocks;
  const rows = matrix.length;
  const columns = matrix[0]?.length ?? 0;

  it('gives the bytes of the Python tool', () => {
    for (const [bits, expected] of [
      [4, bits4],
      [8, bits8],
    ] as const) {
      const made = quantizeBlocks(Float32Array.from(matrix.flat()), rows, columns, {
        bits,
        blockSize: size,
        rounding: 'nearest',
      });
      assert.deepEqual([...made.scales], expected.scales, `${bits} bits`);
      assert.deepEqual([...made.zeroPoints], expected.zeroPoints, `${bits} bits`);
      assert.deepEqual([...made.packed], expected.packed, `${bits} bits`);
    }
  });

  it('is never worse refined than rounded to nearest, and better on the whole', () => {
    const values = randomFloats(96 * 24, 5);
    const errors = (['nearest', 'hqq'] as const).map((rounding) => {
      const scaling: BlockScaling = { bits: 4, blockSize: 32, rounding };
      return squaredError(values, dequantizeBlocks(quantizeBlocks(values, 96, 24, scaling), 96, 24, scaling));
    });
    assert.ok((errors[1] ?? 0) < 0.97 * (errors[0] ?? 0), errors.join(' '));
  });

  it('takes blocks of zeros and rows that fill no block', () => {
    const values = new Float32Array(20 * 2);
    values[39] = 1;
    const scaling: BlockScaling = { bits: 4, blockSize: 16, rounding: 'hqq' };
    assert.deepEqual(dequantizeBlocks(quantizeBlocks(values, 20, 2, scaling), 20, 2, scaling), values);
  });
});
