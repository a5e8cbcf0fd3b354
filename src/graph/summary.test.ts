import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { body, buildModel, tensor, tensorValue } from './build-model.ts';
import { type TypeProto, TypeProtoSchema } from './gen/onnx_pb.ts';
import { summarize } from './summary.ts';

const BRANCH = body({
  inputs: [],
  outputs: [{ name: 'h', datatype: 'FP32' }],
  nodes: [
    {
      op: 'Constant',
      inputs: [],
      outputs: ['h'],
      attributes: { value: tensorValue(tensor('c', 'INT8', [5], new Int8Array(5))) },
    },
  ],
});

describe('summarize', () => {
  it('describes a model with bodies, defaults, metadata and several operator sets', () => {
    const model = buildModel({
      name: 'main',
      opset: 18,
      opsets: { 'com.microsoft': 1 },
      inputs: [
        { name: 'flag', datatype: 'BOOL', dims: [] },
        { name: 'x', datatype: 'BYTES', dims: ['batch', null, -1, 3] },
        { name: 'w', datatype: 'FP32', dims: [2] },
      ],
      outputs: [{ name: 'y', datatype: 'FP16' }],
      initializers: [tensor('w', 'FP32', [2], Float32Array.of(1, 2))],
      nodes: [
        {
          op: 'If',
          inputs: ['flag'],
          outputs: ['h'],
          attributes: { then_branch: BRANCH, else_branch: BRANCH },
        },
        { op: 'Gelu', domain: 'com.microsoft', inputs: ['h'], outputs: ['y'] },
      ],
    });
    model.metadataProps = [{ $typeName: 'onnx.StringStringEntryProto', key: '__proto__', value: 'plain' }];
    const { metadata, ...rest } = summarize({ path: '/m.onnx', sizeBytes: 9, model });
    assert.deepEqual(Object.entries(metadata), [['__proto__', 'plain']]);
    assert.deepEqual(rest, {
      path: '/m.onnx',
      sizeBytes: 9,
      irVersion: 8,
      opsets: { 'ai.onnx': 18, 'com.microsoft': 1 },
      producer: 'selvage',
      graph: 'main',
      inputs: [
        { name: 'flag', datatype: 'BOOL', dims: [] },
        { name: 'x', datatype: 'BYTES', dims: ['batch', null, null, 3] },
      ],
      outputs: [{ name: 'y', datatype: 'FP16', dims: undefined }],
      nodeCount: 4,
      operators: [
        { operator: 'Constant', count: 2 },
        { operator: 'If', count: 1 },
        { operator: 'com.microsoft:Gelu', count: 1 },
      ],
      parameters: { count: 12, sizeBytes: 18 },
      externalFiles: [],
    });
  });

  it('names types that the protocol has none for', () => {
    const float = create(TypeProtoSchema, { value: { case: 'tensorType', value: { elemType: 1 } } });
    const labels: [TypeProto, string][] = [
      [create(TypeProtoSchema, { value: { case: 'tensorType', value: { elemType: 16 } } }), 'BFLOAT16'],
      [create(TypeProtoSchema, { value: { case: 'tensorType', value: { elemType: 77 } } }), 'type 77'],
      [
        create(TypeProtoSchema, { value: { case: 'sequenceType', value: { elemType: float } } }),
        'sequence(FP32)',
      ],
      [
        create(TypeProtoSchema, { value: { case: 'mapType', value: { keyType: 7, valueType: float } } }),
        'map(INT64, FP32)',
      ],
      [create(TypeProtoSchema, { value: { case: 'optionalType', value: {} } }), 'optional(unknown)'],
    ];
    for (const [type, label] of labels) {
      const model = buildModel({ inputs: [{ name: 'x', datatype: 'FP32' }], outputs: [], nodes: [] });
      const input = model.graph?.input[0];
      if (input !== undefined) input.type = type;
      assert.equal(summarize({ path: '', sizeBytes: 0, model }).inputs[0]?.datatype, label);
    }
  });
});
