import type { ModelConfig } from '../config/schema.ts';
import { SelvageError, toSelvageError } from '../lib/errors.ts';
import type { PredictInput } from '../tasks/task.ts';
import type { InferRequest, InferResponse } from '../tensor/infer.ts';
import type { Completed } from './dispatcher.ts';
import { infer } from './infer.ts';
import { ServedModel, type ServedModelContext } from './served-model.ts';
import type { CallOptions, InferenceService, ModelState, ModelStatus, PredictResponse } from './service.ts';

/** What is noted of every call, answered or not. */
export interface CallRecord {
  readonly model: string;
  readonly variant: string | undefined;
  readonly requestId: string | undefined;
  /** Why it failed; undefined for an answer. */
  readonly error: SelvageError | undefined;
  /** From the call to its answer, in milliseconds. */
  readonly totalMs: number;
  readonly completed: Completed | undefined;
}

/** Surroundings of the served models. */
export interface ServingContext extends ServedModelContext {
  /** Called once per call, after its answer is known. */
  readonly onCall: (record: CallRecord) => void;
}

/** States that do not keep the agent from being ready: the model serves, cannot serve, or is not meant to. */
const SETTLED: ReadonlySet<ModelState> = new Set(['ready', 'refused', 'unloaded']);

/** All models of the configuration, and calls on them. */
export class Serving implements InferenceService {
  readonly #context: ServingContext;
  #models = new Map<string, ServedModel>();

  constructor(context: ServingContext) {
    this.#context = context;
  }

  /** Adds a model; it is not loaded yet. */
  add(name: string, config: ModelConfig): ServedModel {
    const model = new ServedModel(name, config, this.#context);
    this.#models.set(name, model);
    return model;
  }

  /** Unloads a model and forgets it. */
  remove(name: string): void {
    this.#models.get(name)?.unload('the configuration no longer names it');
    this.#models.delete(name);
  }

  /** Puts the models into the order of `names`, as the configuration lists them. */
  arrange(names: readonly string[]): void {
    this.#models = new Map(names.map((name) => [name, this.find(name)]));
  }

  /** A model by name; throws MODEL_NOT_FOUND or MODEL_VERSION_NOT_FOUND. */
  find(name: string, version?: string): ServedModel {
    const model = this.#models.get(name);
    if (model === undefined) {
      const known = [...this.#models.keys()].join(', ') || 'none';
      throw SelvageError.of('MODEL_NOT_FOUND', { model: name, known });
    }
    if (version !== undefined && version !== model.config.version) {
      throw SelvageError.of('MODEL_VERSION_NOT_FOUND', { model: name, version, known: model.config.version });
    }
    return model;
  }

  async infer(request: InferRequest, options: CallOptions): Promise<InferResponse> {
    const model = this.find(request.model, request.version);
    return this.#recorded(model, options.requestId ?? request.id, async (note) => {
      const { response, completed, rows } = await infer(model, request, options);
      note(completed, rows);
      return response;
    });
  }

  async predict(name: string, input: PredictInput, options: CallOptions): Promise<PredictResponse> {
    const model = this.find(name);
    const { clock } = this.#context;
    const started = clock.monotonic();
    const allowedMs = options.timeoutMs ?? model.config.timeoutMs;
    return this.#recorded(model, options.requestId, async (note) => {
      const { task, variant } = model.serving;
      if (task === undefined) throw SelvageError.of('TASK_MISSING', { model: name });
      const call = { signal: options.signal, timeoutMs: allowedMs };
      const inputs = input.tensors ?? (await task.prepare(input, call));
      const leftMs = Math.max(1, allowedMs - (clock.monotonic() - started));
      const request: InferRequest = { model: name, id: options.requestId, parameters: {}, inputs };
      const { response, completed, rows } = await infer(model, request, { ...options, timeoutMs: leftMs });
      note(completed, rows);
      const predictions = task.interpret(response.outputs, { topK: input.topK });
      const latencyMs = Math.round((clock.monotonic() - started) * 1000) / 1000;
      return {
        model: name,
        variant: variant.name,
        source: 'edge',
        requestId: options.requestId ?? '',
        latencyMs,
        predictions,
      };
    });
  }

  models(): ModelStatus[] {
    return [...this.#models.values()].map((model) => model.status());
  }

  model(name: string, version?: string): ModelStatus {
    return this.find(name, version).status();
  }

  ready(): boolean {
    for (const model of this.#models.values()) if (!SETTLED.has(model.state)) return false;
    return true;
  }

  /** Whether every model that is ready answers a canary run. */
  async canary(): Promise<boolean> {
    const answers = await Promise.all([...this.#models.values()].map((model) => model.canary()));
    return answers.every((answered) => answered);
  }

  /** Ends all models and their runners. */
  close(): void {
    for (const model of this.#models.values()) model.close('the agent is shutting down');
  }

  /** Runs a call and notes how it ended: in the model's statistics and, through `onCall`, in metrics and log. */
  async #recorded<Answer>(
    model: ServedModel,
    requestId: string | undefined,
    call: (note: (completed: Completed, rows: number) => void) => Promise<Answer>,
  ): Promise<Answer> {
    const { clock, onCall } = this.#context;
    const started = clock.monotonic();
    const variant = model.variantName;
    let completed: Completed | undefined;
    let rows = 0;
    try {
      const answer = await call((run, count) => {
        completed = run;
        rows = count;
      });
      const totalMs = clock.monotonic() - started;
      if (completed !== undefined) model.statistics.succeeded(completed, rows, totalMs, clock.now());
      onCall({ model: model.name, variant, requestId, error: undefined, totalMs, completed });
      return answer;
    } catch (thrown) {
      const error = toSelvageError(thrown);
      const totalMs = clock.monotonic() - started;
      model.statistics.failed(totalMs);
      onCall({ model: model.name, variant, requestId, error, totalMs, completed });
      throw error;
    }
  }
}
