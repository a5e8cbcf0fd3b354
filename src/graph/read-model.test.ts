import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { slowModel, tinyModel } from '../../test/models.ts';
import { SelvageError } from '../lib/errors.ts';
import { buildModel, tensor } from './build-model.ts';
import { checkModel } from './check-model.ts';
import { ModelProtoSchema } from './gen/onnx_pb.ts';
import { decodeModel, readModel } from './read-model.ts';
import { encodeModel } from './write-model.ts';

/** Bytes of a protobuf field that is length-delimited. */
function field(number: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function refused(bytes: Uint8Array, message: RegExp): void {
  assert.throws(() => decodeModel('a.onnx', bytes), { code: 'MODEL_FILE_INVALID', message });
}

describe('readModel', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selvage-read-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function file(name: string, content: Uint8Array | string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  it('reads a model and its size', async () => {
    const bytes = tinyModel();
    const { model, path, sizeBytes } = await readModel(await file('tiny.onnx', bytes));
    assert.equal(path, join(folder, 'tiny.onnx'));
    assert.equal(sizeBytes, bytes.length);
    assert.deepEqual(
      model.graph?.node.map((node) => node.opType),
      ['Gemm', 'Relu'],
    );
  });

  it('says that a file is missing, empty, a folder or a pipe', async () => {
    await assert.rejects(readModel(join(folder, 'none')), {
      code: 'FILE_UNREADABLE',
      message: /no such file/,
    });
    await assert.rejects(readModel(await file('empty', '')), {
      code: 'MODEL_FILE_INVALID',
      message: /empty \(0 bytes\)/,
    });
    await mkdir(join(folder, 'folder'));
    await assert.rejects(readModel(join(folder, 'folder')), {
      code: 'FILE_UNREADABLE',
      message: /regular file/,
    });
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await assert.rejects(readModel(join(folder, 'pipe')), {
      code: 'FILE_UNREADABLE',
      message: /regular file/,
    });
  });

  it('refuses a file of 2 GiB and says what to do', async () => {
    const path = await file('huge.onnx', '');
    await truncate(path, 2 ** 31);
    await assert.rejects(readModel(path), { code: 'MODEL_UNSUPPORTED', message: /2\.0 GiB.*external data/ });
  });

  it('says what a file is that is no model', () => {
    refused(Buffer.from('ffd8ffe000104a46494600', 'hex'), /not an ONNX file but a JPEG image/);
    refused(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), /a PNG image/);
    refused(Buffer.from('PK\x03\x04rest'), /ZIP archive/);
    refused(Buffer.from('\x1c\0\0\0TFL3\0\0\0\0', 'latin1'), /TensorFlow Lite/);
    refused(Buffer.from('\n<!DOCTYPE html><html><title>404'), /an HTML page/);
    refused(Buffer.from('{"error": "not found"}'), /a JSON file/);
    refused(Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00'), /git lfs pull/);
    refused(Buffer.from('Not Found, sorry\n'), /a text file/);
    refused(Buffer.alloc(4096), /zeros only/);
  });

  it('says that a protobuf file without a graph is no model', () => {
    const weights = tensor('w', 'FP32', [2], Float32Array.of(1, 2));
    refused(
      toBinary(ModelProtoSchema, buildModel({ inputs: [], outputs: [], nodes: [] })).subarray(0, 2),
      /no graph/,
    );
    refused(Buffer.from(weights.rawData), /not a valid ONNX file/);
  });

  it('says that a truncated file is truncated, wherever it was cut', () => {
    const bytes = slowModel();
    for (let length = 1; length < bytes.length; length++) {
      const cut = bytes.slice(0, length);
      assert.throws(
        // Cut between two fields of the outermost message, what is left is well formed: then the check finds a gap.
        () => checkModel(decodeModel('a.onnx', cut), { path: 'a.onnx' }),
        (thrown) =>
          thrown instanceof SelvageError && /truncated|no graph|no operator set/.test(thrown.message),
        `cut to ${length} bytes`,
      );
    }
  });

  it('refuses lengths, wire types, tags and texts that cannot be', () => {
    const graph = (...content: Uint8Array[]) => Buffer.concat([Buffer.from([8, 8]), field(7, ...content)]);
    decodeModel('a.onnx', graph(field(2, Buffer.from('name'))));
    refused(
      graph(field(1, Buffer.from([0x0a, 50]))),
      /more are announced than there are \(in graph\.node\.input\)/,
    );
    refused(graph(Buffer.from([0x10, 1])), /wire type 0, expected 2 \(in graph\.name\)/);
    refused(graph(Buffer.from([0x0b, 1])), /wire type 3, expected 2/);
    refused(graph(Buffer.from([0x00, 1])), /starts no field/);
    refused(graph(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0])), /starts no field/);
    refused(graph(Buffer.from([0xa0, 0x06, ...Array(11).fill(0xff)])), /has no end/);
    refused(graph(field(2, Buffer.from([0xc3, 0x28]))), /not UTF-8 \(in graph\.name\)/);
    refused(
      graph(field(5, field(4, Buffer.alloc(6)))),
      /no multiple of 4 \(in graph\.initializer\.float_data\)/,
    );
    refused(graph(field(5, field(7, Buffer.from([0x80])))), /cuts a number off/);
    decodeModel('a.onnx', graph(field(10, Buffer.from([0xc3, 0x28]))));
  });

  it('refuses small files that would fill the heap, and messages without bottom', () => {
    const nodes = Buffer.alloc(6_000_000);
    for (let at = 0; at < nodes.length; at += 2) nodes[at] = 0x0a;
    refused(field(7, nodes), /would take more than 1024 MiB .*\(in graph\.node\)/);
    refused(field(7, field(5, field(7, Buffer.alloc(40_000_000)))), /more than 1024 MiB .*int64_data/);
    let nested: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 2000; depth++) nested = field(1, field(5, field(6, nested)));
    refused(field(7, nested), /nested more than 256 deep/);
  });

  it('keeps fields of later ONNX versions, and an absent field absent', () => {
    const known = tinyModel();
    const bytes = Buffer.concat([known, field(1000, Buffer.from('later')), varint(1001 * 8), varint(7)]);
    assert.deepEqual(Buffer.from(encodeModel(decodeModel('a.onnx', bytes))), bytes);
    assert.deepEqual(Buffer.from(encodeModel(decodeModel('a.onnx', known))), Buffer.from(known));
  });

  it('does not copy tensor data', () => {
    const bytes = tinyModel();
    const weight = decodeModel('a.onnx', bytes).graph?.initializer[0];
    assert.equal(weight?.rawData.buffer, bytes.buffer);
  });

  it('answers mutated files with a model or a SelvageError, never otherwise', () => {
    const random = generator(7);
    let survived = 0;
    for (const original of [tinyModel(), slowModel().slice(0, 700), slowModel()]) {
      for (let round = 0; round < 3000; round++) {
        const bytes = original.slice();
        for (let change = 0; change <= random() * 4; change++) {
          bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
        }
        try {
          const model = decodeModel('a.onnx', bytes);
          encodeModel(model);
          checkModel(model, { path: 'a.onnx' });
          survived++;
        } catch (thrown) {
          if (!(thrown instanceof SelvageError)) throw thrown;
        }
      }
    }
    assert.ok(survived > 0);
  });
});

/** Numbers from 0 to 1, the same each time (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
