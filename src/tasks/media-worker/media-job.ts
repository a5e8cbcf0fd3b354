import type { Clock } from '../../lib/clock.ts';
import { SelvageError } from '../../lib/errors.ts';
import type { ImageSpec } from '../image/image-spec.ts';
import type { DecodeCall } from '../task.ts';

/**
 * One input that waits for the worker or is with it. It settles once: with the tensor bytes, an error, what its
 * caller's signal was aborted with, or DEADLINE_EXCEEDED.
 */
export class MediaJob {
  readonly encoded: Uint8Array;
  readonly spec: ImageSpec;
  readonly result: Promise<Uint8Array>;
  readonly #release: () => void;
  #settle: { resolve: (tensor: Uint8Array) => void; reject: (error: unknown) => void } | undefined;

  /** `onSettled` is called once, whatever the result. */
  constructor(encoded: Uint8Array, spec: ImageSpec, call: DecodeCall, clock: Clock, onSettled: () => void) {
    this.encoded = encoded;
    this.spec = spec;
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const { signal, timeoutMs, model } = call;
    const abort = () => this.reject(abortErrorOf(signal));
    signal.addEventListener('abort', abort, { once: true });
    const cancelDeadline =
      timeoutMs === undefined
        ? () => {}
        : clock.after(timeoutMs, () =>
            this.reject(SelvageError.of('DEADLINE_EXCEEDED', { model, timeoutMs })),
          );
    this.#release = () => {
      signal.removeEventListener('abort', abort);
      cancelDeadline();
      onSettled();
    };
  }

  resolve(tensor: Uint8Array): void {
    const settle = this.#end();
    settle?.resolve(tensor);
  }

  reject(error: unknown): void {
    const settle = this.#end();
    settle?.reject(error);
  }

  #end() {
    const settle = this.#settle;
    if (settle === undefined) return undefined;
    this.#settle = undefined;
    this.#release();
    return settle;
  }
}

/** What a caller whose signal is aborted gets: the reason where it is one of our errors, else CANCELLED. */
export function abortErrorOf(signal: AbortSignal): SelvageError {
  const reason: unknown = signal.reason;
  return reason instanceof SelvageError ? reason : SelvageError.of('CANCELLED', {}, reason);
}
