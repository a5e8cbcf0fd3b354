import type { ImageSpec } from '../image/image-spec.ts';

/** Kinds of frames between the agent and the media worker. */
export const KIND = {
  /** To the worker: decode an image. Header: `DecodeImage` as JSON; data: the encoded image, padded. */
  DECODE_IMAGE: 1,
  /** To the agent, once: the worker takes requests. */
  READY: 2,
  /** To the agent, instead of READY: nothing can be decoded. Header: an error as JSON. */
  UNAVAILABLE: 3,
  /** To the agent: the answer. Data: tensor bytes, padded. */
  DECODED: 4,
  /** To the agent: the input cannot be decoded. Header: an error as JSON. */
  FAILED: 5,
} as const;

/** Header of DECODE_IMAGE. */
export interface DecodeImage {
  readonly spec: ImageSpec;
  readonly maxPixels: number;
  /** Bytes of the encoded image; a frame's data is padded. */
  readonly encodedBytes: number;
}

/** An error in a header, as `SelvageError.toJSON` gives it. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}
