import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { buildModel, tensor } from './build-model.ts';
import { externalFiles } from './external-data.ts';
import type { ModelProto } from './gen/onnx_pb.ts';
import { externalReader, inlineExternalData } from './inline-external-data.ts';
import { floatsOf } from './tensor-data.ts';

describe('inlineExternalData', () => {
  it('takes tensors in from their place in the file, leaving the given model as it was', async (t) => {
    const path = join(temporaryDirectory(t), 'm.onnx');
    await writeFile(join(path, '../w.bin'), Float32Array.of(0, 1, 2, 3));
    const model = external('w.bin', 8);
    const result = inlineExternalData(model, externalReader(path));
    const [weights] = result.graph?.initializer ?? [];
    assert.ok(weights !== undefined);
    assert.deepEqual(floatsOf(weights), Float32Array.of(2, 3));
    assert.deepEqual([externalFiles(result), externalFiles(model)], [[], ['w.bin']]);
  });

  it('says which file is missing or too short', async (t) => {
    const path = join(temporaryDirectory(t), 'm.onnx');
    const inline = () => inlineExternalData(external('w.bin', 8), externalReader(path), path);
    assert.throws(inline, { code: 'FILE_UNREADABLE', message: /w\.bin cannot be read: .*no such file/ });
    await writeFile(join(path, '../w.bin'), Float32Array.of(0, 1));
    assert.throws(inline, {
      code: 'FILE_UNREADABLE',
      message: /w\.bin cannot be read: it ends before byte 16/,
    });
  });

  it('refuses a file outside the folder', () => {
    const inline = () => inlineExternalData(external('../w.bin', 0), externalReader('m.onnx'), 'm.onnx');
    assert.throws(inline, { code: 'MODEL_FILE_INVALID', message: /leads out of the model's folder/ });
  });
});

/** A model whose only tensor, two floats, lies in a file from an offset on. */
function external(location: string, offset: number): ModelProto {
  const weights = tensor('w', 'FP32', [2], new Float32Array(0));
  weights.dataLocation = 1;
  weights.externalData = [
    { $typeName: 'onnx.StringStringEntryProto', key: 'location', value: location },
    { $typeName: 'onnx.StringStringEntryProto', key: 'offset', value: String(offset) },
  ];
  const output = { name: 'w', datatype: 'FP32', dims: [2] } as const;
  return buildModel({ inputs: [], outputs: [output], nodes: [], initializers: [weights] });
}
