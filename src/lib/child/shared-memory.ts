import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { randomName } from '../random-name.ts';
import { align8 } from './frame.ts';

/**
 * Memory that the agent and one child share: a file on tmpfs without a name, inherited as fd 4. Tensors of a few
 * hundred kilobytes take two copies of 30 µs each through it and seven times that through the socket, whose buffer
 * holds 200 KB, so that both ends wait for each other several times (measured on 602 KB, x86-64).
 *
 * It has slots, each with an area for the question and one for the answer. Areas that were never used take no memory.
 */
export class SharedMemory {
  readonly fd: number;
  /** Slots that no question holds; slots count from 1. */
  readonly #free: number[] = Array.from({ length: SLOTS }, (_, index) => index + 1);

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Creates the file; undefined where there is no tmpfs to write to: everything then goes through the socket. */
  static create(directory = '/dev/shm'): SharedMemory | undefined {
    const path = `${directory}/selvage-${process.pid}-${randomName(16)}`;
    try {
      const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
      unlinkSync(path);
      return new SharedMemory(fd);
    } catch {
      return undefined;
    }
  }

  /** Takes a slot for a question and its answer; 0 where none is free. */
  acquire(): number {
    return this.#free.pop() ?? 0;
  }

  /** Gives a slot back, once its answer has been read. */
  release(slot: number): void {
    if (slot !== 0) this.#free.push(slot);
  }

  close(): void {
    closeSync(this.fd);
  }
}

const SLOTS = 2;

/** Largest data of one frame that goes through a slot; larger data takes the socket, which does not block. */
export const AREA_BYTES = 4 * 1024 * 1024;

/** Smaller data is faster through the socket, in the same write as the header. */
export const SHARE_FROM_BYTES = 32 * 1024;

/** Which way data goes in a slot. */
export type Direction = 'question' | 'answer';

/** Whether data of this length goes through the slot. */
export function isShared(slot: number, dataBytes: number): boolean {
  return slot !== 0 && dataBytes >= SHARE_FROM_BYTES && dataBytes <= AREA_BYTES;
}

/**
 * Writes the parts of a frame's data into a slot, each at a multiple of 8. False where tmpfs has no room for them:
 * the data then takes the socket.
 */
export function writeArea(
  fd: number,
  slot: number,
  direction: Direction,
  data: readonly Uint8Array[],
): boolean {
  let position = areaOffset(slot, direction);
  try {
    for (const part of data) {
      let written = 0;
      while (written < part.byteLength) {
        written += writeSync(fd, part, written, part.byteLength - written, position + written);
      }
      position += align8(part.byteLength);
    }
    return true;
  } catch {
    return false;
  }
}

/** Reads `dataBytes` of a slot into `target`. Throws RangeError where they are not there. */
export function readArea(
  fd: number,
  slot: number,
  direction: Direction,
  target: Buffer,
  dataBytes: number,
): void {
  if (slot < 1 || slot > SLOTS || dataBytes > AREA_BYTES) {
    throw new RangeError(`no ${dataBytes} bytes in slot ${slot}`);
  }
  const position = areaOffset(slot, direction);
  let filled = 0;
  while (filled < dataBytes) {
    const count = readSync(fd, target, filled, dataBytes - filled, position + filled);
    // The padding of the last part is not written.
    if (count === 0) {
      target.fill(0, filled, dataBytes);
      break;
    }
    filled += count;
  }
}

function areaOffset(slot: number, direction: Direction): number {
  return ((slot - 1) * 2 + (direction === 'question' ? 0 : 1)) * AREA_BYTES;
}
