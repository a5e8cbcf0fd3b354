import { readSync, writevSync } from 'node:fs';
import { align8, bodyLength, encodeHead, type Frame, PREFIX_BYTES } from './frame.ts';

const ZEROS = new Uint8Array(8);

/**
 * The child's end of the frame socket, with blocking reads and writes: a child does one thing at a time, and a read
 * that wakes the thread directly is faster than an event loop. The buffer of a frame is used again for the next one.
 */
export class SyncChannel {
  readonly #fd: number;
  readonly #prefix = Buffer.allocUnsafeSlow(PREFIX_BYTES);
  #body = Buffer.allocUnsafeSlow(64 * 1024);

  constructor(fd = 3) {
    this.#fd = fd;
  }

  /** Waits for the next frame, valid until the next read; undefined when the agent is gone. */
  read(): Frame | undefined {
    if (!this.#fill(this.#prefix, PREFIX_BYTES)) return undefined;
    const size = bodyLength(this.#prefix);
    this.#fit(size);
    if (!this.#fill(this.#body, size)) return undefined;
    const headerBytes = this.#prefix.readUInt32LE(8);
    return {
      kind: this.#prefix.readUInt32LE(0),
      tag: this.#prefix.readUInt32LE(4),
      header: this.#body.subarray(0, headerBytes),
      data: this.#body.subarray(align8(headerBytes), size),
    };
  }

  /** Writes a frame; waits until the agent has taken it. Throws EPIPE when the agent is gone. */
  write(kind: number, tag: number, header: Uint8Array, data: readonly Uint8Array[] = []): void {
    const dataBytes = data.reduce((sum, part) => sum + align8(part.byteLength), 0);
    let parts: Uint8Array[] = [encodeHead(kind, tag, header, dataBytes), ...data.flatMap(padded)];
    for (;;) {
      const written = writevSync(this.#fd, parts);
      parts = dropBytes(parts, written);
      if (parts.length === 0) return;
    }
  }

  /** Writes a frame whose header is JSON. */
  writeJson(kind: number, tag: number, value: unknown): void {
    this.write(kind, tag, Buffer.from(JSON.stringify(value)));
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
