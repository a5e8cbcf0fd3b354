import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom, shuffle } from '../../lib/random.ts';
import { Histogram } from './histogram.ts';

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Values of very different ranges, zeros among them. */
function sample(random: () => number): number[] {
  const scale = 10 ** (random() * 12 - 6);
  const shift = random() < 0.5 ? 0 : scale * 5 * (random() - 0.5);
  const count = 1 + Math.floor(random() * 400);
  return Array.from({ length: count }, () =>
    random() < 0.2 ? 0 : Math.fround(gaussian(random) * scale + shift),
  );
}

function layout(histogram: Histogram): Array<[number, number, number]> {
  return histogram.bins().map(({ low, high, count }) => [low, high, count]);
}

describe('Histogram', () => {
  it('counts every value into the bin that holds it', () => {
    const random = seededRandom(1);
    for (let round = 0; round < 100; round++) {
      const values = sample(random);
      const histogram = new Histogram();
      histogram.add(values);
      const bins = histogram.bins();
      for (const { low, high, count, mean } of bins) {
        const inside = values.filter((value) => value !== 0 && value >= low && value < high);
        assert.equal(count, inside.length);
        const exact = inside.reduce((sum, value) => sum + value, 0) / inside.length;
        assert.ok(Math.abs(mean - exact) <= 1e-12 * Math.abs(high) + 1e-12 * Math.abs(low));
      }
      assert.equal(bins.reduce((sum, { count }) => sum + count, 0) + histogram.zeros, values.length);
      assert.equal(histogram.min, Math.min(...values) + 0);
      assert.equal(histogram.max, Math.max(...values) + 0);
    }
  });

  it('gives the same counts in any order and any pieces', () => {
    const random = seededRandom(2);
    for (let round = 0; round < 100; round++) {
      const values = [...sample(random), ...sample(random), ...sample(random)];
      const whole = new Histogram();
      whole.add(values);
      shuffle(values, random);
      const pieces = new Histogram();
      for (let at = 0; at < values.length; ) {
        const count = 1 + Math.floor(random() * 50);
        pieces.add(values.slice(at, at + count));
        at += count;
      }
      assert.deepEqual(layout(pieces), layout(whole));
      assert.equal(pieces.zeros, whole.zeros);
    }
  });

  it('keeps at least 1024 bins over the range of the values', () => {
    const histogram = new Histogram();
    histogram.add([-3, 5]);
    const [first] = histogram.bins();
    assert.ok(first !== undefined && first.high - first.low <= 8 / 1023);
  });

  it('counts NaN and infinities, and leaves them out', () => {
    const histogram = new Histogram();
    histogram.add([Number.NaN, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    assert.equal(histogram.nonFinite, 3);
    assert.equal(histogram.total, 1);
    assert.deepEqual([histogram.min, histogram.max], [1, 1]);
  });

  it('holds the extremes of float32 side by side', () => {
    const histogram = new Histogram();
    histogram.add([1e-45, -1e-45]);
    histogram.add([3.4e38, -3.4e38, 1]);
    assert.equal(
      histogram.bins().reduce((sum, { count }) => sum + count, 0),
      5,
    );
  });
});
