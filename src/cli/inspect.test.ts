import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Command } from 'commander';
import { tinyModel } from '../../test/models.ts';
import { buildModel, tensor } from '../graph/build-model.ts';
import { writeModel } from '../graph/write-model.ts';
import { registerInspect } from './inspect.ts';

describe('selvage inspect', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selvage-inspect-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function inspect(context: TestContext, ...args: string[]): Promise<string> {
    const written: string[] = [];
    const original = process.stdout.write.bind(process.stdout);
    context.mock.method(process.stdout, 'write', (chunk: string | Uint8Array) => {
      // The test runner reports in V8's binary form over the same stream.
      return typeof chunk === 'string' ? written.push(chunk) > 0 : original(chunk);
    });
    const program = new Command();
    registerInspect(program);
    try {
      await program.parseAsync(['node', 'selvage', 'inspect', ...args]);
    } finally {
      context.mock.restoreAll();
    }
    return written.join('');
  }

  it('prints a table for people', async (context) => {
    const path = join(folder, 'tiny.onnx');
    await writeFile(path, tinyModel());
    const lines = (await inspect(context, path)).split('\n');
    assert.match(lines[0] ?? '', /tiny\.onnx: \d+ bytes, IR version 8, ai\.onnx 17, made by selvage$/);
    assert.deepEqual(lines.slice(1), [
      '2 nodes, 15 parameters in 60 bytes',
      '',
      'INPUT  DATATYPE  SHAPE',
      'input  FP32      batch × 4',
      '',
      'OUTPUT  DATATYPE  SHAPE',
      'output  FP32      batch × 3',
      '',
      'OPERATOR  NODES',
      'Gemm          1',
      'Relu          1',
      '',
    ]);
  });

  it('prints JSON', async (context) => {
    const path = join(folder, 'json.onnx');
    await writeFile(path, tinyModel());
    const summary = JSON.parse(await inspect(context, path, '--json'));
    assert.deepEqual(summary.inputs, [{ name: 'input', datatype: 'FP32', dims: ['batch', 4] }]);
    assert.equal(summary.parameters.count, 15);
  });

  it('does not let names from the file control the terminal', async (context) => {
    const name = '\u001b[31mred\n';
    const path = join(folder, 'escape.onnx');
    const value = { name, datatype: 'FP32', dims: [name] } as const;
    await writeModel(path, buildModel({ inputs: [value], outputs: [value], nodes: [], initializers: [] }));
    assert.ok(!(await inspect(context, path)).includes('\u001b'));
  });

  it('fails with the reason where the file cannot be used', async (context) => {
    const path = join(folder, 'short.onnx');
    const weights = tensor('w', 'FP32', [9], Float32Array.of(1));
    const output = { name: 'w', datatype: 'FP32' } as const;
    await writeModel(path, buildModel({ inputs: [], outputs: [output], nodes: [], initializers: [weights] }));
    await assert.rejects(inspect(context, path), {
      code: 'MODEL_FILE_INVALID',
      message: /short\.onnx: tensor 'w'/,
    });
    await assert.rejects(inspect(context, join(folder, 'none')), { code: 'FILE_UNREADABLE' });
  });
});
