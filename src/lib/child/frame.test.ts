import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeHead, type Frame, FrameReader } from './frame.ts';

function frameBytes(kind: number, header: string, data: Buffer): Buffer {
  return Buffer.concat([
    encodeHead({ kind, slot: kind * 7, dataBytes: data.length, shared: false }, Buffer.from(header)),
    data,
  ]);
}

function noShared(): Buffer {
  throw new RangeError('nothing is shared here');
}

function readAll(stream: Buffer, cut: (offset: number) => number): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader(
    (frame) => frames.push({ ...frame, header: Buffer.from(frame.header), data: Buffer.from(frame.data) }),
    noShared,
  );
  for (let offset = 0; offset < stream.length; ) {
    const size = Math.max(1, cut(offset));
    reader.push(stream.subarray(offset, offset + size));
    offset += size;
  }
  return frames;
}

describe('FrameReader', () => {
  const sent = [
    { kind: 1, header: 'a', data: Buffer.from('12345678') },
    { kind: 2, header: '', data: Buffer.alloc(0) },
    { kind: 3, header: '{"x":1}', data: Buffer.alloc(100_000, 7) },
    { kind: 4, header: 'h'.repeat(5000), data: Buffer.alloc(8, 9) },
  ];
  const stream = Buffer.concat(sent.map(({ kind, header, data }) => frameBytes(kind, header, data)));

  const cuts: Record<string, (offset: number) => number> = {
    'in one piece': () => stream.length,
    'in 64 KiB pieces': () => 65_536,
    'byte by byte': () => 1,
    'in uneven pieces': (offset) => ((offset * 7919) % 3001) + 1,
  };
  for (const [name, cut] of Object.entries(cuts)) {
    it(`puts frames together that arrive ${name}`, () => {
      const frames = readAll(stream, cut);
      assert.deepEqual(
        frames.map(({ kind, slot, header, data }) => ({ kind, slot, header: header.toString(), data })),
        sent.map(({ kind, header, data }) => ({ kind, slot: kind * 7, header, data })),
      );
    });
  }

  it('refuses a prefix that announces more than a frame may hold', () => {
    const prefix = Buffer.alloc(24, 0xff);
    assert.throws(() => new FrameReader(() => {}, noShared).push(prefix), RangeError);
  });
});
