import { type JsonObject, parseJsonObject } from '../lib/json-document.ts';
import type { DurationStatistic, ModelState, ModelStatus } from '../serving/service.ts';
import type { Datatype } from '../tensor/datatype.ts';
import type { ModelSignature } from '../tensor/infer.ts';
import type { TensorSpec } from '../tensor/tensor.ts';
import { booleanParameter } from './parameters.ts';

/** The protocol's answers about the server and its models, as values for `JSON.stringify`. */

/** Extensions of the protocol that the server has, by the names Triton gives them. */
const EXTENSIONS: readonly string[] = [
  'binary_tensor_data',
  'classification',
  'model_configuration',
  'model_repository',
  'parameters',
  'schedule_policy',
  'statistics',
];

/** What Triton calls ONNX models; clients look for these names. */
const PLATFORM = 'onnxruntime_onnx';
const BACKEND = 'onnxruntime';

const NO_SIGNATURE: ModelSignature = { inputs: [], outputs: [] };

/** The answer to `GET /v2`. */
export function serverMetadata(version: string, sharedMemory: boolean): JsonObject {
  const extensions = sharedMemory ? [...EXTENSIONS, 'system_shared_memory'] : EXTENSIONS;
  return { name: 'selvage', version, extensions };
}

/** The answer to `GET /v2/health/live` and `/ready`: both keys, as clients differ in which they read. */
export function serverHealth(ready: boolean): JsonObject {
  return { live: true, ready };
}

/** The answer to `GET /v2/models/{m}/ready`. */
export function modelHealth(model: ModelStatus): JsonObject {
  return { name: model.name, ready: model.state === 'ready' };
}

/** The answer to `GET /v2/models/{m}`: full shapes, a free dimension (the batch among them) as -1. */
export function modelMetadata(model: ModelStatus): JsonObject {
  const { inputs, outputs } = model.signature ?? NO_SIGNATURE;
  return {
    name: model.name,
    versions: [model.version],
    platform: PLATFORM,
    inputs: inputs.map(tensorMetadata),
    outputs: outputs.map(tensorMetadata),
  };
}

/**
 * The answer to `GET /v2/models/{m}/config`, in the JSON form of Triton's ModelConfig message. Where the model is
 * batched, `max_batch_size` is its largest batch and the dimensions leave the batch out; otherwise
 * `max_batch_size` is 0 and the dimensions are the full shapes.
 */
export function modelConfig(model: ModelStatus): JsonObject {
  const signature = model.signature ?? NO_SIGNATURE;
  const batched = model.maxBatchSize > 1 && hasBatchDimension(signature);
  return {
    name: model.name,
    platform: PLATFORM,
    backend: BACKEND,
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: batched ? model.maxBatchSize : 0,
    input: signature.inputs.map((input) => ({
      ...tensorConfig(input, batched),
      format: 'FORMAT_NONE',
      is_shape_tensor: false,
      allow_ragged_batch: false,
      optional: false,
    })),
    output: signature.outputs.map((output) => ({
      ...tensorConfig(output, batched),
      label_filename: '',
      is_shape_tensor: false,
    })),
    instance_group: [{ name: model.name, kind: 'KIND_CPU', count: 1, gpus: [], profile: [] }],
    default_model_filename: 'model.onnx',
    model_transaction_policy: { decoupled: false },
    ...(batched ? { dynamic_batching: { max_queue_delay_microseconds: 0 } } : {}),
  };
}

/** The answer to `GET /v2/models/{m}/stats` and `/v2/models/stats`. */
export function modelStatistics(models: readonly ModelStatus[]): JsonObject {
  return { model_stats: models.map(oneModelStatistics) };
}

/**
 * The answer to `POST /v2/repository/index`: every model of the configuration, or only those that are ready, with
 * Triton's names for the states.
 */
export function repositoryIndex(models: readonly ModelStatus[], readyOnly: boolean): readonly JsonObject[] {
  return models
    .filter((model) => !readyOnly || model.state === 'ready')
    .map(({ name, version, state, reason }) => ({ name, version, state: REPOSITORY_STATES[state], reason }));
}

/** Whether a repository index request wants ready models only; an empty body wants all. Throws REQUEST_MALFORMED. */
export function decodeRepositoryIndexRequest(body: Buffer): boolean {
  if (body.byteLength === 0) return false;
  return booleanParameter(parseJsonObject(body), 'ready', 'request body', false);
}

const REPOSITORY_STATES: Readonly<Record<ModelState, string>> = {
  ready: 'READY',
  importing: 'LOADING',
  loading: 'LOADING',
  unloaded: 'UNAVAILABLE',
  unavailable: 'UNAVAILABLE',
  refused: 'UNAVAILABLE',
};

function tensorMetadata({ name, datatype, shape }: TensorSpec): JsonObject {
  return { name, datatype, shape };
}

function tensorConfig({ name, datatype, shape }: TensorSpec, batched: boolean): JsonObject {
  return { name, data_type: configType(datatype), dims: batched ? shape.slice(1) : shape };
}

/** ModelConfig calls BYTES a string; the other names are the protocol's. */
function configType(datatype: Datatype): string {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`;
}

/** A model can be batched where the first dimension of every input and output is free. */
function hasBatchDimension(signature: ModelSignature): boolean {
  return [...signature.inputs, ...signature.outputs].every(({ shape }) => (shape[0] ?? 0) < 0);
}

function oneModelStatistics({ name, version, rssBytes, statistics }: ModelStatus): JsonObject {
  const none: DurationStatistic = { count: 0, ns: 0 };
  const count = ({ count, ns }: DurationStatistic): JsonObject => ({ count, ns: Math.round(ns) });
  return {
    name,
    version,
    last_inference: Math.round(statistics.lastInferenceMs),
    inference_count: statistics.inferenceCount,
    execution_count: statistics.executionCount,
    inference_stats: {
      success: count(statistics.success),
      fail: count(statistics.fail),
      queue: count(statistics.queue),
      compute_input: count(statistics.computeInput),
      compute_infer: count(statistics.computeInfer),
      compute_output: count(statistics.computeOutput),
      cache_hit: none,
      cache_miss: none,
    },
    // Runs are not counted by batch size.
    batch_stats: [],
    memory_usage: rssBytes === undefined ? [] : [{ type: 'CPU', id: 0, byte_size: rssBytes }],
  };
}
