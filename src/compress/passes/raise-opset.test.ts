import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compressModel } from '../../../test/compress-models.ts';
import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { buildModel } from '../../graph/build-model.ts';
import { Graph } from '../../graph/graph.ts';
import { runPasses } from '../pipeline.ts';
import { cleanInputs } from './clean-inputs.ts';
import { raiseOpset } from './raise-opset.ts';

testPassContract('raise-opset', { passes: () => [raiseOpset()], snrDb: 120, handles: {} });

describe('raise-opset', () => {
  it('moves what were attributes of Clip, Pad and Slice to inputs', () => {
    const { model, reports } = runPasses(compressModel('old-cnn').model, [cleanInputs(), raiseOpset()], {
      path: 'm',
    });
    const graph = new Graph(model);
    assert.equal(graph.opset(), 12);
    assert.deepEqual(reports[1]?.handled.length, 4);
    const inputsOf = (operator: string) => graph.nodes.find(({ opType }) => opType === operator)?.input ?? [];
    assert.deepEqual(
      inputsOf('Clip')
        .slice(1)
        .map((name) => graph.floats(name)?.[0]),
      [0, 6],
    );
    assert.deepEqual(
      inputsOf('Pad')
        .slice(1)
        .map((name) => graph.integers(name)),
      [[0, 0, 1, 1, 0, 0, 1, 1]],
    );
    assert.deepEqual(
      inputsOf('Slice')
        .slice(1)
        .map((name) => graph.integers(name)),
      [[0], [4], [1]],
    );
  });

  it('leaves a model as it is where a node cannot be converted, and names the node', () => {
    const value = (name: string) => ({ name, datatype: 'FP32', dims: ['n'] }) as const;
    const model = buildModel({
      opset: 10,
      inputs: [value('x')],
      outputs: [value('y')],
      nodes: [{ op: 'Dropout', name: 'drop', inputs: ['x'], outputs: ['y'] }],
    });
    const result = runPasses(model, [cleanInputs(), raiseOpset()], { path: 'm' });
    assert.equal(new Graph(result.model).opset(), 10);
    assert.deepEqual(result.reports[1]?.skipped, [
      { node: 'drop', operator: 'Dropout', reason: 'Dropout changed in opset 12, so opset 10 stays' },
    ]);
  });
});
