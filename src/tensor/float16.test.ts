import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { halfFromNumber, numberFromHalf } from './float16.ts';

describe('float16', () => {
  it('gives the bit patterns of IEEE 754 binary16', () => {
    const cases: [number, number][] = [
      [0, 0x0000],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [0.333251953125, 0x3555],
      [65504, 0x7bff],
      [2 ** -14, 0x0400],
      [2 ** -24, 0x0001],
      [1023 * 2 ** -24, 0x03ff],
      [Number.POSITIVE_INFINITY, 0x7c00],
      [Number.NEGATIVE_INFINITY, 0xfc00],
    ];
    for (const [value, half] of cases) {
      assert.equal(halfFromNumber(value), half, String(value));
      assert.ok(Object.is(numberFromHalf(half), value), `0x${half.toString(16)}`);
    }
    assert.ok(Number.isNaN(numberFromHalf(halfFromNumber(Number.NaN))));
  });

  it('brings every bit pattern back from its number', () => {
    for (let half = 0; half < 0x1_0000; half += 1) {
      const value = numberFromHalf(half);
      if (!Number.isNaN(value)) assert.equal(halfFromNumber(value), half);
    }
  });

  it('rounds to the nearest, ties to even, over the whole positive range', () => {
    for (let half = 0; half < 0x7bff; half += 1) {
      const low = numberFromHalf(half);
      const high = numberFromHalf(half + 1);
      const middle = (low + high) / 2;
      assert.equal(halfFromNumber(middle), half % 2 === 0 ? half : half + 1);
      assert.equal(halfFromNumber(low + (high - low) * 0.25), half);
      assert.equal(halfFromNumber(low + (high - low) * 0.75), half + 1);
    }
    assert.equal(halfFromNumber(65519.99), 0x7bff);
    assert.equal(halfFromNumber(65520), 0x7c00);
    assert.equal(halfFromNumber(-1e30), 0xfc00);
  });
});
