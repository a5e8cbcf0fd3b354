import { deflateRawSync } from 'node:zlib';
import { crc32 } from '../src/lib/crc32.ts';
import { bytesOf } from '../src/tensor/tensor.ts';

/** How a `.npy` file departs from what `numpy.save` writes. */
export interface NpyOptions {
  readonly version?: 1 | 2 | 3;
  readonly fortran?: boolean;
  /** Shape in the header, where it is to be another than that of the data. */
  readonly header?: string;
}

/** The bytes that `numpy.save` writes for an array: `descr` such as `<f4`, elements in row-major order. */
export function npyFile(
  descr: string,
  shape: readonly number[],
  data: ArrayBufferView,
  { version = 1, fortran = false, header }: NpyOptions = {},
): Buffer {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary =
    header ?? `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${tuple}), }`;
  const start = version === 1 ? 10 : 12;
  const padded = `${dictionary.padEnd(Math.ceil((start + dictionary.length + 1) / 64) * 64 - start - 1)}\n`;
  const head = Buffer.alloc(start);
  head.write('\x93NUMPY', 'latin1');
  head[6] = version;
  if (version === 1) head.writeUInt16LE(padded.length, 8);
  else head.writeUInt32LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded, 'latin1'), bytesOf(data)]);
}

/** A float32 `.npy` file. */
export function floatNpy(shape: readonly number[], values: readonly number[]): Buffer {
  return npyFile('<f4', shape, Float32Array.from(values));
}

/** A file to pack; `claimBytes` is the unpacked size that the directory is to announce, where that is a lie. */
export interface PackedFile {
  readonly name: string;
  readonly data: Buffer;
  readonly deflate?: boolean;
  readonly claimBytes?: number;
  readonly flags?: number;
  readonly method?: number;
}

/** A ZIP archive as Python's zipfile writes it (an extra field in the local header only, as `numpy.savez` does). */
export function zipFile(files: readonly PackedFile[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const packed = file.deflate === true ? deflateRawSync(file.data) : file.data;
    const name = Buffer.from(file.name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(file.flags ?? 0, 2);
    common.writeUInt16LE(file.method ?? (file.deflate === true ? 8 : 0), 4);
    common.writeUInt32LE(crc32(file.data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(file.claimBytes ?? file.data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.from(common);
    local.writeUInt16LE(4, 24);
    locals.push(Buffer.from('PK\x03\x04'), local, name, Buffer.from([1, 0, 0, 0]), packed);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, tail, name);
    offset += 30 + name.length + 4 + packed.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, listed, end]);
}
