import type { JobStatus } from '../lib/child/job-registry.ts';
import type { PredictInput, Prediction } from '../tasks/task.ts';
import type { InferRequest, InferResponse, ModelSignature } from '../tensor/infer.ts';

/**
 * What the servers need of the agent. `serving/` implements `InferenceService`, the composition root implements
 * `AgentControl`; the protocols know nothing else of the agent.
 */

/** What goes with one call. */
export interface CallOptions {
  /**
   * Aborted when the caller is gone; a request that has not reached a runner yet is then dropped. It belongs to the
   * caller's connection and outlives the call: take your listeners off again.
   */
  readonly signal: AbortSignal;
  /** Time the caller allows from now, in milliseconds; by default the model's `timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Identity of the request in logs and answers; given by the client or made by the server. */
  readonly requestId?: string | undefined;
}

/**
 * Answers inferences. Every fault is a `SelvageError`. The bytes of a request (tensors, a person's input) are the
 * caller's: once the promise is fulfilled they may become another request's. After a rejection they stay as they are.
 */
export interface InferenceService {
  /** Runs the model on tensors. */
  infer(request: InferRequest, options: CallOptions): Promise<InferResponse>;
  /** Runs the model on a person's input (an image, …) through the model's task. */
  predict(model: string, input: PredictInput, options: CallOptions): Promise<PredictResponse>;
  /** The models, loaded or not, in the order of the configuration. */
  models(): ModelStatus[];
  /** One model; throws MODEL_NOT_FOUND or MODEL_VERSION_NOT_FOUND. */
  model(name: string, version?: string): ModelStatus;
  /** Whether every model that can serve serves (refused and deliberately unloaded models do not count). */
  ready(): boolean;
}

/** The answer to a person's input. */
export interface PredictResponse {
  readonly model: string;
  /** Name of the variant that answered. */
  readonly variant: string;
  /** Where the answer was made. */
  readonly source: 'edge';
  readonly requestId: string;
  /** From the call to the answer, in milliseconds. */
  readonly latencyMs: number;
  readonly predictions: readonly Prediction[];
}

/** Every state of a model. */
export const MODEL_STATES = ['unloaded', 'importing', 'loading', 'ready', 'unavailable', 'refused'] as const;

/** Where a model is in its life. `refused`: its file cannot serve; `unavailable`: a runner is being restarted. */
export type ModelState = (typeof MODEL_STATES)[number];

/** What is known of a model at this moment. */
export interface ModelStatus {
  readonly name: string;
  readonly version: string;
  readonly state: ModelState;
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
  /** The variant that serves, once chosen. */
  readonly variant: string | undefined;
  /** Inputs and outputs; undefined until the file was read once. */
  readonly signature: ModelSignature | undefined;
  /** Type of the model's task, if it has one. */
  readonly task: string | undefined;
  /** Largest batch the runtime is given at once (1 = no batching), Triton's `max_batch_size`. */
  readonly maxBatchSize: number;
  /** Class names by output index, where the task has them. */
  readonly labels: readonly string[] | undefined;
  readonly pid: number | undefined;
  readonly rssBytes: number | undefined;
  /** Runners restarted since the agent started. */
  readonly restarts: number;
  /** Requests waiting and requests with the runner. */
  readonly queued: number;
  readonly inFlight: number;
  readonly statistics: ModelStatistics;
}

/** A count with the time it took in all, in nanoseconds (the protocol's `StatisticDuration`). */
export interface DurationStatistic {
  readonly count: number;
  readonly ns: number;
}

/** Statistics of a model since the agent started, as the protocol's statistics extension wants them. */
export interface ModelStatistics {
  /** Wall time of the last inference, milliseconds since the epoch; 0 before the first. */
  readonly lastInferenceMs: number;
  readonly inferenceCount: number;
  /** Runs of the runtime; fewer than `inferenceCount` where requests were batched. */
  readonly executionCount: number;
  readonly success: DurationStatistic;
  readonly fail: DurationStatistic;
  readonly queue: DurationStatistic;
  readonly computeInput: DurationStatistic;
  readonly computeInfer: DurationStatistic;
  readonly computeOutput: DurationStatistic;
}

/** What an administrator can ask of the agent. */
export interface AgentControl {
  /** Loads a model of the configuration and resolves when it is ready; rejects with why it is not. */
  load(model: string): Promise<void>;
  /** Unloads a model; its memory is given back and requests get MODEL_NOT_READY. */
  unload(model: string): Promise<void>;
  /** Reads the configuration again: applies all of it or, when it is wrong, none of it and rejects. */
  reload(): Promise<ReloadReport>;
  status(): AgentStatus;
  jobs(): JobStatus[];
  /** Cancels a job; false where there is no such job or it has ended. */
  cancelJob(id: string): boolean;
}

/** What a reload did, by model name. */
export interface ReloadReport {
  readonly added: string[];
  readonly changed: string[];
  readonly removed: string[];
  readonly unchanged: string[];
  /** Settings that changed but take effect at the next start only. */
  readonly needRestart: string[];
}

/** The agent at this moment. */
export interface AgentStatus {
  readonly version: string;
  readonly pid: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly uptimeSeconds: number;
  readonly ready: boolean;
  readonly rssBytes: number;
  readonly configPath: string;
  readonly stateDir: string;
  readonly listeners: readonly string[];
  readonly models: readonly ModelStatus[];
}
