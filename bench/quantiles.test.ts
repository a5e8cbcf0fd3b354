import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median, overRounds, quantile } from './quantiles.ts';

describe('quantiles', () => {
  it('interpolates between the values around the position, in any order of the values', () => {
    assert.equal(quantile([40, 10, 30, 20], 0), 10);
    assert.equal(quantile([40, 10, 30, 20], 1), 40);
    assert.equal(quantile([40, 10, 30, 20], 0.5), 25);
    assert.equal(quantile([0, 100], 0.95), 95);
    assert.equal(quantile([7], 0.99), 7);
  });

  it('orders numbers as numbers', () => {
    assert.equal(median([9, 10, 100]), 10);
  });

  it('has no value where there are none', () => {
    assert.ok(Number.isNaN(median([])));
  });

  it('leaves the values as they were', () => {
    const values = [3, 1, 2];
    assert.deepEqual(overRounds(values), { value: 2, spread: [1.1, 2.9] });
    assert.deepEqual(values, [3, 1, 2]);
  });
});
