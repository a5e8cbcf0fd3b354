import type { Clock } from './clock.ts';

const MAX_TRACKED = 512;

interface Tracked<Item> {
  readonly item: Item;
  repeated: number;
  readonly cancel: () => void;
}

/**
 * Lets the first of several equal things through and counts the others for a window of time; when the window ends,
 * `report` hears of the first one and how many followed it (not called where none did). At most 512 keys are
 * tracked: a new one beyond that ends the oldest one's window early.
 */
export class Repeats<Item> {
  readonly #windowMs: number;
  readonly #clock: Clock;
  readonly #report: (item: Item, repeated: number) => void;
  readonly #tracked = new Map<string, Tracked<Item>>();

  constructor(windowMs: number, clock: Clock, report: (item: Item, repeated: number) => void) {
    this.#windowMs = windowMs;
    this.#clock = clock;
    this.#report = report;
  }

  /** Whether this is the first of its key in the window (and therefore to be let through). */
  first(key: string, item: Item): boolean {
    const known = this.#tracked.get(key);
    if (known !== undefined) {
      known.repeated += 1;
      return false;
    }
    const [oldest] = this.#tracked.keys();
    if (oldest !== undefined && this.#tracked.size >= MAX_TRACKED) this.#end(oldest);
    const cancel = this.#clock.after(this.#windowMs, () => this.#end(key));
    this.#tracked.set(key, { item, repeated: 0, cancel });
    return true;
  }

  /** Ends every window now. */
  flush(): void {
    for (const key of [...this.#tracked.keys()]) this.#end(key);
  }

  #end(key: string): void {
    const tracked = this.#tracked.get(key);
    if (tracked === undefined) return;
    this.#tracked.delete(key);
    tracked.cancel();
    if (tracked.repeated > 0) this.#report(tracked.item, tracked.repeated);
  }
}
