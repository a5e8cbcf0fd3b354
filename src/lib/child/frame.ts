/**
 * The messages between the agent and its child processes, over a socket pair that the child inherits as fd 3.
 *
 * A frame is 24 bytes of prefix (little-endian u32: kind, slot, header bytes, data bytes, whether the data is shared,
 * 0), the header, padding to a multiple of 8, and the data: parts that are each padded to a multiple of 8. Shared data
 * is not in the stream but in the memory of the slot (see `shared-memory.ts`). What kind, header and data mean is for
 * the two ends to agree on.
 */
export interface Frame {
  readonly kind: number;
  /** Slot of the shared memory that belongs to this question and its answer; 0 for none. */
  readonly slot: number;
  readonly header: Buffer;
  readonly data: Buffer;
}

/** Bytes before the header. */
export const PREFIX_BYTES = 24;

/** Largest header and data that are accepted; a child that announces more is broken. */
export const MAX_FRAME_BYTES = 0x7fff_ffff;

/** `size` rounded up to a multiple of 8, the alignment of tensor data. */
export function align8(size: number): number {
  return (size + 7) & ~7;
}

/** The fields of a prefix. */
export interface Prefix {
  readonly kind: number;
  readonly slot: number;
  readonly headerBytes: number;
  readonly dataBytes: number;
  readonly shared: boolean;
}

/** Prefix, header and padding of a frame, with room for `extraBytes` of data behind them in the same buffer. */
export function encodeHead(prefix: Omit<Prefix, 'headerBytes'>, header: Uint8Array, extraBytes = 0): Buffer {
  const headBytes = PREFIX_BYTES + align8(header.byteLength);
  const head = Buffer.allocUnsafe(headBytes + extraBytes);
  head.writeUInt32LE(prefix.kind, 0);
  head.writeUInt32LE(prefix.slot, 4);
  head.writeUInt32LE(header.byteLength, 8);
  head.writeUInt32LE(prefix.dataBytes, 12);
  head.writeUInt32LE(prefix.shared ? 1 : 0, 16);
  head.writeUInt32LE(0, 20);
  head.set(header, PREFIX_BYTES);
  head.fill(0, PREFIX_BYTES + header.byteLength, headBytes);
  return head;
}

/** Reads a prefix; throws RangeError where it announces more than a frame may hold. */
export function decodePrefix(prefix: Buffer): Prefix {
  const headerBytes = prefix.readUInt32LE(8);
  const dataBytes = prefix.readUInt32LE(12);
  if (headerBytes > MAX_FRAME_BYTES || dataBytes > MAX_FRAME_BYTES) {
    throw new RangeError(`a frame announces ${headerBytes} + ${dataBytes} bytes`);
  }
  const shared = prefix.readUInt32LE(16) === 1;
  return { kind: prefix.readUInt32LE(0), slot: prefix.readUInt32LE(4), headerBytes, dataBytes, shared };
}

/** Bytes of the stream that follow a prefix: the header, its padding, and data that is not shared. */
export function bodyLength({ headerBytes, dataBytes, shared }: Prefix): number {
  return align8(headerBytes) + (shared ? 0 : dataBytes);
}

/** Length of the parts of a frame's data with the padding of each. */
export function paddedLength(data: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of data) length += align8(part.byteLength);
  return length;
}

/**
 * Puts frames together from the chunks of a stream. A frame inside one chunk is handed out as views on it; a larger
 * one is copied once, into a buffer of the right size. `readShared` fetches data that is not in the stream.
 */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  readonly #readShared: (slot: number, dataBytes: number) => Buffer;
  /** Bytes of a prefix that is not complete yet. */
  #partial: Buffer | undefined;
  /** A frame whose prefix is known and whose body is still arriving. */
  #body: { prefix: Prefix; buffer: Buffer; filled: number } | undefined;

  constructor(onFrame: (frame: Frame) => void, readShared: (slot: number, dataBytes: number) => Buffer) {
    this.#onFrame = onFrame;
    this.#readShared = readShared;
  }

  /** Takes the next chunk; throws RangeError where it cannot be part of a frame. */
  push(chunk: Buffer): void {
    let rest = this.#body === undefined ? chunk : this.#fillBody(chunk, this.#body);
    if (this.#partial !== undefined && rest.length > 0) {
      rest = Buffer.concat([this.#partial, rest]);
      this.#partial = undefined;
    }
    while (rest.length >= PREFIX_BYTES) {
      const prefix = decodePrefix(rest);
      const bodyBytes = bodyLength(prefix);
      const frameBytes = PREFIX_BYTES + bodyBytes;
      if (rest.length < frameBytes) {
        this.#body = { prefix, buffer: Buffer.allocUnsafeSlow(bodyBytes), filled: 0 };
        this.#fillBody(rest.subarray(PREFIX_BYTES), this.#body);
        return;
      }
      this.#emit(prefix, rest.subarray(PREFIX_BYTES, frameBytes));
      rest = rest.subarray(frameBytes);
    }
    if (rest.length > 0) this.#partial = rest;
  }

  #fillBody(chunk: Buffer, body: { prefix: Prefix; buffer: Buffer; filled: number }): Buffer {
    const taken = Math.min(chunk.length, body.buffer.length - body.filled);
    chunk.copy(body.buffer, body.filled, 0, taken);
    body.filled += taken;
    if (body.filled === body.buffer.length) {
      this.#body = undefined;
      this.#emit(body.prefix, body.buffer);
    }
    return chunk.subarray(taken);
  }

  #emit({ kind, slot, headerBytes, dataBytes, shared }: Prefix, body: Buffer): void {
    const data = shared ? this.#readShared(slot, dataBytes) : body.subarray(align8(headerBytes));
    this.#onFrame({ kind, slot, header: body.subarray(0, headerBytes), data });
  }
}
