/**
 * The messages between the agent and its child processes, over a socket pair that the child inherits as fd 3.
 *
 * A frame is 16 bytes of prefix (little-endian u32: kind, tag, header bytes, data bytes), the header, padding to a
 * multiple of 8, and the data: parts that are each padded to a multiple of 8. What kind, tag, header and data mean is for the two ends to agree on.
 */
export interface Frame {
  readonly kind: number;
  /** Free for the two ends, to match answers with questions. */
  readonly tag: number;
  readonly header: Buffer;
  readonly data: Buffer;
}

/** Bytes before the header. */
export const PREFIX_BYTES = 16;

/** Largest header and data that are accepted; a child that announces more is broken. */
export const MAX_FRAME_BYTES = 0x7fff_ffff;

/** `size` rounded up to a multiple of 8, the alignment of tensor data. */
export function align8(size: number): number {
  return (size + 7) & ~7;
}

/** Prefix, header and padding of a frame, with room for `extraBytes` of data behind them in the same buffer. */
export function encodeHead(
  kind: number,
  tag: number,
  header: Uint8Array,
  dataBytes: number,
  extraBytes = 0,
): Buffer {
  const headBytes = PREFIX_BYTES + align8(header.byteLength);
  const head = Buffer.allocUnsafe(headBytes + extraBytes);
  head.writeUInt32LE(kind, 0);
  head.writeUInt32LE(tag, 4);
  head.writeUInt32LE(header.byteLength, 8);
  head.writeUInt32LE(dataBytes, 12);
  head.set(header, PREFIX_BYTES);
  head.fill(0, PREFIX_BYTES + header.byteLength, headBytes);
  return head;
}

/**
 * Puts frames together from the chunks of a stream. A frame inside one chunk is handed out as views on it; a larger
 * one is copied once, into a buffer of the right size.
 */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  /** Bytes of a prefix that is not complete yet. */
  #partial: Buffer | undefined;
  /** A frame whose prefix is known and whose body is still arriving. */
  #body: { prefix: Buffer; buffer: Buffer; filled: number } | undefined;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes the next chunk; throws RangeError where it cannot be part of a frame. */
  push(chunk: Buffer): void {
    let rest = this.#body === undefined ? chunk : this.#fillBody(chunk, this.#body);
    if (this.#partial !== undefined && rest.length > 0) {
      rest = Buffer.concat([this.#partial, rest]);
      this.#partial = undefined;
    }
    while (rest.length >= PREFIX_BYTES) {
      const bodyBytes = bodyLength(rest);
      const frameBytes = PREFIX_BYTES + bodyBytes;
      if (rest.length < frameBytes) {
        const body = {
          prefix: rest.subarray(0, PREFIX_BYTES),
          buffer: Buffer.allocUnsafeSlow(bodyBytes),
          filled: 0,
        };
        this.#body = body;
        this.#fillBody(rest.subarray(PREFIX_BYTES), body);
        return;
      }
      this.#emit(rest, rest.subarray(PREFIX_BYTES, frameBytes));
      rest = rest.subarray(frameBytes);
    }
    if (rest.length > 0) this.#partial = rest;
  }

  #fillBody(chunk: Buffer, body: { prefix: Buffer; buffer: Buffer; filled: number }): Buffer {
    const taken = Math.min(chunk.length, body.buffer.length - body.filled);
    chunk.copy(body.buffer, body.filled, 0, taken);
    body.filled += taken;
    if (body.filled === body.buffer.length) {
      this.#body = undefined;
      this.#emit(body.prefix, body.buffer);
    }
    return chunk.subarray(taken);
  }

  #emit(prefix: Buffer, body: Buffer): void {
    const headerBytes = prefix.readUInt32LE(8);
    this.#onFrame({
      kind: prefix.readUInt32LE(0),
      tag: prefix.readUInt32LE(4),
      header: body.subarray(0, headerBytes),
      data: body.subarray(align8(headerBytes)),
    });
  }
}

/** Bytes of header, padding and data that follow a prefix. */
export function bodyLength(prefix: Buffer): number {
  const headerBytes = prefix.readUInt32LE(8);
  const dataBytes = prefix.readUInt32LE(12);
  if (headerBytes > MAX_FRAME_BYTES || dataBytes > MAX_FRAME_BYTES) {
    throw new RangeError(`frame announces ${headerBytes} + ${dataBytes} bytes`);
  }
  return align8(headerBytes) + dataBytes;
}
