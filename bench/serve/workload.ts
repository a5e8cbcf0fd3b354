import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tinyModel } from '../../test/models.ts';
import { requestBytes } from './lean-client.ts';

/** A model with one request for it, as files so that every process of the benchmark works with the same bytes. */
export interface Workload {
  /** The name under which the agent serves it. */
  readonly model: string;
  readonly modelPath: string;
  readonly inputShape: readonly number[];
  /** A whole HTTP request for an inference with binary tensors. */
  readonly requestPath: string;
  readonly request: Buffer;
}

/** The name, datatype FP32 and shape of a model's only input. */
export interface InputSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One dense layer of 4 × 3: what is measured with it is everything but the model. */
export function tinyWorkload(directory: string): Workload {
  const modelPath = join(directory, 'tiny.onnx');
  writeFileSync(modelPath, tinyModel());
  return workload(directory, 'tiny', modelPath, { name: 'input', shape: [1, 4] });
}

/** MobileNetV2 1.0 at 224 × 224 from the assets: 602 KB of input, 4 KB of output. */
export function mobilenetWorkload(directory: string, assetsDir: string): Workload {
  const modelPath = join(assetsDir, 'models/mobilenet_v2_1.0_224.onnx');
  return workload(directory, 'mobilenet', modelPath, { name: 'input', shape: [1, 3, 224, 224] });
}

function workload(directory: string, model: string, modelPath: string, input: InputSpec): Workload {
  const request = inferRequest(model, input);
  const requestPath = join(directory, `${model}.request`);
  writeFileSync(requestPath, request);
  return { model, modelPath, inputShape: input.shape, requestPath, request };
}

function inferRequest(model: string, { name, shape }: InputSpec): Buffer {
  const tensor = inputValues(shape);
  const parameters = { binary_data_size: tensor.byteLength };
  const json = JSON.stringify({
    inputs: [{ name, shape, datatype: 'FP32', parameters }],
    parameters: { binary_data_output: true },
  });
  // Spaces make the tensor begin at a multiple of 8, so that no server has to copy it to align it.
  const head = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  return requestBytes(
    'POST',
    `/v2/models/${model}/infer`,
    Buffer.concat([head, Buffer.from(tensor.buffer)]),
    {
      'Content-Type': 'application/octet-stream',
      'Inference-Header-Content-Length': head.byteLength,
    },
  );
}

/** Values in -1..1 that look like nothing in particular. */
export function inputValues(shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return Float32Array.from({ length: count }, (_, index) => Math.sin(index * 12.9898));
}
