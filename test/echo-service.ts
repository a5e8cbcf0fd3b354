import { once } from 'node:events';
import { SelvageError } from '../src/lib/errors.ts';
import type { CallOptions, InferenceService, ModelStatus, PredictResponse } from '../src/serving/service.ts';
import type { PredictInput } from '../src/tasks/task.ts';
import { checkRequest } from '../src/tensor/check-request.ts';
import type { InferRequest, InferResponse, ModelSignature } from '../src/tensor/infer.ts';

const NEVER = { count: 0, ns: 0 };

/** A model that gives its inputs back, each under the name `<input>_out`. */
export function echoModel(
  name: string,
  inputs: ModelSignature['inputs'],
  rest: Partial<ModelStatus> = {},
): ModelStatus {
  return {
    name,
    version: '1',
    state: 'ready',
    reason: '',
    variant: 'original',
    signature: { inputs, outputs: inputs.map((input) => ({ ...input, name: `${input.name}_out` })) },
    task: undefined,
    maxBatchSize: 1,
    labels: undefined,
    pid: undefined,
    rssBytes: undefined,
    restarts: 0,
    queued: 0,
    inFlight: 0,
    statistics: {
      lastInferenceMs: 0,
      inferenceCount: 0,
      executionCount: 0,
      success: NEVER,
      fail: NEVER,
      queue: NEVER,
      computeInput: NEVER,
      computeInfer: NEVER,
      computeOutput: NEVER,
    },
    ...rest,
  };
}

/**
 * An inference service in memory: models that echo their inputs, and a task whose classes are the byte values of the
 * input with their frequencies. `hold` makes calls wait, as a busy runner does.
 */
export class EchoService implements InferenceService {
  readonly #models: ModelStatus[];
  #gate: Promise<void> | undefined;
  /** Calls that have come in. */
  calls = 0;
  /** Calls whose caller went away while they waited. */
  aborted = 0;
  lastOptions: CallOptions | undefined;
  lastRequest: InferRequest | undefined;

  constructor(models: ModelStatus[]) {
    this.#models = models;
  }

  /** Makes calls wait until the function it returns is called. */
  hold(): () => void {
    let release = (): void => {};
    this.#gate = new Promise((resolve) => {
      release = () => {
        this.#gate = undefined;
        resolve();
      };
    });
    return release;
  }

  async infer(request: InferRequest, options: CallOptions): Promise<InferResponse> {
    this.lastRequest = request;
    const { signature, version } = this.#serving(request.model, request.version);
    checkRequest(request, signature);
    await this.#wait(options);
    const wanted = request.outputs?.map(({ name }) => name) ?? signature.outputs.map(({ name }) => name);
    const outputs = wanted.flatMap((name) =>
      request.inputs.filter((input) => `${input.name}_out` === name).map((input) => ({ ...input, name })),
    );
    return {
      model: request.model,
      version,
      id: request.id,
      parameters: { selvage_variant: 'original' },
      outputs,
    };
  }

  async predict(name: string, input: PredictInput, options: CallOptions): Promise<PredictResponse> {
    const { task, signature } = this.#serving(name);
    if (task === undefined) throw SelvageError.of('TASK_MISSING', { model: name });
    if (input.tensors !== undefined) {
      checkRequest({ model: name, parameters: {}, inputs: input.tensors }, signature);
    } else if (!input.mediaType.startsWith('image/')) {
      throw SelvageError.of('MEDIA_TYPE_UNSUPPORTED', { found: input.mediaType, expected: 'image/*' });
    }
    await this.#wait(options);
    const bytes = input.tensors?.[0]?.data ?? input.body;
    const counts = new Map<number, number>();
    for (const byte of bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1);
    const predictions = [...counts]
      .sort((a, b) => b[1] - a[1])
      .slice(0, input.topK ?? 5)
      .map(([index, count]) => ({ label: `byte ${index}`, index, probability: count / bytes.byteLength }));
    const requestId = options.requestId ?? '';
    return { model: name, variant: 'original', source: 'edge', requestId, latencyMs: 0.25, predictions };
  }

  models(): ModelStatus[] {
    return this.#models;
  }

  model(name: string, version?: string): ModelStatus {
    const model = this.#models.find((one) => one.name === name);
    if (model === undefined) {
      const known = this.#models.map((one) => one.name).join(', ');
      throw SelvageError.of('MODEL_NOT_FOUND', { model: name, known });
    }
    if (version !== undefined && version !== model.version) {
      throw SelvageError.of('MODEL_VERSION_NOT_FOUND', { model: name, version, known: model.version });
    }
    return model;
  }

  ready(): boolean {
    return this.#models.every((model) => model.state === 'ready');
  }

  #serving(name: string, version?: string): ModelStatus & { signature: ModelSignature } {
    const model = this.model(name, version);
    const { state, reason, signature } = model;
    if (state !== 'ready' || signature === undefined) {
      throw SelvageError.of('MODEL_NOT_READY', { model: name, reason });
    }
    return { ...model, signature };
  }

  async #wait(options: CallOptions): Promise<void> {
    this.calls += 1;
    this.lastOptions = options;
    if (this.#gate === undefined) return;
    const over = new AbortController();
    await Promise.race([
      this.#gate,
      once(options.signal, 'abort', { signal: over.signal }).catch(() => undefined),
    ]);
    over.abort();
    if (!options.signal.aborted) return;
    this.aborted += 1;
    throw SelvageError.of('CANCELLED', {});
  }
}
