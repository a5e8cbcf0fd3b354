import type { Completed } from './dispatcher.ts';
import type { DurationStatistic, ModelStatistics } from './service.ts';

interface Sum {
  count: number;
  ns: number;
}

/** Counts and times of a model's inferences since the agent started. */
export class StatisticsRecorder {
  #lastInferenceMs = 0;
  #inferenceCount = 0;
  #executionCount = 0;
  readonly #success: Sum = { count: 0, ns: 0 };
  readonly #fail: Sum = { count: 0, ns: 0 };
  readonly #queue: Sum = { count: 0, ns: 0 };
  readonly #computeInput: Sum = { count: 0, ns: 0 };
  readonly #computeInfer: Sum = { count: 0, ns: 0 };
  readonly #computeOutput: Sum = { count: 0, ns: 0 };

  /** Counts an answered call of `rows` inferences; `totalMs` is from submission to answer. */
  succeeded(completed: Completed, rows: number, totalMs: number, nowMs: number): void {
    this.#lastInferenceMs = nowMs;
    this.#inferenceCount += rows;
    // Each call of a shared run counts its part of it, so that the sum is the number of runs.
    this.#executionCount += 1 / completed.batchSize;
    add(this.#success, totalMs * 1e6);
    add(this.#queue, completed.queueUs * 1e3);
    add(this.#computeInput, completed.inputUs * 1e3);
    add(this.#computeInfer, completed.inferUs * 1e3);
    add(this.#computeOutput, completed.outputUs * 1e3);
  }

  failed(totalMs: number): void {
    add(this.#fail, totalMs * 1e6);
  }

  snapshot(): ModelStatistics {
    return {
      lastInferenceMs: this.#lastInferenceMs,
      inferenceCount: this.#inferenceCount,
      executionCount: Math.round(this.#executionCount),
      success: rounded(this.#success),
      fail: rounded(this.#fail),
      queue: rounded(this.#queue),
      computeInput: rounded(this.#computeInput),
      computeInfer: rounded(this.#computeInfer),
      computeOutput: rounded(this.#computeOutput),
    };
  }
}

function add(sum: Sum, ns: number): void {
  sum.count += 1;
  sum.ns += ns;
}

function rounded(sum: Sum): DurationStatistic {
  return { count: sum.count, ns: Math.round(sum.ns) };
}
