import type { ImageSpec } from '../image/image-spec.ts';

/** Agent to worker: decode an image. Header: `DecodeImageHeader` as JSON; data: the encoded image. */
export const DECODE_IMAGE = 1;
/** Worker to agent, once: it takes requests. */
export const READY = 2;
/** Worker to agent, instead of READY: it cannot decode anything. Header: an error as JSON. */
export const UNAVAILABLE = 3;
/** Worker to agent: the answer. Data: tensor bytes. */
export const DECODED = 4;
/** Worker to agent: the input cannot be decoded. Header: an error as JSON. */
export const FAILED = 5;

/** Header of DECODE_IMAGE. */
export interface DecodeImageHeader {
  readonly spec: ImageSpec;
  readonly maxPixels: number;
}

/** An error in a header. */
export interface ErrorHeader {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}
