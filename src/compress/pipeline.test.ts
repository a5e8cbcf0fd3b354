import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compressModel } from '../../test/compress-models.ts';
import { withCode } from '../../test/contract/task-contract.ts';
import type { Pass } from './pass.ts';
import { fp16 } from './passes/fp16.ts';
import { runPasses } from './pipeline.ts';
import { recipePasses } from './recipes.ts';

const NOTHING: Pass = {
  name: 'nothing',
  needs: [],
  changes: 'nothing',
  holds: [],
  edit: () => ({ handled: [], skipped: [] }),
};

describe('runPasses', () => {
  const { model } = compressModel('perceptron');
  const run = (pass: Partial<Pass>) => runPasses(model, [{ ...NOTHING, ...pass }], { path: 'm.onnx' });

  it('refuses a model that lacks what a pass needs, and says what', () => {
    const old = compressModel('old-cnn').model;
    assert.throws(
      () => runPasses(old, [fp16()], { path: 'old.onnx' }),
      withCode(
        'MODEL_UNSUPPORTED',
        "old.onnx: fp16 needs a model in which no initializer is listed as an input: 'w1' is",
      ),
    );
  });

  it('reports what each pass did', () => {
    const { reports } = runPasses(model, recipePasses({ method: 'weights-int4' }), { path: 'm.onnx' });
    assert.deepEqual(
      reports.map(({ pass, handled }) => [pass, handled.length]),
      [
        ['clean-inputs', 0],
        ['weights-int4', 3],
      ],
    );
    assert.deepEqual(reports[1]?.skipped, [
      { node: 'relu', operator: 'Relu', reason: 'the runtime has no 4-bit weights for Relu' },
    ]);
  });

  it('finds a pass at fault that breaks the model', () => {
    const edit: Pass['edit'] = (graph) => {
      for (const node of graph.nodes) graph.setInput(node, 0, 'nobody');
      return { handled: [], skipped: [] };
    };
    assert.throws(() => run({ edit }), withCode('INTERNAL', 'pass nothing made a broken model'));
  });

  it('finds a pass at fault that changes inputs or outputs', () => {
    const edit: Pass['edit'] = (graph) => {
      graph.filterInputs(() => false);
      for (const node of graph.nodes) if (node.name === 'first') graph.setInput(node, 0, 'w1');
      return { handled: [], skipped: [] };
    };
    assert.throws(() => run({ edit }), withCode('INTERNAL', 'changed the inputs or outputs'));
  });

  it('finds a pass at fault that does not keep its promise', () => {
    const holds = [{ text: 'all is well', problem: () => 'it is not' }];
    assert.throws(
      () => run({ holds }),
      withCode('INTERNAL', 'did not see to it that all is well: it is not'),
    );
  });
});
