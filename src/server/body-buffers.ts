/** Bytes that may be held at one time, over all connections of a server. */
export class ByteBudget {
  readonly limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether `sizeBytes` more fit now. */
  fits(sizeBytes: number): boolean {
    return this.#usedBytes + sizeBytes <= this.limitBytes;
  }

  /** Takes `sizeBytes`; false, and nothing is taken, where they do not fit. */
  take(sizeBytes: number): boolean {
    if (!this.fits(sizeBytes)) return false;
    this.#usedBytes += sizeBytes;
    return true;
  }

  /** Gives back what was taken. */
  give(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
  }
}

/** Below this a fresh buffer costs less than the search; above it the memory is mapped, page by page, each time. */
const MIN_POOLED_BYTES = 32 * 1024;

/**
 * Keeps a few large buffers for the next request of that size: fresh memory costs a page fault every 4 KiB.
 * Holds at most `maxBytes` in all.
 */
export class BufferPool {
  readonly #maxBytes: number;
  /** Oldest first. */
  #free: Buffer[] = [];
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A buffer of at least `sizeBytes`, 8-byte aligned, with whatever was in it before. */
  take(sizeBytes: number): Buffer {
    if (sizeBytes < MIN_POOLED_BYTES) return Buffer.allocUnsafe(sizeBytes);
    // Up to twice the size: a small request must not hold a large buffer.
    const index = this.#free.findLastIndex(
      ({ byteLength }) => byteLength >= sizeBytes && byteLength <= 2 * sizeBytes,
    );
    const [found] = index < 0 ? [] : this.#free.splice(index, 1);
    if (found === undefined) return Buffer.allocUnsafeSlow(sizeBytes);
    this.#heldBytes -= found.byteLength;
    return found;
  }

  /** Keeps a buffer that nothing reads or writes any more. */
  give(buffer: Buffer): void {
    if (buffer.byteLength < MIN_POOLED_BYTES || buffer.byteLength > this.#maxBytes) return;
    this.#free.push(buffer);
    this.#heldBytes += buffer.byteLength;
    while (this.#heldBytes > this.#maxBytes) this.#heldBytes -= this.#free.shift()?.byteLength ?? 0;
  }
}
