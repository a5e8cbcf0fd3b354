import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SelvageError } from '../../lib/errors.ts';
import { seededRandom } from '../../lib/random.ts';
import { type CalibrationMethod, Calibrator } from './calibrator.ts';
import { quantizationError } from './mse-range.ts';
import type { Range } from './range.ts';

const METHODS: CalibrationMethod[] = [
  { type: 'minmax' },
  { type: 'percentile', percentile: 99.9 },
  { type: 'percentile', percentile: 99.999 },
  { type: 'mse' },
  { type: 'entropy' },
];

function calibrated(values: ArrayLike<number>, method: CalibrationMethod): Range {
  const calibrator = new Calibrator();
  calibrator.observe('t', values);
  return calibrator.range('t', method);
}

/** Laplace-distributed values: a sharp peak with long tails, as activations have. */
function laplace(count: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, () => {
    const u = random() - 0.5;
    return -Math.sign(u) * Math.log(1 - 2 * Math.abs(u));
  });
}

function errorOf(values: ArrayLike<number>, range: Range): number {
  return quantizationError(values, new Float64Array(values.length).fill(1), range, 8) / values.length;
}

describe('Calibrator', () => {
  for (const method of METHODS) {
    const name = method.type === 'percentile' ? `percentile ${method.percentile}` : method.type;

    it(`${name}: all zeros, nothing, one value, only NaN`, () => {
      assert.deepEqual(calibrated([0, 0, 0], method), { min: 0, max: 0 });
      assert.deepEqual(calibrated([], method), { min: 0, max: 0 });
      assert.deepEqual(calibrated([Number.NaN, Number.NaN], method), { min: 0, max: 0 });
      const { min, max } = calibrated([5], method);
      assert.equal(min, 0);
      assert.ok(max > 4.9 && max <= 5, `${max}`);
      const negative = calibrated([-5, -5], method);
      assert.equal(negative.max, 0);
      assert.ok(negative.min >= -5 && negative.min < -4.9, `${negative.min}`);
    });

    it(`${name}: stays inside what was seen, holds 0, repeats, and scales with the values`, () => {
      for (let seed = 1; seed <= 20; seed++) {
        const values = laplace(500, seed).map((value) => (seed % 3 === 0 ? Math.abs(value) : value));
        const range = calibrated(values, method);
        assert.ok(range.min <= 0 && range.max >= 0 && range.max > range.min);
        assert.ok(range.min >= Math.min(0, ...values) && range.max <= Math.max(...values));
        assert.deepEqual(calibrated(values, method), range);
        const scaled = calibrated(
          values.map((value) => value * 1024),
          method,
        );
        assert.ok(Math.abs(scaled.max - range.max * 1024) <= 1e-9 * scaled.max);
        assert.ok(Math.abs(scaled.min - range.min * 1024) <= 1e-9 * Math.abs(scaled.min));
      }
    });
  }

  it('minmax is exact, from values and from extremes alike', () => {
    const calibrator = new Calibrator();
    calibrator.observe('t', [0.1, -3.7]);
    calibrator.observeExtremes('t', -1, 8.25);
    calibrator.observeExtremes('u', 2, 3);
    assert.deepEqual(calibrator.range('t', { type: 'minmax' }), { min: -3.7, max: 8.25 });
    assert.deepEqual(calibrator.range('u', { type: 'minmax' }), { min: 0, max: 3 });
    assert.deepEqual(calibrator.names(), ['t', 'u']);
    assert.deepEqual(calibrator.range('never', { type: 'mse' }), { min: 0, max: 0 });
    assert.throws(
      () => calibrator.range('u', { type: 'mse' }),
      (error) => error instanceof SelvageError && error.code === 'INTERNAL',
    );
  });

  it('reports values that are not finite', () => {
    const calibrator = new Calibrator();
    calibrator.observe('t', [1, Number.NaN, 2]);
    calibrator.observeExtremes('t', Number.NEGATIVE_INFINITY, 3);
    assert.deepEqual(calibrator.observation('t'), { min: 1, max: 3, count: 2, nonFinite: 2 });
    assert.deepEqual(calibrator.observation('no'), {
      min: undefined,
      max: undefined,
      count: 0,
      nonFinite: 0,
    });
  });

  it('percentile cuts as many values as it says, to one bin', () => {
    const values = Float32Array.from({ length: 100_001 }, (_, index) => (index - 50_000) / 1000);
    for (const percentile of [90, 99, 99.9, 99.99]) {
      const { min, max } = calibrated(values, { type: 'percentile', percentile });
      const exact = (50 * percentile) / 100;
      // 100 units in at least 1024 bins.
      assert.ok(max >= exact - 1e-3 && max <= exact + 100 / 1024, `${percentile}: ${max}`);
      assert.ok(min <= -exact + 1e-3 && min >= -exact - 100 / 1024, `${percentile}: ${min}`);
    }
    assert.deepEqual(calibrated(values, { type: 'percentile', percentile: 100 }), { min: -50, max: 50 });
  });

  it('percentile counts zeros in their place', () => {
    const values = new Float32Array(10_000);
    values.set([-4, 9]);
    assert.deepEqual(calibrated(values, { type: 'percentile', percentile: 99 }), { min: 0, max: 0 });
  });

  it('mse comes near the best range that a full search over the values themselves finds', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const values = laplace(2000, seed);
      values[0] = 60;
      const found = errorOf(values, calibrated(values, { type: 'mse' }));
      const whole = calibrated(values, { type: 'minmax' });
      let best = Number.POSITIVE_INFINITY;
      for (let high = 0.02; high <= 1; high += 0.005) {
        for (let low = 0.4; low <= 1; low += 0.05) {
          best = Math.min(best, errorOf(values, { min: whole.min * low, max: whole.max * high }));
        }
      }
      assert.ok(found <= best * 1.02, `${found} against ${best}`);
      assert.ok(found < errorOf(values, whole));
    }
  });

  it('mse clips nothing where every value is a code already', () => {
    const codes = Float32Array.from({ length: 256 }, (_, index) => (index - 100) / 4);
    assert.deepEqual(calibrated(codes, { type: 'mse' }), { min: -25, max: 38.75 });
  });

  it('entropy clips a lonely outlier and keeps what is evenly spread', () => {
    const spread = Float32Array.from({ length: 50_000 }, (_, index) => (index / 25_000 - 1) * 8);
    const whole = calibrated(spread, { type: 'entropy' });
    assert.ok(whole.max > 7.5 && whole.min < -7.5, JSON.stringify(whole));
    const outlier = laplace(50_000, 3);
    outlier[0] = 200;
    const clipped = calibrated(outlier, { type: 'entropy' });
    assert.ok(clipped.max < 60 && clipped.max > 3, JSON.stringify(clipped));
    assert.ok(Math.abs(clipped.min) > 3);
  });
});
