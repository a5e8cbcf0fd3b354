/**
 * The runner: a child process with one session of ONNX Runtime, the only place where that library is loaded. It
 * answers one frame after the other and knows nothing of protocols, configuration or the store.
 */
import { InferenceSession, listSupportedBackends, env as ortEnv, Tensor } from 'onnxruntime-node';
import { beginChild } from '../lib/child/child-main.ts';
import type { Frame } from '../lib/child/frame.ts';
import { SyncChannel } from '../lib/child/sync-channel.ts';
import { reasonOf, SelvageError } from '../lib/errors.ts';
import { DATATYPES, type Datatype, datatypeOfOrt } from '../tensor/datatype.ts';
import {
  bytesOf,
  elementCount,
  joinBytes,
  splitBytes,
  type TensorSpec,
  typedView,
} from '../tensor/tensor.ts';
import {
  decodeRuns,
  encodeResults,
  type IndexedTensor,
  KIND,
  type LoadSpec,
  type OptimizeSpec,
  type Run,
  type RunnerInfo,
  type RunResult,
} from './messages.ts';

type Feeds = Record<string, Tensor>;
type Fetches = Record<string, Tensor | null>;
type ValueMetadata = InferenceSession.ValueMetadata;

/** Errors only: warnings about a model (unused initializers, …) would fill the log. */
const LOG_SEVERITY_ERROR = 3;

/** Outputs from this size on are written into memory allocated before the run, which saves the runtime's copy. */
const PREALLOCATE_FROM_BYTES = 32 * 1024;

class LoadedModel {
  readonly info: RunnerInfo;
  readonly #session: InferenceSession;
  readonly #inputs: readonly TensorSpec[];
  readonly #outputs: readonly TensorSpec[];
  readonly #warmFeeds: Feeds;
  /** Output tensors that are filled again by each run of the same output shape, by output name. */
  readonly #preallocated = new Map<string, Tensor>();

  private constructor(session: InferenceSession, info: RunnerInfo, warmFeeds: Feeds) {
    this.#session = session;
    this.info = info;
    this.#inputs = info.signature.inputs;
    this.#outputs = info.signature.outputs;
    this.#warmFeeds = warmFeeds;
  }

