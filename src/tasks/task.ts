import type { ModelSignature } from '../tensor/infer.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ImageSpec } from './image/image-spec.ts';

/**
 * A task turns a person's input into a model's tensors and its tensors into a person's answer. To add one: its
 * settings in `src/config/tasks/`, its factory in a folder here, one line in `tasks.ts`, and a call of the contract
 * suite `test/contract/task-contract.ts` in its test.
 */
export interface Task {
  /** The `type` of its settings. */
  readonly type: string;
  /** Class names by output index, where the task has classes with names. */
  readonly labels: readonly string[] | undefined;
  /** Media types it takes, lower case, without parameters. */
  readonly accepts: readonly string[];
  /**
   * The model's input tensors for one input, with a batch of 1. Throws MEDIA_TYPE_UNSUPPORTED, MEDIA_UNREADABLE,
   * MEDIA_UNAVAILABLE, MEDIA_BUSY, MEDIA_WORKER_CRASHED, DEADLINE_EXCEEDED, SHUTTING_DOWN, or what the signal was
   * aborted with.
   */
  prepare(input: PredictInput, call: TaskCall): Promise<Tensor[]>;
  /** The answer in the model's outputs for one input, best first. Throws INFERENCE_FAILED where they hold none. */
  interpret(outputs: readonly Tensor[], options: InterpretOptions): Prediction[];
}

/** A person's input: the bytes as sent, with what they are. */
export interface PredictInput {
  /** Media type without parameters, lower case, such as `image/jpeg`. */
  readonly mediaType: string;
  readonly body: Uint8Array;
  /** The model's inputs, where the caller sent those: nothing is prepared then, the task only reads the outputs. */
  readonly tensors?: readonly Tensor[] | undefined;
  /** Predictions to return; by default the task's `topK`. */
  readonly topK?: number | undefined;
}

/** One class with its probability (0..1). */
export interface Prediction {
  readonly label: string;
  readonly index: number;
  readonly probability: number;
}

/** How long a preparation may take. */
export interface TaskCall {
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Time from now, in milliseconds, waiting for the decoder included; by default only decoding itself is limited. */
  readonly timeoutMs?: number | undefined;
}

/** How to answer. */
export interface InterpretOptions {
  /** Predictions to return; by default the task's own number. */
  readonly topK?: number | undefined;
}

/** A `TaskCall` with the model it is for, which messages name. */
export interface DecodeCall extends TaskCall {
  readonly model: string;
}

/** Decodes media outside the agent's process. */
export interface MediaDecoder {
  /** Tensor bytes of an encoded image as `spec` wants it; throws as `Task.prepare` does. */
  decodeImage(encoded: Uint8Array, spec: ImageSpec, call: DecodeCall): Promise<Uint8Array>;
}

/** What a task is made with, besides its settings and the model's signature. */
export interface TaskContext {
  /** Name of the model, for messages. */
  readonly model: string;
  readonly media: MediaDecoder;
}

/** Makes a task for a model; throws TASK_MISFIT where the settings do not fit the signature. */
export type TaskFactory<Settings> = (
  settings: Settings,
  signature: ModelSignature,
  context: TaskContext,
) => Promise<Task>;
