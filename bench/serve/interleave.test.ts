import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interleave, perRound, ratio } from './interleave.ts';

describe('interleave', () => {
  it('measures every side once a round, and begins each round with another one', async () => {
    const order: string[] = [];
    const side = (name: string) => async (): Promise<number> => order.push(name);
    const results = await interleave(3, { a: side('a'), b: side('b') });
    assert.deepEqual(order, ['a', 'b', 'b', 'a', 'a', 'b']);
    assert.deepEqual(results, { a: [1, 4, 5], b: [2, 3, 6] });
  });

  it('combines two sides round by round', () => {
    assert.deepEqual(perRound([6, 8], [3, 2], ratio), [2, 4]);
  });
});
