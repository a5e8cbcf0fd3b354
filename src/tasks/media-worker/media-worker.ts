import { ChildProcess } from '../../lib/child/child-process.ts';
import type { Frame } from '../../lib/child/frame.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { reasonOf, SelvageError } from '../../lib/errors.ts';
import { imageFormatOf } from '../image/image-format.ts';
import { type ImageSpec, imageBytes } from '../image/image-spec.ts';
import type { DecodeCall, MediaDecoder } from '../task.ts';
import { abortErrorOf, MediaJob } from './media-job.ts';
import { type DecodeImage, KIND, type PlainError } from './messages.ts';

/** Bounds on decoding: `media` in the configuration. */
export interface MediaLimits {
  /** Largest image that is decoded, in pixels. */
  readonly maxPixels: number;
  /** Time to decode one input, in milliseconds; past it the worker is killed. */
  readonly timeoutMs: number;
  /** Time after which an idle worker is ended, in milliseconds. */
  readonly idleMs: number;
}

/** What the media worker is made with. */
export interface MediaWorkerOptions extends MediaLimits {
  /** Called per line the worker writes to standard error. */
  readonly onStderr?: ((line: string) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** URL of the child's main module. */
  readonly module?: URL | undefined;
}

const WORKER_MAIN = new URL('./media-worker-main.js', import.meta.url);

/** Inputs that may wait, and their bytes; one alone may always. */
const MAX_WAITING = 64;
const MAX_WAITING_BYTES = 128 * 1024 * 1024;
/** Time a worker has to load the decoder, in milliseconds; it takes seconds on the slowest boards. */
const START_TIMEOUT_MS = 30_000;
/** A worker that cannot be started is tried again after this time, doubled with every failure, in milliseconds. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;

interface Child {
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  ready: boolean;
}

/**
 * Decodes media in one child process, so that hostile input meets native code there and not in the agent. The child
 * is started on first use, works on one input at a time, is killed when one takes too long or when it has been idle
 * for a while, and is started again when it is needed again.
 */
export class MediaWorker implements MediaDecoder {
  readonly #options: MediaWorkerOptions;
  readonly #clock: Clock;
  #limits: MediaLimits;
  readonly #waiting: MediaJob[] = [];
  #current: MediaJob | undefined;
  #child: Child | undefined;
  /** Children that have not ended yet, killed ones included. */
  readonly #living = new Set<Child>();
  #cancelTimer: () => void = () => {};
  #startFailures = 0;
  /** Why no child is started until then (monotonic milliseconds). */
  #startRefused: { readonly error: SelvageError; readonly until: number } | undefined;
  #closed = false;

  constructor(options: MediaWorkerOptions) {
    this.#options = options;
    this.#limits = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Process id of the child; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.process.pid;
  }

