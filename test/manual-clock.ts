import type { Clock } from '../src/lib/clock.ts';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that moves only when it is told to; its timers run in `advance`. */
export class ManualClock implements Clock {
  #wall: number;
  #monotonic = 0;
  #timers: Timer[] = [];

  /** Starts at a wall time in milliseconds since the epoch. */
  constructor(wall: number) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#monotonic + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** Lets time pass and runs what is due, in order. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    for (;;) {
      const [next] = this.#timers.filter((timer) => timer.at <= end).sort((one, other) => one.at - other.at);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#wall += next.at - this.#monotonic;
      this.#monotonic = next.at;
      next.callback();
    }
    this.#wall += end - this.#monotonic;
    this.#monotonic = end;
  }

  /** Sets the wall clock, as NTP does. */
  jumpTo(wall: number): void {
    this.#wall = wall;
  }
}
