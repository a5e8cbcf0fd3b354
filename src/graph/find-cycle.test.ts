import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCycle } from './find-cycle.ts';

describe('findCycle', () => {
  it('finds none in an empty graph, a chain in any order and a diamond', () => {
    assert.equal(findCycle([]), undefined);
    assert.equal(findCycle([[1], [2], []]), undefined);
    assert.equal(findCycle([[], [0], [0], [1, 2, 2]]), undefined);
  });

  it('returns exactly the nodes of the cycle, each needed by the next', () => {
    assert.deepEqual(findCycle([[0]]), [0]);
    // 4 hangs on the cycle 1 → 2 → 3, and 0 leads into it.
    const needs = [[], [0, 3], [1], [2], [3]];
    const cycle = findCycle(needs);
    assert.deepEqual([...(cycle ?? [])].sort(), [1, 2, 3]);
    for (const [at, node] of (cycle ?? []).entries()) {
      const next = cycle?.[(at + 1) % cycle.length] ?? -1;
      assert.ok(needs[next]?.includes(node), `${next} needs ${node}`);
    }
  });

  it('takes a chain of 200,000 nodes without running out of stack', () => {
    const needs = Array.from({ length: 200_000 }, (_, node) => (node === 0 ? [] : [node - 1]));
    assert.equal(findCycle(needs), undefined);
    needs[0] = [199_999];
    assert.equal(findCycle(needs)?.length, 200_000);
  });
});
