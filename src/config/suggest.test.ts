import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { suggest } from './suggest.ts';

const NAMES = ['socket', 'mode', 'group', 'maxSize', 'timeoutMs', 'loadTimeoutMs', 'load', 'log'];

describe('suggest', () => {
  for (const [wrong, meant] of [
    ['sockt', 'socket'],
    ['scoket', 'socket'],
    ['Socket', 'socket'],
    ['max_size', 'maxSize'],
    ['max-size', 'maxSize'],
    ['maxSizes', 'maxSize'],
    ['timeoutms', 'timeoutMs'],
    ['laod', 'load'],
    ['lgo', 'log'],
    ['port', undefined],
    ['x', undefined],
    ['', undefined],
    ['q'.repeat(10_000), undefined],
  ] as const) {
    it(`${meant === undefined ? 'finds nothing like' : `finds ${meant} for`} "${wrong.slice(0, 20)}"`, () => {
      assert.equal(suggest(wrong, NAMES), meant);
    });
  }
});
