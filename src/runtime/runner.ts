import { ChildProcess } from '../lib/child/child-process.ts';
import type { Frame } from '../lib/child/frame.ts';
import {
  decodeResults,
  encodeRuns,
  KIND,
  type LoadSpec,
  type OptimizeSpec,
  type Run,
  type RunnerInfo,
  type RunResult,
  type RuntimeDescription,
} from './messages.ts';

const RUNNER_MAIN = new URL('./runner-main.js', import.meta.url);
const NOTHING = new Uint8Array(0);

/** Why a runner does not answer (any more). */
export class RunnerEnded extends Error {
  override readonly name = 'RunnerEnded';
}

/** Why a runner refused a question: the runtime's own words. */
export class RunnerRefused extends Error {
  override readonly name = 'RunnerRefused';
}

interface Question {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The agent's side of a runner: one child process, one loaded model. Questions are answered in the order they are
 * asked; several may be on their way. Every promise rejects with `RunnerEnded` when the child ends.
 */
export class Runner {
  readonly #child: ChildProcess;
  /** Questions not answered yet, oldest first. */
  readonly #questions: Question[] = [];
  readonly #lastWords: string[] = [];
  #endReason: string | undefined;
  /** Called once when the child ends, with the reason. */
  onEnd: ((reason: string) => void) | undefined;
  /** Called per line the child writes to standard error. */
  onStderr: ((line: string) => void) | undefined;

  constructor() {
    this.#child = new ChildProcess({
      module: RUNNER_MAIN,
      shareMemory: true,
      onFrame: (frame) => this.#onFrame(frame),
      onExit: (reason) => this.#onExit(reason),
      onStderr: (line) => {
        this.#lastWords.push(line);
        if (this.#lastWords.length > 8) this.#lastWords.shift();
        this.onStderr?.(line);
      },
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#endReason !== undefined;
  }

  /** The last lines the child wrote to standard error. */
  get lastWords(): readonly string[] {
    return this.#lastWords;
  }

  /** Loads and warms up a model; rejects with `RunnerRefused` in the runtime's words. */
  async load(spec: LoadSpec): Promise<RunnerInfo> {
    return this.#askJson<RunnerInfo>(KIND.LOAD, spec);
  }

  /** Runs the session once per entry; the results come in the same order. The data must not change until then. */
  async run(runs: readonly Run[]): Promise<RunResult[]> {
    const { header, data } = encodeRuns(runs);
    const frame = await this.#ask(KIND.RUN, header, data);
    return decodeResults(frame.header, frame.data);
  }

  /** Resolves when the model has answered its warm-up input. */
  async canary(): Promise<void> {
    await this.#ask(KIND.CANARY, NOTHING);
  }

  /** Times runs on random input until there are `maxRuns` or `maxMs` have passed; microseconds each. */
  async bench(maxRuns: number, maxMs: number): Promise<number[]> {
    return this.#askJson<number[]>(KIND.BENCH, { maxRuns, maxMs });
  }

  /** Writes a model as the runtime simplifies it, in operators of the standard; rejects with `RunnerRefused`. */
  async optimize(spec: OptimizeSpec): Promise<void> {
    await this.#askJson(KIND.OPTIMIZE, spec);
  }

  /** What the runtime of this machine is; needs no model. */
  async describe(): Promise<RuntimeDescription> {
    return this.#askJson<RuntimeDescription>(KIND.DESCRIBE, {});
  }

  /** Ends the child at once. */
  kill(reason: string): void {
    this.#child.kill(reason);
  }

  async #askJson<Answer>(kind: number, value: unknown): Promise<Answer> {
    const frame = await this.#ask(kind, Buffer.from(JSON.stringify(value)));
    return JSON.parse(frame.header.toString()) as Answer;
  }

  #ask(kind: number, header: Uint8Array, data: readonly Uint8Array[] = []): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.#endReason !== undefined) {
        reject(new RunnerEnded(this.#endReason));
        return;
      }
      this.#questions.push({ resolve, reject });
      this.#child.send(kind, header, data);
    });
  }

  #onFrame(frame: Frame): void {
    const question = this.#questions.shift();
    if (question === undefined) return;
    if (frame.kind === KIND.FAILED) {
      const { reason } = JSON.parse(frame.header.toString()) as { reason: string };
      question.reject(new RunnerRefused(reason));
    } else question.resolve(frame);
  }

  #onExit(reason: string): void {
    this.#endReason = reason;
    for (const question of this.#questions.splice(0)) question.reject(new RunnerEnded(reason));
    this.onEnd?.(reason);
  }
}
