import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SelvageError } from '../lib/errors.ts';
import type { ModelStatus } from '../serving/service.ts';
import {
  decodeRepositoryIndexRequest,
  modelConfig,
  modelHealth,
  modelMetadata,
  modelStatistics,
  repositoryIndex,
  serverHealth,
  serverMetadata,
} from './oip-metadata.ts';

const none = { count: 0, ns: 0 };
const model: ModelStatus = {
  name: 'clothes',
  version: '1',
  state: 'ready',
  reason: '',
  variant: 'fp32',
  signature: {
    inputs: [
      { name: 'x', datatype: 'FP32', shape: [-1, 3, 28, 28] },
      { name: 'text', datatype: 'BYTES', shape: [-1] },
    ],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 10] }],
  },
  task: undefined,
  maxBatchSize: 8,
  labels: undefined,
  pid: 1,
  rssBytes: 4096,
  restarts: 0,
  queued: 0,
  inFlight: 0,
  statistics: {
    lastInferenceMs: 1_700_000_000_000.5,
    inferenceCount: 9,
    executionCount: 5,
    success: { count: 9, ns: 900.4 },
    fail: none,
    queue: { count: 9, ns: 10 },
    computeInput: { count: 9, ns: 20 },
    computeInfer: { count: 5, ns: 800 },
    computeOutput: { count: 9, ns: 30 },
  },
};

describe('server', () => {
  it('names itself and its extensions', () => {
    assert.deepEqual(serverMetadata('0.1.0', false), {
      name: 'selvage',
      version: '0.1.0',
      extensions: [
        'binary_tensor_data',
        'classification',
        'model_configuration',
        'model_repository',
        'parameters',
        'schedule_policy',
        'statistics',
      ],
    });
  });

  it('says live and ready in one', () => {
    assert.deepEqual(serverHealth(false), { live: true, ready: false });
    assert.deepEqual(modelHealth(model), { name: 'clothes', ready: true });
    assert.deepEqual(modelHealth({ ...model, state: 'loading' }), { name: 'clothes', ready: false });
  });
});

describe('modelMetadata', () => {
  it('gives full shapes with the batch as -1', () => {
    assert.deepEqual(modelMetadata(model), {
      name: 'clothes',
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [-1, 3, 28, 28] },
        { name: 'text', datatype: 'BYTES', shape: [-1] },
      ],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 10] }],
    });
  });

  it('has no tensors while the file was not read', () => {
    const metadata = modelMetadata({ ...model, signature: undefined });
    assert.deepEqual([metadata['inputs'], metadata['outputs']], [[], []]);
  });
});

describe('modelConfig', () => {
  it('leaves the batch out of the dimensions of a batched model', () => {
    const config = modelConfig(model);
    assert.equal(config['max_batch_size'], 8);
    assert.deepEqual(
      (config['input'] as Array<Record<string, unknown>>).map(({ name, data_type, dims }) => [
        name,
        data_type,
        dims,
      ]),
      [
        ['x', 'TYPE_FP32', [3, 28, 28]],
        ['text', 'TYPE_STRING', []],
      ],
    );
    assert.deepEqual((config['output'] as Array<Record<string, unknown>>)[0]?.['dims'], [10]);
    assert.deepEqual(config['dynamic_batching'], { max_queue_delay_microseconds: 0 });
    assert.deepEqual(config['model_transaction_policy'], { decoupled: false });
    assert.equal(config['platform'], 'onnxruntime_onnx');
    assert.equal(config['backend'], 'onnxruntime');
  });

  it('gives full dimensions and batch size 0 to a model that is not batched, or cannot be', () => {
    const fixed = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3] }], outputs: [] } as const;
    for (const unbatched of [
      { ...model, maxBatchSize: 1 },
      { ...model, signature: fixed },
    ]) {
      const config = modelConfig(unbatched);
      assert.equal(config['max_batch_size'], 0);
      assert.ok(!('dynamic_batching' in config));
      const [input] = config['input'] as Array<Record<string, unknown>>;
      assert.deepEqual(input?.['dims'], unbatched.signature?.inputs[0]?.shape);
    }
  });
});

describe('modelStatistics', () => {
  it('has every field of the statistics extension, as integers', () => {
    assert.deepEqual(modelStatistics([model]), {
      model_stats: [
        {
          name: 'clothes',
          version: '1',
          last_inference: 1_700_000_000_001,
          inference_count: 9,
          execution_count: 5,
          inference_stats: {
            success: { count: 9, ns: 900 },
            fail: none,
            queue: { count: 9, ns: 10 },
            compute_input: { count: 9, ns: 20 },
            compute_infer: { count: 5, ns: 800 },
            compute_output: { count: 9, ns: 30 },
            cache_hit: none,
            cache_miss: none,
          },
          batch_stats: [],
          memory_usage: [{ type: 'CPU', id: 0, byte_size: 4096 }],
        },
      ],
    });
  });
});

describe('repositoryIndex', () => {
  const models: ModelStatus[] = [
    model,
    { ...model, name: 'b', state: 'refused', reason: 'no such file' },
    { ...model, name: 'c', state: 'loading', reason: 'warming up' },
  ];

  it('lists every model with Triton’s states', () => {
    assert.deepEqual(repositoryIndex(models, false), [
      { name: 'clothes', version: '1', state: 'READY', reason: '' },
      { name: 'b', version: '1', state: 'UNAVAILABLE', reason: 'no such file' },
      { name: 'c', version: '1', state: 'LOADING', reason: 'warming up' },
    ]);
  });

  it('lists the ready ones where that is asked', () => {
    assert.deepEqual(
      repositoryIndex(models, true).map(({ name }) => name),
      ['clothes'],
    );
  });

  it('reads what is asked', () => {
    assert.equal(decodeRepositoryIndexRequest(Buffer.from('')), false);
    assert.equal(decodeRepositoryIndexRequest(Buffer.from('{}')), false);
    assert.equal(decodeRepositoryIndexRequest(Buffer.from('{"ready":true}')), true);
    for (const wrong of ['[]', '{"ready":1}', '{', 'null']) {
      assert.throws(
        () => decodeRepositoryIndexRequest(Buffer.from(wrong)),
        (error) => error instanceof SelvageError && error.code === 'REQUEST_MALFORMED',
      );
    }
  });
});
