import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { buildModel } from './build-model.ts';
import { checkModel } from './check-model.ts';
import { externalFiles } from './external-data.ts';
import { type ModelProto, TensorProtoSchema } from './gen/onnx_pb.ts';
import { summarize } from './summary.ts';

/** A model whose weights, 16 bytes, are in another file. */
function externalModel(entries: Record<string, string>, dataType = 1): ModelProto {
  const weights = create(TensorProtoSchema, {
    name: 'w',
    dataType,
    dims: [4n],
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  });
  return buildModel({
    inputs: [{ name: 'x', datatype: 'FP32', dims: [4] }],
    outputs: [{ name: 'y', datatype: 'FP32', dims: [4] }],
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
    initializers: [weights],
  });
}

describe('external data', () => {
  let root: string;
  let path: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'selvage-external-'));
    const folder = join(root, 'model');
    path = join(folder, 'a.onnx');
    await mkdir(join(folder, 'parts', 'directory'), { recursive: true });
    await writeFile(join(root, 'secret'), Buffer.alloc(64));
    await writeFile(join(folder, 'weights.bin'), Buffer.alloc(16));
    await writeFile(join(folder, 'parts', 'more.bin'), Buffer.alloc(64));
    await symlink('parts/more.bin', join(folder, 'inside'));
    await symlink('../secret', join(folder, 'outside'));
    await symlink('..', join(folder, 'parts', 'up'));
    await symlink('/', join(folder, 'root'));
    await symlink('loop', join(folder, 'loop'));
    await link(join(folder, 'weights.bin'), join(folder, 'linked'));
    await mkdir(join(folder, '*', '_ORT_MEM_ADDR_'), { recursive: true });
    await writeFile(join(folder, '*', '_ORT_MEM_ADDR_', '*'), Buffer.alloc(64));
  });
  after(() => rm(root, { recursive: true, force: true }));

  const refused = (entries: Record<string, string>, message: RegExp, dataType?: number) =>
    assert.throws(() => checkModel(externalModel(entries, dataType), { path }), {
      code: 'MODEL_FILE_INVALID',
      message,
    });
  const accepted = (entries: Record<string, string>) => checkModel(externalModel(entries), { path });

  it('may lie in a regular file below the folder of the model', () => {
    accepted({ location: 'weights.bin' });
    accepted({ location: './weights.bin', offset: '0', length: '16', checksum: 'any' });
    accepted({ location: 'parts/more.bin', offset: '48' });
    accepted({ location: 'inside', offset: '4', length: '16' });
    accepted({ location: 'linked' });
    accepted({ location: 'parts/up/weights.bin' });
  });

  it('may not lie anywhere else', () => {
    refused({ location: '../secret' }, /tensor 'w' .* '\.\.\/secret', which leads out of the model's folder/);
    refused({ location: 'parts/../../secret' }, /leads out/);
    refused({ location: 'parts\\..\\..\\secret' }, /leads out/);
    refused({ location: join(root, 'secret') }, /an absolute path/);
    refused({ location: 'C:\\weights.bin' }, /an absolute path/);
    refused({ location: 'outside' }, /'outside' is a link to a file outside the model's folder/);
    refused({ location: 'root/etc/passwd' }, /link to a file outside/);
    refused({ location: 'loop' }, /'loop' cannot be read: ELOOP/);
    refused({ location: 'parts/directory' }, /not a regular file/);
    refused({ location: 'parts/none.bin' }, /'parts\/none\.bin' is missing/);
    refused({ location: 'weights.bin/x' }, /is missing/);
    refused({ location: '.' }, /outside the model's folder|not a regular file/);
    refused({ location: 'weights.bin\0.txt' }, /NUL/);
    refused({ location: '*/_ORT_MEM_ADDR_/*' }, /an address in memory/);
    refused({ location: '' }, /names no file/);
    refused({}, /names no file/);
  });

  it('must be as long as the tensor and within the file', () => {
    refused(
      { location: 'weights.bin', offset: '4' },
      /needs bytes up to 20 of external data file 'weights\.bin', which has 16/,
    );
    refused(
      { location: 'weights.bin', length: '12' },
      /has 12 bytes of external data where its shape needs 16/,
    );
    for (const wrong of ['-4', '1.5', '', '0x10', '1e3', '99999999999999999999']) {
      refused({ location: 'parts/more.bin', offset: wrong }, /not a whole number/);
      refused({ location: 'parts/more.bin', length: wrong }, /not a whole number/);
    }
    refused({ location: 'parts/more.bin', offset: '9007199254740991' }, /needs bytes up to/);
    refused({ location: 'weights.bin' }, /strings as external data/, 8);
  });

  it('is listed once per file, with its size', () => {
    const model = externalModel({ location: 'weights.bin' });
    const second = externalModel({ location: 'parts/more.bin' }).graph?.initializer ?? [];
    model.graph?.initializer.push(...second, ...second);
    assert.deepEqual(externalFiles(model), ['weights.bin', 'parts/more.bin']);
    model.graph?.initializer.push(...(externalModel({ location: 'outside' }).graph?.initializer ?? []));
    assert.deepEqual(summarize({ path, sizeBytes: 0, model }).externalFiles, [
      { location: 'weights.bin', sizeBytes: 16 },
      { location: 'parts/more.bin', sizeBytes: 64 },
      { location: 'outside', sizeBytes: undefined },
    ]);
  });
});
