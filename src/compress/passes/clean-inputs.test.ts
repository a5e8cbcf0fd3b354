import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compressModel } from '../../../test/compress-models.ts';
import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { runPasses } from '../pipeline.ts';
import { cleanInputs } from './clean-inputs.ts';

testPassContract('clean-inputs', { passes: () => [cleanInputs()], snrDb: 120, handles: {} });

describe('clean-inputs', () => {
  it('takes initializers off the inputs, which needs IR version 4', () => {
    const { model } = runPasses(compressModel('old-cnn').model, [cleanInputs()], { path: 'm' });
    assert.deepEqual(
      model.graph?.input.map(({ name }) => name),
      ['input'],
    );
    assert.equal(model.irVersion, 4n);
  });

  it('makes Constant nodes initializers, names nodes, drops unused operator sets and dead nodes', () => {
    const { model } = runPasses(compressModel('constant-nodes').model, [cleanInputs()], { path: 'm' });
    assert.deepEqual(
      model.graph?.node.map(({ name }) => name),
      ['Conv', 'Relu', 'Reshape', 'MatMul'],
    );
    assert.deepEqual(
      model.graph?.initializer.map(({ name }) => name),
      ['w1', 'w2', 'shape'],
    );
    assert.deepEqual(
      model.opsetImport.map(({ domain }) => domain),
      [''],
    );
  });
});
