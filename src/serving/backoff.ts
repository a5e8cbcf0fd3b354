/** Waits between restarts, in milliseconds: none before the first, then doubling up to half a minute. */
const WAITS_MS = [0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000];

/** A runner that lived this long has earned a restart without waiting. */
const STABLE_AFTER_MS = 60_000;

/** How long to wait before the next restart of something that keeps ending. */
export class Backoff {
  #failures = 0;

  /** The wait before the next try, given how long the last one lived; each call counts as one failure. */
  nextWaitMs(livedMs: number): number {
    if (livedMs >= STABLE_AFTER_MS) this.#failures = 0;
    const wait = WAITS_MS[Math.min(this.#failures, WAITS_MS.length - 1)] ?? 0;
    this.#failures += 1;
    return wait;
  }

  reset(): void {
    this.#failures = 0;
  }
}
