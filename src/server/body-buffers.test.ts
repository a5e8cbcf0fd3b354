import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BufferPool, ByteBudget } from './body-buffers.ts';

const KIB = 1024;

describe('BufferPool', () => {
  it('gives a large buffer out again for a request of that size, and only once', () => {
    const pool = new BufferPool(1024 * KIB);
    const first = pool.take(600 * KIB);
    pool.give(first);
    assert.equal(pool.heldBytes, 600 * KIB);
    assert.equal(pool.take(500 * KIB), first);
    assert.equal(pool.heldBytes, 0);
    assert.notEqual(pool.take(500 * KIB), first);
  });

  it('does not spend a large buffer on a small request, nor a small one on a large', () => {
    const pool = new BufferPool(1024 * KIB);
    pool.give(pool.take(600 * KIB));
    assert.equal(pool.take(40 * KIB).byteLength, 40 * KIB);
    assert.equal(pool.take(601 * KIB).byteLength, 601 * KIB);
    assert.equal(pool.heldBytes, 600 * KIB);
  });

  it('holds at most what it may, the newest, and no small buffers', () => {
    const pool = new BufferPool(100 * KIB);
    const buffers = [1, 2, 3, 4].map((index) => Buffer.alloc(40 * KIB, index));
    for (const buffer of [...buffers, Buffer.alloc(200 * KIB), Buffer.alloc(10)]) pool.give(buffer);
    assert.equal(pool.heldBytes, 80 * KIB);
    assert.equal(pool.take(40 * KIB), buffers[3]);
    assert.equal(pool.take(40 * KIB), buffers[2]);
  });

  it('gives 8-byte aligned buffers of every size', () => {
    const pool = new BufferPool(100 * KIB);
    for (const size of [1, 3, 100, 4097, 50_001]) assert.equal(pool.take(size).byteOffset % 8, 0);
  });
});

describe('ByteBudget', () => {
  it('takes what fits and nothing of what does not', () => {
    const budget = new ByteBudget(100);
    assert.ok(budget.take(60));
    assert.ok(!budget.take(41));
    assert.ok(budget.take(40));
    budget.give(60);
    assert.equal(budget.usedBytes, 40);
  });
});