  static async load({ path, threads, arena = true }: LoadSpec): Promise<LoadedModel> {
    const started = performance.now();
    const session = await InferenceSession.create(path, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableCpuMemArena: arena,
      logSeverityLevel: LOG_SEVERITY_ERROR,
      // Threads that spin after a run burn most of a CPU at low request rates.
      extra: { session: { force_spinning_stop: '1' } },
    });
    const loadMs = performance.now() - started;
    const inputs = session.inputMetadata.map((value) => tensorSpec(value, 'input', path));
    const outputs = session.outputMetadata.map((value) => tensorSpec(value, 'output', path));
    const warmFeeds = Object.fromEntries(inputs.map((spec) => [spec.name, filledTensor(spec, () => 0)]));
    const warmUpFault = await faultOf(async () => {
      await session.run(warmFeeds);
    });
    const info: RunnerInfo = {
      signature: { inputs, outputs },
      batchable: inputs.length > 0 && [...inputs, ...outputs].every((spec) => spec.shape[0] === -1),
      loadMs,
      warmUpMs: performance.now() - started - loadMs,
      warmUpFault,
    };
    return new LoadedModel(session, info, warmFeeds);
  }

  /** Runs the warm-up input once; a model that takes none has shown by answering at all that its runner lives. */
  async canary(): Promise<void> {
    if (this.info.warmUpFault === undefined) await this.#session.run(this.#warmFeeds);
  }

  /** Runs the session. With `reuse`, large outputs lie in memory that the next such run fills again. */
  async run(run: Run, reuse: boolean): Promise<RunResult> {
    const started = performance.now();
    try {
      const feeds = this.#feeds(run.inputs);
      const fetches = this.#fetches(run.outputs, reuse);
      const fed = performance.now();
      const results = await this.#session.run(feeds, fetches);
      const ran = performance.now();
      const outputs = this.#collect(run.outputs, results, reuse);
      return {
        ok: true,
        outputs,
        inputUs: microseconds(fed - started),
        inferUs: microseconds(ran - fed),
        outputUs: microseconds(performance.now() - ran),
      };
    } catch (error) {
      // A preallocated output of the wrong shape is refused by the runtime; the next run allocates anew.
      const retry = this.#preallocated.size > 0;
      this.#preallocated.clear();
      return retry ? this.run(run, reuse) : { ok: false, reason: reasonOf(error) };
    }
  }

  /** Times runs on random input, in microseconds each, until there are `maxRuns` or `maxMs` have passed. */
  async bench(maxRuns: number, maxMs: number): Promise<number[]> {
    const feeds = Object.fromEntries(
      this.#inputs.map((spec) => [spec.name, filledTensor(spec, (i) => pseudoRandom(i))]),
    );
    const started = performance.now();
    const times: number[] = [];
    while (times.length < maxRuns && (times.length === 0 || performance.now() - started < maxMs)) {
      const begun = performance.now();
      await this.#session.run(feeds);
      times.push((performance.now() - begun) * 1000);
    }
    return times;
  }

  #feeds(tensors: readonly IndexedTensor[]): Feeds {
    const feeds: Feeds = {};
    for (const tensor of tensors) {
      const spec = this.#inputs[tensor.index];
      if (spec === undefined) throw new Error(`no input ${tensor.index}`);
      feeds[spec.name] = ortTensor(tensor.datatype, tensor.data, tensor.dims);
    }
    return feeds;
  }

  #fetches(wanted: readonly number[], reuse: boolean): Fetches {
    const fetches: Fetches = {};
    const indices = wanted.length > 0 ? wanted : this.#outputs.keys();
    for (const index of indices) {
      const name = this.#outputs[index]?.name;
      if (name === undefined) throw new Error(`no output ${index}`);
      fetches[name] = (reuse && this.#preallocated.get(name)) || null;
    }
    return fetches;
  }

  #collect(
    wanted: readonly number[],
    results: InferenceSession.OnnxValueMapType,
    reuse: boolean,
  ): IndexedTensor[] {
    const indices = wanted.length > 0 ? wanted : [...this.#outputs.keys()];
    return indices.map((index) => {
      const spec = this.#outputs[index];
      const tensor = spec === undefined ? undefined : results[spec.name];
      if (spec === undefined || tensor === undefined) throw new Error(`no output ${index}`);
      const data = tensorBytes(tensor);
      // Only where the shape cannot change with the input is the memory right for the next run too.
      if (reuse && data.byteLength >= PREALLOCATE_FROM_BYTES && spec.shape.every((dim) => dim >= 0)) {
        this.#preallocated.set(spec.name, tensor);
      }
      return { index, datatype: spec.datatype, dims: tensor.dims, data };
    });
  }
}

function tensorSpec(value: ValueMetadata, kind: string, path: string): TensorSpec {
  const datatype = value.isTensor ? datatypeOfOrt(value.type) : undefined;
  if (!value.isTensor || datatype === undefined) {
    const found = value.isTensor ? `datatype ${value.type}` : 'no tensor (a sequence or map)';
    throw SelvageError.of('MODEL_UNSUPPORTED', { path, problem: `${kind} '${value.name}' is ${found}` });
  }
  // Free dimensions are names or, where they have none, anything that is not a positive size.
  const shape = value.shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : -1));
  return { name: value.name, datatype, shape };
}

function ortTensor(datatype: Datatype, data: Uint8Array, dims: readonly number[]): Tensor {
  if (datatype === 'BYTES') {
    const elements = splitBytes(data) ?? [];
    return new Tensor(
      'string',
      elements.map((element) =>
        Buffer.from(element.buffer, element.byteOffset, element.byteLength).toString(),
      ),
      dims,
    );
  }
  // The runtime's own union of constructors cannot express "the array that belongs to this datatype".
  return new Tensor(DATATYPES[datatype].ort as 'float32', typedView(datatype, data) as Float32Array, dims);
}

