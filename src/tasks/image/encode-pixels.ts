import { toHalf } from '../../tensor/half.ts';
import { bytesOf } from '../../tensor/tensor.ts';
import { channelCount, type ImageSpec, type PixelDatatype } from './image-spec.ts';

type PixelArray = Float32Array | Uint16Array | Uint8Array | Int8Array;

/**
 * Tensor bytes of `pixels` (height x width x RGB, one byte each, of exactly the spec's size). A pixel has only 256
 * values, so each channel is one table: (value - mean) / std, rounded and clamped for integer datatypes.
 */
export function encodePixels(pixels: Uint8Array, spec: ImageSpec): Uint8Array {
  const channels = channelCount(spec.channels);
  const source = channels === 1 ? lumaOf(pixels) : pixels;
  const pixelCount = spec.width * spec.height;
  const output = makeArray(spec.datatype, pixelCount * channels);
  for (let channel = 0; channel < channels; channel += 1) {
    const table = valueTable(spec.datatype, spec.mean[channel] ?? 0, spec.std[channel] ?? 1);
    const from = { start: spec.channels === 'bgr' ? 2 - channel : channel, step: channels };
    const to =
      spec.layout === 'nchw' ? { start: channel * pixelCount, step: 1 } : { start: channel, step: channels };
    fillChannel(output, to, source, from, table);
  }
  return bytesOf(output);
}

interface Walk {
  readonly start: number;
  readonly step: number;
}

function fillChannel(output: PixelArray, to: Walk, source: Uint8Array, from: Walk, table: PixelArray): void {
  let target = to.start;
  for (let index = from.start; index < source.length; index += from.step) {
    output[target] = table[source[index] ?? 0] ?? 0;
    target += to.step;
  }
}

/** Luma of ITU-R BT.601 as Pillow and OpenCV compute it: 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point. */
function lumaOf(pixels: Uint8Array): Uint8Array {
  const luma = new Uint8Array(pixels.length / 3);
  for (let index = 0, at = 0; index < luma.length; index += 1, at += 3) {
    const red = pixels[at] ?? 0;
    const green = pixels[at + 1] ?? 0;
    const blue = pixels[at + 2] ?? 0;
    luma[index] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
  }
  return luma;
}

function valueTable(datatype: PixelDatatype, mean: number, std: number): PixelArray {
  const table = makeArray(datatype, 256);
  for (let pixel = 0; pixel < 256; pixel += 1) {
    const value = (pixel - mean) / std;
    table[pixel] = datatype === 'FP16' ? toHalf(value) : asInteger(datatype, value);
  }
  return table;
}

function asInteger(datatype: PixelDatatype, value: number): number {
  if (datatype === 'UINT8') return Math.min(255, Math.max(0, Math.round(value)));
  if (datatype === 'INT8') return Math.min(127, Math.max(-128, Math.round(value)));
  return value;
}

function makeArray(datatype: PixelDatatype, length: number): PixelArray {
  switch (datatype) {
    case 'FP32':
      return new Float32Array(length);
    case 'FP16':
      return new Uint16Array(length);
    case 'UINT8':
      return new Uint8Array(length);
    case 'INT8':
      return new Int8Array(length);
  }
}
