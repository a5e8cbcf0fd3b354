import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AREA_BYTES, isShared, readArea, SharedMemory, writeArea } from './shared-memory.ts';

function memory(): SharedMemory {
  const created = SharedMemory.create();
  assert.ok(created, 'this machine has no /dev/shm');
  return created;
}

function bytes(size: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed) & 0xff));
}

describe('SharedMemory', () => {
  it('gives out each slot to one question at a time', () => {
    const shared = memory();
    const slots = [shared.acquire(), shared.acquire(), shared.acquire()];
    assert.deepEqual([...slots].sort(), [0, 1, 2]);
    shared.release(2);
    assert.equal(shared.acquire(), 2);
    shared.close();
  });

  it('holds parts of any length, each at a multiple of 8', () => {
    const shared = memory();
    const slot = shared.acquire();
    for (const round of [1, 2, 3]) {
      const parts = [bytes(300_001, round), bytes(70_000, round + 9)];
      const target = Buffer.alloc(300_008 + 70_000);
      assert.equal(writeArea(shared.fd, slot, 'question', parts), true);
      readArea(shared.fd, slot, 'question', target, target.length);
      assert.deepEqual(target.subarray(0, 300_001), parts[0]);
      assert.deepEqual(target.subarray(300_008), parts[1]);
    }
    shared.close();
  });

  it('keeps questions and answers of both slots apart', () => {
    const shared = memory();
    const slots = [shared.acquire(), shared.acquire()];
    const size = 40_000;
    for (const slot of slots) {
      assert.equal(writeArea(shared.fd, slot, 'question', [bytes(size, slot)]), true);
      assert.equal(writeArea(shared.fd, slot, 'answer', [bytes(size, slot + 100)]), true);
    }
    for (const slot of slots) {
      const target = Buffer.alloc(size);
      readArea(shared.fd, slot, 'question', target, size);
      assert.deepEqual(target, bytes(size, slot));
      readArea(shared.fd, slot, 'answer', target, size);
      assert.deepEqual(target, bytes(size, slot + 100));
    }
    shared.close();
  });

  it('shares what is worth it and fits, and refuses slots that are none', () => {
    assert.equal(isShared(1, 100), false);
    assert.equal(isShared(1, 100_000), true);
    assert.equal(isShared(0, 100_000), false);
    assert.equal(isShared(1, AREA_BYTES + 8), false);
    const shared = memory();
    assert.throws(() => readArea(shared.fd, 3, 'answer', Buffer.alloc(8), 8), RangeError);
    assert.throws(() => readArea(shared.fd, 0, 'question', Buffer.alloc(8), 8), RangeError);
    shared.close();
  });
});
