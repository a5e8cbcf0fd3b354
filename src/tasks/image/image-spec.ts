import { DATATYPES } from '../../tensor/datatype.ts';

/** Datatypes that pixels can be turned into. */
export const PIXEL_DATATYPES = ['FP32', 'FP16', 'UINT8', 'INT8'] as const;

/** A datatype that pixels can be turned into. */
export type PixelDatatype = (typeof PIXEL_DATATYPES)[number];

/** What an image is to become: one model input with a batch of 1. Plain data that crosses to the media worker. */
export interface ImageSpec {
  /** Width and height of the input in pixels. */
  readonly width: number;
  readonly height: number;
  /** How the image is fitted to that size. */
  readonly resize: 'stretch' | 'cover' | 'contain' | 'none';
  /** For `cover`: the image is resized to size / cropFraction and the centre cut out (0 < cropFraction <= 1). */
  readonly cropFraction: number;
  readonly channels: 'rgb' | 'bgr' | 'gray';
  readonly layout: 'nchw' | 'nhwc';
  readonly datatype: PixelDatatype;
  /** A value of the tensor is (pixel - mean) / std, pixel in 0..255; one of each per channel, in the order of `channels`. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Number of channels of an image input. */
export function channelCount(channels: ImageSpec['channels']): 1 | 3 {
  return channels === 'gray' ? 1 : 3;
}

/** Shape of the tensor, batch of 1 included. */
export function imageShape(spec: ImageSpec): number[] {
  const channels = channelCount(spec.channels);
  return spec.layout === 'nchw'
    ? [1, channels, spec.height, spec.width]
    : [1, spec.height, spec.width, channels];
}

/** Bytes of the tensor. */
export function imageBytes(spec: ImageSpec): number {
  return spec.width * spec.height * channelCount(spec.channels) * DATATYPES[spec.datatype].bytes;
}
