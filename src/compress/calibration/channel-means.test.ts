import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../lib/random.ts';
import { ChannelMeans } from './channel-means.ts';

describe('ChannelMeans', () => {
  it('averages over everything but the channels, on any axis', () => {
    const random = seededRandom(4);
    const shape = [2, 3, 4];
    for (const axis of [0, 1, 2, -1, -3]) {
      const means = new ChannelMeans();
      const channels = shape.at(axis) ?? 0;
      const sums = new Float64Array(channels);
      for (let sample = 0; sample < 3; sample++) {
        const values = Float32Array.from({ length: 24 }, () => random() - 0.5);
        means.observe('t', values, shape, axis);
        values.forEach((value, index) => {
          const at = [Math.floor(index / 12), Math.floor(index / 4) % 3, index % 4].at(axis) ?? 0;
          sums[at] = (sums[at] ?? 0) + value;
        });
      }
      const found = means.means('t');
      assert.equal(found?.length, channels);
      found?.forEach((mean, channel) => {
        assert.ok(Math.abs(mean - (sums[channel] ?? 0) / ((24 / channels) * 3)) < 1e-12);
      });
    }
  });

  it('leaves out NaN, and has 0 for a channel without values', () => {
    const means = new ChannelMeans();
    means.observe('t', [1, Number.NaN, 3, Number.NaN], [2, 2], 1);
    assert.deepEqual([...(means.means('t') ?? [])], [2, 0]);
    assert.equal(means.means('other'), undefined);
  });

  it('refuses values that do not fit', () => {
    const means = new ChannelMeans();
    means.observe('t', [1, 2], [1, 2], 1);
    assert.throws(() => means.observe('t', [1, 2, 3], [1, 3], 1), /3 channels after 2/);
    assert.throws(
      () => means.observe('u', [1, 2, 3], [2, 2], 1),
      /3 values with channels on axis 1 of \[2,2\]/,
    );
    assert.throws(() => means.observe('u', [1], [1], 4), /axis 4/);
  });
});
