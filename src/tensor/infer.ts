import type { Tensor, TensorSpec } from './tensor.ts';

/** Value of a request or response parameter of the Open Inference Protocol. */
export type ParameterValue = string | number | boolean;

/** Named parameters; the object has no prototype where it came from a client. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** An output that the client asks for by name. */
export interface RequestedOutput {
  readonly name: string;
  /** Classification extension: answer with the top `classCount` as BYTES `score:index[:label]` (0 = off). */
  readonly classCount: number;
}

/** One inference asked of a model, whatever protocol it came in. */
export interface InferRequest {
  readonly model: string;
  readonly version?: string | undefined;
  readonly id?: string | undefined;
  readonly parameters: Parameters;
  readonly inputs: readonly Tensor[];
  /** The outputs wanted, in this order; undefined for all of the model's. */
  readonly outputs?: readonly RequestedOutput[] | undefined;
}

/** The answer to an `InferRequest`. */
export interface InferResponse {
  readonly model: string;
  readonly version: string;
  readonly id?: string | undefined;
  /** What Selvage adds, each name prefixed `selvage_`. */
  readonly parameters: Parameters;
  readonly outputs: readonly Tensor[];
}

/** What a model takes and gives, as read from its file by the runtime. */
export interface ModelSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}
