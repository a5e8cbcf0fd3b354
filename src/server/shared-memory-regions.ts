import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf, SelvageError } from '../lib/errors.ts';
import type { SharedPart, SharedRegions } from '../protocol/shared-part.ts';

const MAX_REGIONS = 64;
const KEY = /^\/?([A-Za-z0-9_][A-Za-z0-9._-]{0,200})$/;

/** A region as the protocol shows it. */
export interface RegionStatus {
  readonly name: string;
  readonly key: string;
  readonly offset: number;
  readonly byte_size: number;
}

interface Region extends RegionStatus {
  readonly fd: number;
}

/**
 * The system shared memory that clients have registered: files on `/dev/shm` that belong to the user of this process,
 * as `shm_open(3)` makes them. Every access is held against the bounds of the registration.
 */
export class SharedMemoryRegions implements SharedRegions {
  readonly #directory: string;
  readonly #maxPartBytes: number;
  readonly #regions = new Map<string, Region>();

  constructor(maxPartBytes: number, directory = '/dev/shm') {
    this.#maxPartBytes = maxPartBytes;
    this.#directory = directory;
  }

  /** Registers a region. Throws REGION_INVALID where there is no such memory of this user, or the name is taken. */
  register(name: string, key: string, offset: number, sizeBytes: number): void {
    if (this.#regions.has(name)) throw invalid(name, 'it is registered already; unregister it first');
    if (this.#regions.size >= MAX_REGIONS)
      throw invalid(name, `${MAX_REGIONS} regions are registered, the most there may be`);
    const file = KEY.exec(key)?.[1];
    if (file === undefined)
      throw invalid(name, `key ${JSON.stringify(key.slice(0, 100))} is no name of shared memory`);
    const fd = this.#open(name, file);
    const { size, uid } = fstatSync(fd);
    const isOwn = uid === process.geteuid?.();
    if (!isOwn || offset + sizeBytes > size) {
      closeSync(fd);
      throw invalid(
        name,
        isOwn
          ? `${sizeBytes} bytes at ${offset} are beyond the ${size} bytes of ${key}`
          : `${key} belongs to another user`,
      );
    }
    this.#regions.set(name, { name, key, offset, byte_size: sizeBytes, fd });
  }

  /** Forgets a region, or all of them; a name that is not registered is no error, as Triton has it. */
  unregister(name?: string): void {
    for (const region of name === undefined ? [...this.#regions.values()] : this.#named(name)) {
      this.#regions.delete(region.name);
      closeSync(region.fd);
    }
  }

  /** What is registered, all or one; throws REGION_UNKNOWN. */
  status(name?: string): RegionStatus[] {
    const regions = name === undefined ? [...this.#regions.values()] : [this.#find(name)];
    return regions.map(({ name, key, offset, byte_size }) => ({ name, key, offset, byte_size }));
  }

  read(part: SharedPart): Buffer {
    const region = this.#locate(part);
    if (part.sizeBytes > this.#maxPartBytes) {
      throw SelvageError.of('BODY_TOO_LARGE', { kind: 'shared memory', limitBytes: this.#maxPartBytes });
    }
    const data = Buffer.allocUnsafeSlow(part.sizeBytes);
    const count = readSync(region.fd, data, 0, part.sizeBytes, region.offset + part.offset);
    if (count !== part.sizeBytes) throw invalid(part.region, 'its memory has become shorter');
    return data;
  }

  write(part: SharedPart, data: Uint8Array): void {
    const region = this.#locate(part);
    if (data.byteLength > part.sizeBytes) {
      throw invalid(
        part.region,
        `an output of ${data.byteLength} bytes does not fit the ${part.sizeBytes} given`,
      );
    }
    // A file that was truncated meanwhile must not grow again.
    if (fstatSync(region.fd).size < region.offset + part.offset + data.byteLength) {
      throw invalid(part.region, 'its memory has become shorter');
    }
    writeSync(region.fd, data, 0, data.byteLength, region.offset + part.offset);
  }

  #open(name: string, file: string): number {
    try {
      const fd = openSync(
        join(this.#directory, file),
        constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      if (fstatSync(fd).isFile()) return fd;
      closeSync(fd);
    } catch (error) {
      throw invalid(name, reasonOf(error));
    }
    throw invalid(name, `${file} is no shared memory`);
  }

  #locate(part: SharedPart): Region {
    const region = this.#find(part.region);
    if (part.offset + part.sizeBytes <= region.byte_size) return region;
    const asked = `${part.sizeBytes} bytes at ${part.offset}`;
    throw invalid(part.region, `${asked} are beyond the ${region.byte_size} bytes registered`);
  }

  #find(name: string): Region {
    const [region] = this.#named(name);
    if (region !== undefined) return region;
    throw SelvageError.of('REGION_UNKNOWN', { region: name.slice(0, 100) });
  }

  #named(name: string): Region[] {
    const region = this.#regions.get(name);
    return region === undefined ? [] : [region];
  }
}

function invalid(region: string, problem: string): SelvageError {
  return SelvageError.of('REGION_INVALID', { region: region.slice(0, 100), problem });
}
