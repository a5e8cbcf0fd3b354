import { ChildProcess } from '../../lib/child/child-process.ts';
import type { Frame } from '../../lib/child/frame.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { SelvageError } from '../../lib/errors.ts';
import { imageFormatOf } from '../image/image-format.ts';
import { type ImageSpec, imageBytes } from '../image/image-spec.ts';
import type { MediaDecoder, TaskCall } from '../task.ts';
import {
  DECODE_IMAGE,
  DECODED,
  type DecodeImageHeader,
  type ErrorHeader,
  FAILED,
  READY,
  UNAVAILABLE,
} from './media-frames.ts';
import { type MediaJob, MediaQueue } from './media-queue.ts';

/** Settings of the media worker. */
export interface MediaWorkerOptions {
  /** Largest image that is decoded, in pixels. */
  readonly maxPixels: number;
  /** Time to decode one input, in milliseconds; past it the worker is killed. */
  readonly timeoutMs: number;
  /** Time after which an idle worker is ended, in milliseconds. */
  readonly idleMs: number;
  /** Called per line the worker writes to standard error. */
  readonly onStderr?: ((line: string) => void) | undefined;
  readonly clock?: Clock;
  /** Main module of the child; another one only in tests. */
  readonly module?: URL;
}

/** Time a worker has to load the decoder, in milliseconds; seconds on the slowest boards. */
const START_TIMEOUT_MS = 30_000;
/** A worker that could not start is tried again after this time, doubled with every failure up to the maximum. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;

/**
 * Decodes media in one child process, so that hostile input meets native code there and not in the agent. The child
 * is started on first use, works on one input at a time, is killed when it takes too long or after an idle time, and
 * is started again when needed.
 */
export class MediaWorker implements MediaDecoder {
  readonly #options: MediaWorkerOptions;
  readonly #clock: Clock;
  readonly #queue = new MediaQueue();
  #child: Child | undefined;
  #current: MediaJob | undefined;
  #cancelTimer: () => void = () => {};
  #startFailures = 0;
  /** Why no worker is started, and until when (monotonic milliseconds). */
  #refusal: { readonly error: SelvageError; readonly until: number } | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: MediaWorkerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Process id of the child; undefined while none runs. */
  get pid(): number | undefined {
    return this.#child?.process.pid;
  }

  /** Inputs that wait or are being decoded. */
  get pending(): number {
    return this.#queue.length + (this.#current === undefined ? 0 : 1);
  }

  /** See `MediaDecoder`; throws what `Task.prepare` may throw. `encoded` must not change until then. */
  decodeImage(encoded: Uint8Array, spec: ImageSpec, call: TaskCall & { model: string }): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusalOf(encoded);
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      this.#queue.add({ encoded, spec, call, resolve, reject });
      this.#next();
    });
  }

  /** Ends the child and rejects what waits with SHUTTING_DOWN; resolves when the child has ended. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }
}
