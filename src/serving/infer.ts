import { SelvageError } from '../lib/errors.ts';
import type { IndexedTensor, Run } from '../runtime/messages.ts';
import { checkRequest } from '../tensor/check-request.ts';
import type { InferRequest, InferResponse, ModelSignature } from '../tensor/infer.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { batchRows } from './batch.ts';
import type { Completed } from './dispatcher.ts';
import type { ServedModel } from './served-model.ts';
import type { CallOptions } from './service.ts';

/** The pipeline: checks the request, waits for the runner's answer, and names the outputs. */
export async function infer(
  model: ServedModel,
  request: InferRequest,
  { timeoutMs, signal }: CallOptions,
): Promise<{ response: InferResponse; completed: Completed; rows: number }> {
  const { info, variant } = model.serving;
  const { signature } = info;
  checkRequest(request, signature);
  const run = toRun(request, signature);
  const completed = await model.dispatcher.submit(run, timeoutMs ?? model.config.timeoutMs, signal);
  const response: InferResponse = {
    model: request.model,
    version: model.config.version,
    id: request.id,
    parameters: { selvage_source: 'edge', selvage_variant: variant.name },
    outputs: completed.outputs.map((output) => named(output, signature)),
  };
  return { response, completed, rows: batchRows(run) };
}

function toRun(request: InferRequest, signature: ModelSignature): Run {
  return {
    inputs: request.inputs.map(({ name, datatype, shape, data }) => {
      return { index: position(signature.inputs, name), datatype, dims: shape, data };
    }),
    outputs: request.outputs?.map(({ name }) => position(signature.outputs, name)) ?? [],
  };
}

function named({ index, datatype, dims, data }: IndexedTensor, signature: ModelSignature): Tensor {
  const spec = signature.outputs[index];
  if (spec === undefined) throw SelvageError.of('INTERNAL', { reason: `the runner gave an output ${index}` });
  return { name: spec.name, datatype, shape: dims, data };
}

function position(specs: readonly { readonly name: string }[], name: string): number {
  return specs.findIndex((spec) => spec.name === name);
}
