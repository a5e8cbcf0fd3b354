import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromHalf, toHalf } from './half.ts';

describe('half', () => {
  it('gives every one of the 65536 halves back', () => {
    for (let bits = 0; bits < 65_536; bits++) {
      const value = fromHalf(bits);
      if (Number.isNaN(value))
        assert.ok((toHalf(value) & 0x7c00) === 0x7c00 && (toHalf(value) & 0x3ff) !== 0);
      else assert.equal(toHalf(value), bits);
    }
  });

  // Values and bits of the table in the Wikipedia article on the half-precision format.
  for (const [value, bits] of [
    [1, 0x3c00],
    [-2, 0xc000],
    [65_504, 0x7bff],
    [2 ** -14, 0x0400],
    [2 ** -14 - 2 ** -24, 0x03ff],
    [2 ** -24, 0x0001],
    [0.333251953125, 0x3555],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [0, 0x0000],
    [-0, 0x8000],
  ] as const) {
    it(`stores ${Object.is(value, -0) ? '-0' : value} as 0x${bits.toString(16)}`, () => {
      assert.equal(toHalf(value), bits);
      assert.ok(Object.is(fromHalf(bits), value));
    });
  }

  it('rounds to the nearest half, ties to even, for every pair of neighbours', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const below = fromHalf(bits);
      const above = fromHalf(bits + 1);
      const middle = (below + above) / 2;
      assert.equal(toHalf(middle), bits % 2 === 0 ? bits : bits + 1);
      assert.equal(toHalf(middle - (above - below) / 8), bits);
      assert.equal(toHalf(middle + (above - below) / 8), bits + 1);
    }
  });

  it('rounds what is halfway beyond the largest half to infinity, and what is below it not', () => {
    assert.equal(toHalf(65_519.999), 0x7bff);
    assert.equal(toHalf(65_520), 0x7c00);
    assert.equal(toHalf(2 ** -25), 0);
    assert.equal(toHalf(2 ** -25 * 1.001), 1);
  });
});