  /** Takes other bounds: for the next input, and for the idle time from now. */
  configure(limits: MediaLimits): void {
    this.#limits = limits;
    if (this.#current === undefined) this.#setTimer();
  }

  /** Tensor bytes of an image; throws what `Task.prepare` may throw. `encoded` must not change until then. */
  async decodeImage(encoded: Uint8Array, spec: ImageSpec, call: DecodeCall): Promise<Uint8Array> {
    this.#admit(encoded, call.signal);
    const job = new MediaJob(encoded, spec, call, this.#clock, () => this.#forget(job));
    this.#waiting.push(job);
    this.#next();
    return job.result;
  }

  /** Rejects all inputs with SHUTTING_DOWN, ends the child, and resolves when it has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectAll(SelvageError.of('SHUTTING_DOWN', {}));
    this.#drop('the agent is shutting down');
    await Promise.all([...this.#living].map((child) => child.exited));
  }

  /** Throws why an input is not taken. */
  #admit(encoded: Uint8Array, signal: AbortSignal): void {
    if (this.#closed) throw SelvageError.of('SHUTTING_DOWN', {});
    if (signal.aborted) throw abortErrorOf(signal);
    if (imageFormatOf(encoded) === undefined) {
      const reason = encoded.byteLength === 0 ? 'it is empty' : 'it is neither JPEG, PNG nor WebP';
      throw SelvageError.of('MEDIA_UNREADABLE', { kind: 'image', reason });
    }
    const waiting = this.#waiting.length;
    const bytes = this.#waiting.reduce((sum, job) => sum + job.encoded.byteLength, encoded.byteLength);
    if (waiting >= MAX_WAITING || (waiting > 0 && bytes > MAX_WAITING_BYTES)) {
      throw SelvageError.of('MEDIA_BUSY', { waiting });
    }
    const refused = this.#startRefused;
    if (refused !== undefined && this.#clock.monotonic() < refused.until) throw refused.error;
  }

  /** Takes a settled input out of the queue; one that the child works on stays until the child has answered. */
  #forget(job: MediaJob): void {
    const index = this.#waiting.indexOf(job);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  /** Gives the child the next input, if it has none. */
  #next(): void {
    if (this.#current !== undefined) return;
    this.#current = this.#waiting.shift();
    if (this.#current !== undefined) {
      const child = this.#child ?? this.#start();
      if (child === undefined) return;
      const { encoded, spec } = this.#current;
      const { maxPixels } = this.#limits;
      const header: DecodeImage = { spec, maxPixels, encodedBytes: encoded.byteLength };
      child.process.send(KIND.DECODE_IMAGE, Buffer.from(JSON.stringify(header)), [encoded]);
    }
    this.#setTimer();
  }

  /** Limits what the child does now: starting, working, or being idle. */
  #setTimer(): void {
    this.#cancelTimer();
    const child = this.#child;
    if (child === undefined) return;
    const { timeoutMs, idleMs } = this.#limits;
    if (!child.ready) this.#cancelTimer = this.#clock.after(START_TIMEOUT_MS, () => this.#onStartTimeout());
    else if (this.#current !== undefined) {
      this.#cancelTimer = this.#clock.after(timeoutMs, () => this.#onTimeout());
    } else this.#cancelTimer = this.#clock.after(idleMs, () => this.#drop('idle'));
  }

  #start(): Child | undefined {
    try {
      const { promise, resolve } = withResolver();
      const process = new ChildProcess({
        module: this.#options.module ?? WORKER_MAIN,
        shareMemory: true,
        onFrame: (frame) => this.#onFrame(child, frame),
        onExit: (reason) => {
          this.#living.delete(child);
          resolve();
          this.#onExit(child, reason);
        },
        onStderr: this.#options.onStderr,
      });
      const child: Child = { process, exited: promise, ready: false };
      this.#living.add(child);
      this.#child = child;
      return child;
    } catch (error) {
      this.#onStartFailure(reasonOf(error));
      return undefined;
    }
  }

  #onFrame(child: Child, frame: Frame): void {
    // A child that was killed may still have sent something.
    if (child !== this.#child) return;
    const job = this.#current;
    switch (frame.kind) {
      case KIND.READY:
        child.ready = true;
        this.#startFailures = 0;
        this.#startRefused = undefined;
        this.#setTimer();
        return;
      case KIND.UNAVAILABLE:
        this.#drop('it cannot decode anything');
        this.#refuseStart(SelvageError.revive(errorIn(frame)));
        return;
      case KIND.DECODED:
        if (job === undefined || frame.data.byteLength < imageBytes(job.spec)) break;
        this.#current = undefined;
        job.resolve(frame.data.subarray(0, imageBytes(job.spec)));
        this.#next();
        return;
      case KIND.FAILED:
        this.#current = undefined;
        job?.reject(SelvageError.revive(errorIn(frame)));
        this.#next();
        return;
    }
    child.process.kill('sent an answer that makes no sense');
  }

  #onExit(child: Child, reason: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    this.#cancelTimer();
    if (!child.ready) {
      this.#onStartFailure(reason);
      return;
    }
    this.#endCurrent(SelvageError.of('MEDIA_WORKER_CRASHED', { reason }));
  }

  #onTimeout(): void {
    const reason = `it was not decoded within ${this.#limits.timeoutMs} ms (media.timeoutMs)`;
    this.#drop('took too long');
    this.#endCurrent(SelvageError.of('MEDIA_UNREADABLE', { kind: 'image', reason }));
  }

  #onStartTimeout(): void {
    this.#drop('took too long to start');
    this.#onStartFailure(`it was not ready within ${START_TIMEOUT_MS} ms`);
  }

  #onStartFailure(reason: string): void {
    this.#refuseStart(
      SelvageError.of('MEDIA_UNAVAILABLE', { reason: `the media worker did not start: ${reason}` }),
    );
  }

  /** Rejects all inputs, and for a while every new one, since starting a process again and again would not help. */
  #refuseStart(error: SelvageError): void {
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#startFailures);
    this.#startFailures += 1;
    this.#startRefused = { error, until: this.#clock.monotonic() + delayMs };
    this.#rejectAll(error);
  }

  #rejectAll(error: SelvageError): void {
    for (const job of this.#waiting.splice(0)) job.reject(error);
    this.#endCurrent(error);
  }

  #endCurrent(error: SelvageError): void {
    const job = this.#current;
    this.#current = undefined;
    job?.reject(error);
    this.#next();
  }

  /** Kills the child; the next input starts another one. */
  #drop(reason: string): void {
    this.#cancelTimer();
    this.#child?.process.kill(reason);
    this.#child = undefined;
  }
}

function errorIn(frame: Frame): PlainError {
  return JSON.parse(frame.header.toString()) as PlainError;
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
