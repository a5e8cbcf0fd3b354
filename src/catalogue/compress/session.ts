import { reasonOf, SelvageError } from '../../lib/errors.ts';
import type { IndexedTensor, Run, RunResult } from '../../runtime/messages.ts';
import { Runner } from '../../runtime/runner.ts';
import type { ModelSignature } from '../../tensor/infer.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { MemoryPeak } from './memory-peak.ts';

const LOAD_TIMEOUT_MS = 300_000;
/** Time for one frame of runs; far above what a model for small machines takes. */
const RUN_TIMEOUT_MS = 600_000;
/** Runs share a frame up to these bounds: enough to make its cost small, little enough to keep memory small. */
const FRAME_RUNS = 64;
const FRAME_BYTES = 4 * 1024 * 1024;

/** The result of one run: its outputs in the order they were asked for, and the time the run itself took. */
export interface RunOutcome {
  readonly outputs: readonly Tensor[];
  readonly inferUs: number;
}

/** A model in a runner of its own, one thread, for as many runs as a step of compression needs. */
export class Session {
  readonly signature: ModelSignature;
  /** What messages call the model: the path of its file. */
  readonly #path: string;
  readonly #runner: Runner;
  readonly #memory: MemoryPeak;
  #bytesPerRun = FRAME_BYTES;

  private constructor(path: string, runner: Runner, memory: MemoryPeak, signature: ModelSignature) {
    this.#path = path;
    this.#runner = runner;
    this.#memory = memory;
    this.signature = signature;
  }

  /** Loads a model; throws MODEL_UNSUPPORTED in the runtime's words. */
  static async open(path: string, memory: MemoryPeak): Promise<Session> {
    const runner = new Runner();
    try {
      const load = runner.load({ path, threads: 1 });
      const { signature } = await within(runner, LOAD_TIMEOUT_MS, load);
      return new Session(path, runner, memory, signature);
    } catch (error) {
      runner.kill('not loaded');
      throw SelvageError.of('MODEL_UNSUPPORTED', { path, problem: reasonOf(error) }, error);
    }
  }

  /**
   * Runs the model on each sample, in order; `outputs` are the names wanted, by default all. Throws INFERENCE_FAILED
   * with the runtime's words at the first run that fails, and INPUT_MISSING where a sample lacks an input.
   */
  async *run(
    samples: AsyncIterable<readonly Tensor[]> | Iterable<readonly Tensor[]>,
    outputs: readonly string[] = [],
  ): AsyncGenerator<RunOutcome> {
    const wanted = outputs.map((name) => this.#outputIndex(name));
    let group: Run[] = [];
    for await (const sample of samples) {
      group.push({ inputs: this.#inputs(sample), outputs: wanted });
      if (group.length < this.#groupSize()) continue;
      yield* await this.#runGroup(group);
      group = [];
    }
    if (group.length > 0) yield* await this.#runGroup(group);
  }

  /** Ends the runner and notes the memory it needed. */
  close(): void {
    this.#memory.look(this.#runner.pid);
    this.#memory.forget(this.#runner.pid);
    this.#runner.kill('done');
  }

  async #runGroup(runs: readonly Run[]): Promise<RunOutcome[]> {
    const results = await within(this.#runner, RUN_TIMEOUT_MS, this.#runner.run(runs)).catch(
      (error: unknown) => {
        throw this.#failed(reasonOf(error), error);
      },
    );
    this.#memory.look(this.#runner.pid);
    this.#bytesPerRun = largest(results.map((result, index) => bytesOfRun(runs[index], result)));
    return results.map((result) => {
      if (!result.ok) throw this.#failed(result.reason);
      const outputs = result.outputs.map(({ index, datatype, dims, data }): Tensor => {
        const name = this.signature.outputs[index]?.name ?? '';
        return { name, datatype, shape: dims, data };
      });
      return { outputs, inferUs: result.inferUs };
    });
  }

  #groupSize(): number {
    return Math.min(FRAME_RUNS, Math.max(1, Math.floor(FRAME_BYTES / this.#bytesPerRun)));
  }

  #inputs(sample: readonly Tensor[]): IndexedTensor[] {
    return this.signature.inputs.map(({ name }, index) => {
      const tensor = sample.find((one) => one.name === name);
      if (tensor === undefined) throw SelvageError.of('INPUT_MISSING', { model: this.#path, input: name });
      return { index, datatype: tensor.datatype, dims: tensor.shape, data: tensor.data };
    });
  }

  #outputIndex(name: string): number {
    const index = this.signature.outputs.findIndex((output) => output.name === name);
    if (index < 0) throw SelvageError.of('INTERNAL', { reason: `${this.#path} has no output '${name}'` });
    return index;
  }

  #failed(reason: string, cause?: unknown): SelvageError {
    return SelvageError.of('INFERENCE_FAILED', { model: this.#path, reason }, cause);
  }
}

/** Waits for a runner's answer, and kills the runner where none comes. */
async function within<Answer>(runner: Runner, timeoutMs: number, answer: Promise<Answer>): Promise<Answer> {
  const timer = setTimeout(() => runner.kill(`no answer within ${timeoutMs} ms`), timeoutMs);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}

function bytesOfRun(run: Run | undefined, result: RunResult): number {
  const tensors = [...(run?.inputs ?? []), ...(result.ok ? result.outputs : [])];
  return tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 1);
}
