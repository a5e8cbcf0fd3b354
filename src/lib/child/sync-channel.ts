import { readSync, writevSync } from 'node:fs';
import {
  align8,
  bodyLength,
  decodePrefix,
  encodeHead,
  type Frame,
  PREFIX_BYTES,
  paddedLength,
} from './frame.ts';
import { isShared, readArea, writeArea } from './shared-memory.ts';

const ZEROS = new Uint8Array(8);

/**
 * The child's end of the frame socket, with blocking reads and writes: a child does one thing at a time, and a read
 * that wakes the thread directly is faster than an event loop. The buffer of a frame is used again for the next one.
 */
export class SyncChannel {
  readonly #fd: number;
  readonly #sharedFd: number;
  readonly #prefix = Buffer.allocUnsafeSlow(PREFIX_BYTES);
  #body = Buffer.allocUnsafeSlow(64 * 1024);

  constructor(fd = 3, sharedFd = 4) {
    this.#fd = fd;
    this.#sharedFd = sharedFd;
  }

  /** Waits for the next frame, valid until the next read; undefined when the agent is gone. */
  read(): Frame | undefined {
    if (!this.#fill(this.#prefix, PREFIX_BYTES)) return undefined;
    const prefix = decodePrefix(this.#prefix);
    const { kind, slot, headerBytes, dataBytes, shared } = prefix;
    const dataStart = align8(headerBytes);
    this.#fit(dataStart + dataBytes);
    if (!this.#fill(this.#body, bodyLength(prefix))) return undefined;
    const data = this.#body.subarray(dataStart, dataStart + dataBytes);
    if (shared) readArea(this.#sharedFd, slot, 'question', data, dataBytes);
    return { kind, slot, header: this.#body.subarray(0, headerBytes), data };
  }

  /** Writes an answer; `slot` is the question's. Waits until the agent has taken it; throws EPIPE when it is gone. */
  write(kind: number, slot: number, header: Uint8Array, data: readonly Uint8Array[] = []): void {
    const dataBytes = paddedLength(data);
    const shared = isShared(slot, dataBytes) && writeArea(this.#sharedFd, slot, 'answer', data);
    const head = encodeHead({ kind, slot, dataBytes, shared }, header);
    let parts: Uint8Array[] = shared ? [head] : [head, ...data.flatMap(padded)];
    while (parts.length > 0) parts = dropBytes(parts, writevSync(this.#fd, parts));
  }

  /** Writes an answer whose header is JSON. */
  writeJson(kind: number, slot: number, value: unknown): void {
    this.write(kind, slot, Buffer.from(JSON.stringify(value)));
  }

  #fill(buffer: Buffer, size: number): boolean {
    let filled = 0;
    while (filled < size) {
      const count = readSync(this.#fd, buffer, filled, size - filled, null);
      if (count === 0) return false;
      filled += count;
    }
    return true;
  }

  /** Grows by doubling; shrinks when a rare large frame would otherwise hold its memory for good. */
  #fit(size: number): void {
    if (size > this.#body.length) {
      this.#body = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.#body.length));
    } else if (this.#body.length > 8 * 1024 * 1024 && size < this.#body.length / 8) {
      this.#body = Buffer.allocUnsafeSlow(this.#body.length / 2);
    }
  }
}

function padded(part: Uint8Array): Uint8Array[] {
  const padding = align8(part.byteLength) - part.byteLength;
  return padding === 0 ? [part] : [part, ZEROS.subarray(0, padding)];
}

function dropBytes(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  const rest: Uint8Array[] = [];
  for (const part of parts) {
    if (left >= part.byteLength) left -= part.byteLength;
    else {
      rest.push(left === 0 ? part : part.subarray(left));
      left = 0;
    }
  }
  return rest;
}
