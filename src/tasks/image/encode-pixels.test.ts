import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromHalf } from '../../tensor/half.ts';
import { typedView } from '../../tensor/tensor.ts';
import { encodePixels } from './encode-pixels.ts';
import { type ImageSpec, imageBytes } from './image-spec.ts';

const SPEC: ImageSpec = {
  width: 2,
  height: 1,
  resize: 'none',
  cropFraction: 1,
  channels: 'rgb',
  layout: 'nchw',
  datatype: 'FP32',
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** Two pixels: (10, 20, 30) and (40, 50, 60). */
const PIXELS = Uint8Array.of(10, 20, 30, 40, 50, 60);

function encode(changes: Partial<ImageSpec>, pixels = PIXELS): number[] {
  const spec = { ...SPEC, ...changes };
  const bytes = encodePixels(pixels, spec);
  assert.equal(bytes.byteLength, imageBytes(spec));
  const view = typedView(spec.datatype, bytes) as Float32Array | Uint16Array;
  return spec.datatype === 'FP16' ? Array.from(view, fromHalf) : Array.from(view);
}

describe('encodePixels', () => {
  it('orders channels and dimensions', () => {
    assert.deepEqual(encode({}), [10, 40, 20, 50, 30, 60]);
    assert.deepEqual(encode({ layout: 'nhwc' }), [10, 20, 30, 40, 50, 60]);
    assert.deepEqual(encode({ channels: 'bgr' }), [30, 60, 20, 50, 10, 40]);
    assert.deepEqual(encode({ channels: 'bgr', layout: 'nhwc' }), [30, 20, 10, 60, 50, 40]);
  });

  it('takes mean and std of each channel in the order of the tensor', () => {
    const changes = { mean: [1, 2, 3], std: [1, 2, 4] };
    assert.deepEqual(encode(changes), [9, 39, 9, 24, 6.75, 14.25]);
    assert.deepEqual(encode({ ...changes, channels: 'bgr' }), [29, 59, 9, 24, 1.75, 9.25]);
  });

  it('turns colours into the luma of BT.601 and leaves gray as it is', () => {
    const colours = Uint8Array.of(255, 0, 0, 0, 255, 0);
    const gray = { channels: 'gray', mean: [0], std: [1] } as const;
    assert.deepEqual(encode(gray, colours), [76, 150]);
    assert.deepEqual(encode(gray, Uint8Array.of(0, 0, 255, 255, 255, 255)), [29, 255]);
    for (let value = 0; value < 256; value += 1) {
      assert.deepEqual(encode(gray, new Uint8Array(6).fill(value)), [value, value]);
    }
  });

  it('gives each datatype its nearest value', () => {
    const scale = { mean: [20, 20, 20], std: [3, 3, 3] };
    const exact = [-10, 20, 0, 30, 10, 40].map((difference) => difference / 3);
    assert.deepEqual(encode(scale), exact.map(Math.fround));
    assert.deepEqual(encode({ ...scale, datatype: 'INT8' }), [-3, 7, 0, 10, 3, 13]);
    assert.deepEqual(encode({ ...scale, datatype: 'UINT8' }), [0, 7, 0, 10, 3, 13]);
    for (const [index, value] of encode({ ...scale, datatype: 'FP16' }).entries()) {
      assert.ok(Math.abs(value - (exact[index] ?? 0)) <= 2 ** -8, `${value}`);
    }
  });

  it('clamps integers instead of wrapping them', () => {
    const wide = { mean: [25, 25, 25], std: [0.01, 0.01, 0.01] };
    assert.deepEqual(encode({ ...wide, datatype: 'INT8' }), [-128, 127, -128, 127, 127, 127]);
    assert.deepEqual(encode({ ...wide, datatype: 'UINT8' }), [0, 255, 0, 255, 255, 255]);
  });
});
