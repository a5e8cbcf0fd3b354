import { DATATYPE_NAMES, type Datatype } from '../tensor/datatype.ts';
import type { ModelSignature } from '../tensor/infer.ts';

/** Kinds of frames between the agent and a runner; the comment names what the header holds. */
export const KIND = {
  /** JSON `LoadSpec` → LOADED or FAILED. */
  LOAD: 1,
  /** JSON `RunnerInfo`. */
  LOADED: 2,
  /** JSON `{reason}`. */
  FAILED: 3,
  /** Encoded runs (`encodeRuns`), their tensors as data → RESULTS. */
  RUN: 4,
  /** Encoded results (`encodeResults`), their tensors as data. */
  RESULTS: 5,
  /** Empty: run the warm-up input once → CANARY_DONE or FAILED. */
  CANARY: 6,
  CANARY_DONE: 7,
  /** Empty → DESCRIBED. */
  DESCRIBE: 8,
  /** JSON `RuntimeDescription`. */
  DESCRIBED: 9,
  /** JSON `{maxRuns, maxMs}`: time runs on random input → BENCHED or FAILED. */
  BENCH: 10,
  /** JSON array of microseconds, one per run. */
  BENCHED: 11,
  /** JSON `OptimizeSpec`: write the model as the runtime simplifies it → OPTIMIZED or FAILED. */
  OPTIMIZE: 12,
  OPTIMIZED: 13,
} as const;

/** What a runner loads. */
export interface LoadSpec {
  readonly path: string;
  readonly threads: number;
}

/** What a runner simplifies, and the file it writes (not atomically: take a temporary name). */
export interface OptimizeSpec {
  readonly path: string;
  readonly target: string;
}

/** What a runner says of the model once it is loaded and warm. */
export interface RunnerInfo {
  readonly signature: ModelSignature;
  /** Whether every input and output leaves its first dimension free, so that requests can share a run. */
  readonly batchable: boolean;
  readonly loadMs: number;
  readonly warmUpMs: number;
  /** Why the warm-up run failed, where it did: some models take no all-zero input of size 1. */
  readonly warmUpFault: string | undefined;
}

/** The runtime on this machine. */
export interface RuntimeDescription {
  /** Version of ONNX Runtime. */
  readonly version: string;
  /** Execution providers that the library lists here, such as `cpu`. */
  readonly providers: readonly string[];
}

/** A tensor on its way to or from the runner, named by its position in the signature. */
export interface IndexedTensor {
  readonly index: number;
  readonly datatype: Datatype;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** One run of the session. */
export interface Run {
  readonly inputs: readonly IndexedTensor[];
  /** Positions of the outputs wanted; empty for all. */
  readonly outputs: readonly number[];
}

/** What a run gave: its outputs with the time spent on them (microseconds), or why it failed. */
export type RunResult =
  | {
      readonly ok: true;
      readonly outputs: readonly IndexedTensor[];
      readonly inputUs: number;
      readonly inferUs: number;
      readonly outputUs: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Header and data of a frame. */
export interface EncodedFrame {
  readonly header: Uint8Array;
  readonly data: readonly Uint8Array[];
}

const DATATYPE_NUMBER = new Map(DATATYPE_NAMES.map((name, number) => [name, number]));

/** Encodes runs: per run u32 input count, output count, outputs; per tensor index, datatype, bytes, rank, dims. */
export function encodeRuns(runs: readonly Run[]): EncodedFrame {
  const words: number[] = [runs.length];
  const data: Uint8Array[] = [];
  for (const run of runs) {
    words.push(run.inputs.length, run.outputs.length);
    for (const output of run.outputs) words.push(output);
    for (const tensor of run.inputs) pushTensor(words, data, tensor);
  }
  return { header: wordBytes(words), data };
}

/** The inverse of `encodeRuns`; tensors are views on `data`, each at a multiple of 8 bytes from its start. */
export function decodeRuns(header: Buffer, data: Buffer): Run[] {
  const reader = new WordReader(header, data);
  return reader.times(reader.word(), () => {
    const inputCount = reader.word();
    const outputs = reader.times(reader.word(), () => reader.word());
    return { inputs: reader.times(inputCount, () => reader.tensor()), outputs };
  });
}

/** Encodes results: per result u32 1, three times, output count, tensors; or 0, byte count (the reason is data). */
export function encodeResults(results: readonly RunResult[]): EncodedFrame {
  const words: number[] = [results.length];
  const data: Uint8Array[] = [];
  for (const result of results) {
    if (result.ok) {
      words.push(1, result.inputUs, result.inferUs, result.outputUs, result.outputs.length);
      for (const tensor of result.outputs) pushTensor(words, data, tensor);
    } else {
      const reason = Buffer.from(result.reason);
      words.push(0, reason.byteLength);
      data.push(reason);
    }
  }
  return { header: wordBytes(words), data };
}

/** The inverse of `encodeResults`; tensors are views on `data`. */
export function decodeResults(header: Buffer, data: Buffer): RunResult[] {
  const reader = new WordReader(header, data);
  return reader.times(reader.word(), (): RunResult => {
    if (reader.word() === 0)
      return { ok: false, reason: Buffer.from(reader.bytes(reader.word())).toString() };
    const inputUs = reader.word();
    const inferUs = reader.word();
    const outputUs = reader.word();
    return {
      ok: true,
      inputUs,
      inferUs,
      outputUs,
      outputs: reader.times(reader.word(), () => reader.tensor()),
    };
  });
}

function pushTensor(words: number[], data: Uint8Array[], tensor: IndexedTensor): void {
  words.push(
    tensor.index,
    DATATYPE_NUMBER.get(tensor.datatype) ?? 0,
    tensor.data.byteLength,
    tensor.dims.length,
  );
  for (const dim of tensor.dims) words.push(dim);
  data.push(tensor.data);
}

function wordBytes(words: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

class WordReader {
  readonly #view: DataView;
  readonly #data: Buffer;
  #position = 0;
  #dataOffset = 0;

  constructor(header: Buffer, data: Buffer) {
    this.#view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    this.#data = data;
  }

  word(): number {
    const word = this.#view.getUint32(this.#position, true);
    this.#position += 4;
    return word;
  }

  bytes(count: number): Buffer {
    const part = this.#data.subarray(this.#dataOffset, this.#dataOffset + count);
    this.#dataOffset += (count + 7) & ~7;
    return part;
  }

  tensor(): IndexedTensor {
    const index = this.word();
    const datatype = DATATYPE_NAMES[this.word()] ?? 'BYTES';
    const byteCount = this.word();
    const dims = this.times(this.word(), () => this.word());
    return { index, datatype, dims, data: this.bytes(byteCount) };
  }

  times<Item>(count: number, read: () => Item): Item[] {
    const items: Item[] = [];
    for (let i = 0; i < count; i++) items.push(read());
    return items;
  }
}