function tensorBytes(tensor: Tensor): Uint8Array {
  if (tensor.type === 'string') return joinBytes((tensor.data as string[]).map((text) => Buffer.from(text)));
  return bytesOf(tensor.data as Float32Array);
}

/** A tensor of this spec, free dimensions 1, with elements from `value` (strings are their decimal digits). */
function filledTensor(spec: TensorSpec, value: (index: number) => number): Tensor {
  const dims = spec.shape.map((dim) => (dim < 0 ? 1 : dim));
  const count = elementCount(dims);
  if (spec.datatype === 'BYTES') {
    return new Tensor(
      'string',
      Array.from({ length: count }, (_, i) => String(value(i))),
      dims,
    );
  }
  const data = new Uint8Array(count * DATATYPES[spec.datatype].bytes);
  if (spec.datatype === 'FP32')
    new Float32Array(data.buffer).set(Array.from({ length: count }, (_, i) => value(i)));
  return ortTensor(spec.datatype, data, dims);
}

/** A repeatable sequence in 0..1 (multiplicative hashing after Knuth). */
function pseudoRandom(index: number): number {
  return ((index * 2654435761) % 4294967296) / 4294967296;
}

function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}

async function faultOf(action: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Writes a model with constants folded and normalizations merged into the layers before them. Level `basic` keeps to
 * operators of the standard; the higher ones use operators that only this runtime on this kind of machine has.
 */
async function optimize({ path, target }: OptimizeSpec): Promise<void> {
  const session = await InferenceSession.create(path, {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: LOG_SEVERITY_ERROR,
    graphOptimizationLevel: 'basic',
    optimizedModelFilePath: target,
  });
  await session.release();
}

async function answer(frame: Frame, channel: SyncChannel, model: LoadedModel | undefined): Promise<void> {
  if (frame.kind === KIND.DESCRIBE) {
    // The others are listed wherever they could be, also where their provider library is not installed.
    const providers = listSupportedBackends().flatMap(({ name, bundled }) => (bundled ? [name] : []));
    channel.writeJson(KIND.DESCRIBED, frame.slot, {
      version: ortEnv.versions.node ?? ortEnv.versions.common,
      providers,
    });
    return;
  }
  if (frame.kind === KIND.OPTIMIZE) {
    await optimize(JSON.parse(frame.header.toString()) as OptimizeSpec);
    channel.writeJson(KIND.OPTIMIZED, frame.slot, {});
    return;
  }
  if (model === undefined) throw new Error('no model is loaded');
  if (frame.kind === KIND.RUN) {
    const results: RunResult[] = [];
    const runs = decodeRuns(frame.header, frame.data);
    for (const run of runs) results.push(await model.run(run, runs.length === 1));
    const { header, data } = encodeResults(results);
    channel.write(KIND.RESULTS, frame.slot, header, data);
  } else if (frame.kind === KIND.CANARY) {
    await model.canary();
    channel.writeJson(KIND.CANARY_DONE, frame.slot, {});
  } else if (frame.kind === KIND.BENCH) {
    const { maxRuns, maxMs } = JSON.parse(frame.header.toString()) as { maxRuns: number; maxMs: number };
    channel.writeJson(KIND.BENCHED, frame.slot, await model.bench(maxRuns, maxMs));
  }
}

async function main(): Promise<void> {
  beginChild();
  const channel = new SyncChannel();
  let model: LoadedModel | undefined;
  for (;;) {
    const frame = channel.read();
    if (frame === undefined) process.exit(0);
    try {
      if (frame.kind === KIND.LOAD) {
        model = await LoadedModel.load(JSON.parse(frame.header.toString()) as LoadSpec);
        channel.writeJson(KIND.LOADED, frame.slot, model.info);
      } else await answer(frame, channel, model);
    } catch (error) {
      channel.writeJson(KIND.FAILED, frame.slot, { reason: reasonOf(error) });
    }
  }
}

await main();
