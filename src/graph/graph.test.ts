import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compressModel } from '../../test/compress-models.ts';
import { body, buildModel, type NodeSpec, tensor } from './build-model.ts';
import { checkModel } from './check-model.ts';
import type { ModelProto } from './gen/onnx_pb.ts';
import { Graph } from './graph.ts';
import { encodeModel } from './write-model.ts';

describe('Graph', () => {
  it('gives back what it was given, and never changes it', () => {
    const { model } = compressModel('residual-cnn');
    const before = encodeModel(model);
    const graph = new Graph(model);
    assert.deepEqual(encodeModel(graph.toModel()), before);
    for (const node of graph.nodes) graph.setInput(node, 0, 'input');
    graph.setOpset('', 20);
    graph.requireOpset('com.microsoft', 1);
    assert.deepEqual(encodeModel(model), before);
  });

  it('knows who gives and who takes each value, through every edit', () => {
    const graph = new Graph(chain());
    const [first, second] = graph.nodes;
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(graph.producer('a'), first);
    assert.deepEqual(graph.consumers('a'), [second]);
    assert.equal(graph.soleConsumer('a'), second);
    assert.equal(graph.soleConsumer('y'), undefined, 'an output of the model is pinned');
    const added = graph.add({ op: 'Neg', inputs: ['a'], outputs: [graph.fresh('a')] });
    assert.deepEqual(added.output, ['a_2']);
    assert.deepEqual(graph.consumers('a'), [second, added]);
    graph.setInput(second, 0, 'a_2');
    assert.deepEqual(graph.consumers('a'), [added]);
    assert.deepEqual(graph.consumers('a_2'), [second]);
    graph.remove(added);
    assert.deepEqual([graph.producer('a_2'), graph.consumers('a')], [undefined, []]);
  });

  it('puts nodes into topological order, the others staying where they were', () => {
    const graph = new Graph(chain());
    const [first, second] = graph.nodes;
    assert.ok(first !== undefined && second !== undefined);
    graph.setInput(second, 0, 'late');
    graph.add({ op: 'Abs', name: 'late', inputs: ['a'], outputs: ['late'] });
    assert.deepEqual(
      graph.toModel().graph?.node.map(({ name }) => name),
      ['first', 'late', 'second'],
    );
  });

  it('orders long chains that lie the wrong way round', () => {
    const length = 50_000;
    const nodes = Array.from({ length }, (_, index) => neg(`v${index}`, `v${index + 1}`));
    const graph = new Graph(build(nodes.toReversed(), 'v0', `v${length}`));
    const order = graph.sorted();
    assert.deepEqual(
      [order[0]?.input[0], order.at(-1)?.output[0], order.length],
      ['v0', `v${length}`, length],
    );
  });

  it('keeps what bodies take, and does not hide it with new names', () => {
    const inner = body({
      inputs: [],
      outputs: [{ name: 'inner', datatype: 'FP32' }],
      nodes: [{ op: 'Mul', inputs: ['a', 'w'], outputs: ['inner'] }],
    });
    const attributes = { then_branch: inner, else_branch: inner };
    const model = build([neg('x', 'a'), { op: 'If', inputs: ['c'], outputs: ['y'], attributes }], 'x', 'y', [
      tensor('w', 'FP32', [1], Float32Array.of(2)),
      tensor('c', 'BOOL', [], Uint8Array.of(1)),
      tensor('unused', 'FP32', [1], Float32Array.of(2)),
    ]);
    const graph = new Graph(model);
    assert.ok(graph.isPinned('a') && graph.isPinned('w'));
    assert.equal(graph.fresh('inner'), 'inner_2');
    const result = graph.toModel();
    checkModel(result, { path: 'm' });
    assert.deepEqual(
      result.graph?.initializer.map(({ name }) => name),
      ['w', 'c'],
    );
    assert.equal(result.graph?.node.length, 2);
  });

  it('removes chains of dead nodes with their initializers and value descriptions', () => {
    const model = build([neg('x', 'y'), neg('w', 'd1'), neg('d1', 'd2')], 'x', 'y', [
      tensor('w', 'FP32', [1], Float32Array.of(2)),
    ]);
    const { graph } = new Graph(model).toModel();
    assert.deepEqual([graph?.node.length, graph?.initializer.length], [1, 0]);
  });

  it('reads constants however they are stored', () => {
    const graph = new Graph(compressModel('constant-nodes').model);
    assert.equal(graph.floats('w2')?.length, 3000);
    assert.deepEqual(graph.integers('shape'), [2, 600]);
    assert.equal(graph.floats('shape'), undefined);
    const raw = tensor('w', 'FP32', [2], Float32Array.of(1.5, -2));
    // At an odd address, as in a file's buffer.
    const shifted = new Uint8Array(9);
    shifted.set(raw.rawData, 1);
    raw.rawData = shifted.subarray(1);
    const typed = tensor('v', 'FP32', [2], new Float32Array(0));
    typed.floatData = [1.5, -2];
    const stored = new Graph(build([neg('x', 'y')], 'x', 'y', [raw, typed]));
    assert.deepEqual(stored.floats('w'), stored.floats('v'));
    assert.deepEqual(stored.floats('w'), Float32Array.of(1.5, -2));
  });
});

function chain(): ModelProto {
  return build(
    [
      { ...neg('x', 'a'), name: 'first' },
      { ...neg('a', 'y'), name: 'second' },
    ],
    'x',
    'y',
  );
}

function neg(input: string, output: string): NodeSpec {
  return { op: 'Neg', inputs: [input], outputs: [output] };
}

function build(
  nodes: readonly NodeSpec[],
  input: string,
  output: string,
  initializers: Parameters<typeof buildModel>[0]['initializers'] = [],
): ModelProto {
  return buildModel({
    inputs: [{ name: input, datatype: 'FP32', dims: [1] }],
    outputs: [{ name: output, datatype: 'FP32', dims: [1] }],
    nodes,
    initializers,
  });
}
