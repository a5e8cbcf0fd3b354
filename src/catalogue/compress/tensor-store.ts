import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { reasonOf, SelvageError } from '../../lib/errors.ts';
import type { Tensor } from '../../tensor/tensor.ts';

interface Entry {
  readonly offset: number;
  readonly tensors: ReadonlyArray<Omit<Tensor, 'data'> & { readonly sizeBytes: number }>;
}

/**
 * Lists of tensors by number, on disk: decoded samples and outputs that are needed again but are too many for
 * memory. The file has no name, so that nothing is left of it when the process ends in whatever way.
 */
export class TensorStore {
  readonly #path: string;
  readonly #file: number;
  readonly #entries = new Map<number, Entry>();
  #sizeBytes = 0;

  /** Makes the file at `path` and takes its name away; throws FILE_UNWRITABLE. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
    } catch (thrown) {
      throw SelvageError.of('FILE_UNWRITABLE', { path, reason: reasonOf(thrown) }, thrown);
    }
  }

  /** Bytes stored so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Stores tensors under a number that has none yet; throws FILE_UNWRITABLE. */
  put(number: number, tensors: readonly Tensor[]): void {
    const offset = this.#sizeBytes;
    try {
      for (const { data } of tensors) this.#append(data);
    } catch (thrown) {
      throw SelvageError.of('FILE_UNWRITABLE', { path: this.#path, reason: reasonOf(thrown) }, thrown);
    }
    const kept = tensors.map(({ name, datatype, shape, data }) => ({
      name,
      datatype,
      shape,
      sizeBytes: data.byteLength,
    }));
    this.#entries.set(number, { offset, tensors: kept });
  }

  has(number: number): boolean {
    return this.#entries.has(number);
  }

  /** The tensors under a number, each of its own memory; undefined where there are none. */
  get(number: number): Tensor[] | undefined {
    const entry = this.#entries.get(number);
    if (entry === undefined) return undefined;
    let offset = entry.offset;
    return entry.tensors.map(({ sizeBytes, ...tensor }) => {
      const data = new Uint8Array(sizeBytes);
      for (let filled = 0; filled < sizeBytes; ) {
        const count = readSync(this.#file, data, filled, sizeBytes - filled, offset + filled);
        if (count === 0) throw SelvageError.of('INTERNAL', { reason: `${this.#path} was cut off` });
        filled += count;
      }
      offset += sizeBytes;
      return { ...tensor, data };
    });
  }

  close(): void {
    closeSync(this.#file);
  }

  #append(data: Uint8Array): void {
    for (let written = 0; written < data.byteLength; ) {
      written += writeSync(this.#file, data, written, data.byteLength - written, this.#sizeBytes + written);
    }
    this.#sizeBytes += data.byteLength;
  }
}
