import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom, shuffle } from './random.ts';

describe('seededRandom', () => {
  it('repeats for a seed, stays in [0, 1) and is spread evenly', () => {
    const first = seededRandom(42);
    const second = seededRandom(42);
    const counts = new Array<number>(10).fill(0);
    for (let round = 0; round < 10_000; round++) {
      const value = first();
      assert.equal(value, second());
      assert.ok(value >= 0 && value < 1);
      const bin = Math.floor(value * 10);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    for (const count of counts) assert.ok(count > 850 && count < 1150, `${counts}`);
  });
});

describe('shuffle', () => {
  it('keeps every item and gives every order its share', () => {
    const random = seededRandom(1);
    const orders = new Map<string, number>();
    for (let round = 0; round < 6000; round++) {
      const items = [1, 2, 3];
      shuffle(items, random);
      orders.set(items.join(''), (orders.get(items.join('')) ?? 0) + 1);
    }
    assert.equal(orders.size, 6);
    for (const count of orders.values()) assert.ok(count > 850 && count < 1150, `${count}`);
  });
});
