import type { Clock } from '../lib/clock.ts';
import { reasonOf, SelvageError } from '../lib/errors.ts';
import type { IndexedTensor, Run, RunResult } from '../runtime/messages.ts';
import type { Runner } from '../runtime/runner.ts';
import { batchRows, canStack, splitOutputs, stackRuns } from './batch.ts';

/** Frames a runner has at one time: one it works on and one that is there when it is done. */
const FRAMES_IN_FLIGHT = 2;

/** Calls that may share a frame; more would make the first wait for the last. */
const CALLS_PER_FRAME = 16;

/** Input bytes that calls may share a frame with; larger tensors travel alone. */
const SHARED_FRAME_BYTES = 64 * 1024;

/** What a dispatcher needs to know of its model. */
export interface DispatcherLimits {
  readonly model: string;
  /** Calls that may wait. */
  readonly queueLimit: number;
  /** Time one run may take before its runner is killed, in milliseconds. */
  readonly runTimeoutMs: number;
  /** Calls that may share one run of the runtime; 1 for no batching. */
  readonly maxBatchSize: number;
}

/** What a call gave: the outputs wanted and where the time went, in microseconds. */
export interface Completed {
  readonly outputs: readonly IndexedTensor[];
  readonly queueUs: number;
  readonly inputUs: number;
  readonly inferUs: number;
  readonly outputUs: number;
  /** Calls that shared the run. */
  readonly batchSize: number;
}

interface Call {
  readonly run: Run;
  readonly inputBytes: number;
  readonly signal: AbortSignal;
  readonly queuedAt: number;
  readonly timeoutMs: number;
  sentAt: number;
  settled: boolean;
  readonly resolve: (completed: Completed) => void;
  readonly reject: (error: SelvageError) => void;
}

/** A run of the runtime and the calls it answers. */
interface Batch {
  readonly run: Run;
  readonly calls: readonly Call[];
}

interface Frame {
  readonly batches: readonly Batch[];
  /** When the runner began with it: when it was sent or when the frame before it was answered. */
  begunAt: number;
}

/** A runner with the frames it has not answered, oldest first. */
interface Lane {
  readonly runner: Runner;
  readonly frames: Frame[];
  readonly maxBatchSize: number;
  retired: boolean;
}

/**
 * The queue in front of a model's runner. A call goes out at once while the runner is idle; under load calls wait
 * here and the next frame takes all that fit, so that many share the cost of a frame. Deadlines count from `submit`.
 */
export class Dispatcher {
  #limits: DispatcherLimits;
  readonly #clock: Clock;
  readonly #queue: Call[] = [];
  #lane: Lane | undefined;
  readonly #retired = new Set<Lane>();
  #pumping = false;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(limits: DispatcherLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Takes new limits for the calls to come. */
  configure(limits: DispatcherLimits): void {
    this.#limits = limits;
  }

  get queued(): number {
    return this.#queue.length;
  }

  get inFlight(): number {
    let count = 0;
    for (const lane of [this.#lane, ...this.#retired]) {
      for (const frame of lane?.frames ?? []) for (const batch of frame.batches) count += batch.calls.length;
    }
    return count;
  }

  /** Runs the model. Rejects with MODEL_NOT_READY, QUEUE_FULL, DEADLINE_EXCEEDED, RUNNER_CRASHED, INFERENCE_FAILED or CANCELLED. */
  submit(run: Run, timeoutMs: number, signal: AbortSignal): Promise<Completed> {
    return new Promise((resolve, reject) => {
      const { model, queueLimit } = this.#limits;
      if (this.#lane === undefined) {
        reject(SelvageError.of('MODEL_NOT_READY', { model, reason: 'it has no runner' }));
        return;
      }
      if (this.#queue.length >= queueLimit) {
        reject(SelvageError.of('QUEUE_FULL', { model, limit: queueLimit }));
        return;
      }
      let inputBytes = 0;
      for (const input of run.inputs) inputBytes += input.data.byteLength;
      const queuedAt = this.#clock.monotonic();
      this.#queue.push({
        run,
        inputBytes,
        signal,
        queuedAt,
        timeoutMs,
        sentAt: 0,
        settled: false,
        resolve,
        reject,
      });
      this.#wakeBy(queuedAt + timeoutMs);
      this.#pumpSoon();
    });
  }

  /** Makes `runner` take the calls from now on; the one before finishes what it has and is then killed. */
  attach(runner: Runner, batchable: boolean): void {
    const before = this.#lane;
    const maxBatchSize = batchable ? this.#limits.maxBatchSize : 1;
    this.#lane = { runner, frames: [], maxBatchSize, retired: false };
    if (before !== undefined) this.#retire(before);
    this.#pumpSoon();
  }

  /** Takes the runner away: waiting calls get MODEL_NOT_READY; those with the runner finish, then it is killed. */
  detach(reason: string): void {
    const before = this.#lane;
    this.#lane = undefined;
    if (before !== undefined) this.#retire(before);
    for (const call of this.#queue.splice(0)) {
      this.#fail(call, SelvageError.of('MODEL_NOT_READY', { model: this.#limits.model, reason }));
    }
  }

  /** Ends at once: the calls that are left fail, and runners are killed whatever they work on. */
  close(reason: string): void {
    this.detach(reason);
    for (const { runner } of this.#retired) runner.kill(reason);
  }

  /** An idle runner gets a call at once; a second frame waits for the end of this turn, to take more calls along. */
  #pumpSoon(): void {
    if (this.#lane?.frames.length === 0) {
      this.#pump();
      return;
    }
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    const lane = this.#lane;
    if (lane === undefined) return;
    while (lane.frames.length < FRAMES_IN_FLIGHT) {
      const calls = this.#take();
      if (calls.length === 0) return;
      this.#send(lane, calls);
    }
  }

  /** The next calls to share a frame; calls whose caller is gone are dropped on the way. */
  #take(): Call[] {
    const calls: Call[] = [];
    let bytes = 0;
    while (calls.length < CALLS_PER_FRAME) {
      const call = this.#queue[0];
      if (call === undefined) break;
      if (call.signal.aborted) this.#fail(call, SelvageError.of('CANCELLED', {}));
      if (!call.settled) {
        bytes += call.inputBytes;
        if (calls.length > 0 && bytes > SHARED_FRAME_BYTES) break;
        calls.push(call);
      }
      this.#queue.shift();
    }
    return calls;
  }

  #send(lane: Lane, calls: readonly Call[]): void {
    const now = this.#clock.monotonic();
    for (const call of calls) call.sentAt = now;
    const batches = groupCalls(calls, lane.maxBatchSize);
    const frame: Frame = { batches, begunAt: now };
    lane.frames.push(frame);
    this.#wakeBy(now + this.#frameTimeoutMs(frame));
    lane.runner.run(batches.map((batch) => batch.run)).then(
      (results) => this.#finish(lane, frame, results),
      (error: unknown) => this.#crash(lane, frame, reasonOf(error)),
    );
  }

  #finish(lane: Lane, frame: Frame, results: readonly RunResult[]): void {
    this.#leave(lane, frame);
    // The runner gets its next frame before the answers of this one are looked at.
    if (lane === this.#lane) this.#pump();
    frame.batches.forEach((batch, index) => {
      const result = results[index];
      if (result === undefined) this.#crashBatch(batch, 'it left a run out');
      else this.#settle(batch, result);
    });
  }

  #settle(batch: Batch, result: RunResult): void {
    if (!result.ok) {
      const { model } = this.#limits;
      for (const call of batch.calls) {
        this.#fail(call, SelvageError.of('INFERENCE_FAILED', { model, reason: result.reason }));
      }
      return;
    }
    const { inputUs, inferUs, outputUs } = result;
    const batchSize = batch.calls.length;
    const parts =
      batchSize === 1
        ? [result.outputs]
        : splitOutputs(
            result.outputs,
            batch.calls.map((call) => batchRows(call.run)),
          );
    batch.calls.forEach((call, index) => {
      const outputs = parts?.[index];
      if (outputs === undefined) {
        const reason = 'its outputs have no row per input row; set batch.maxSize to 1';
        this.#fail(call, SelvageError.of('INFERENCE_FAILED', { model: this.#limits.model, reason }));
      }
      if (call.settled || outputs === undefined) return;
      call.settled = true;
      const queueUs = Math.round((call.sentAt - call.queuedAt) * 1000);
      call.resolve({ outputs, queueUs, inputUs, inferUs, outputUs, batchSize });
    });
  }

  #crash(lane: Lane, frame: Frame, reason: string): void {
    this.#leave(lane, frame);
    if (lane === this.#lane) this.#lane = undefined;
    for (const batch of frame.batches) this.#crashBatch(batch, reason);
    if (this.#lane === undefined) this.detach(`its runner ended (${reason})`);
  }

  #crashBatch(batch: Batch, reason: string): void {
    for (const call of batch.calls) {
      this.#fail(call, SelvageError.of('RUNNER_CRASHED', { model: this.#limits.model, reason }));
    }
  }

  #leave(lane: Lane, frame: Frame): void {
    lane.frames.splice(lane.frames.indexOf(frame), 1);
    const next = lane.frames[0];
    if (next !== undefined) next.begunAt = this.#clock.monotonic();
    else if (lane.retired) {
      this.#retired.delete(lane);
      lane.runner.kill('replaced');
    }
  }

  #retire(lane: Lane): void {
    lane.retired = true;
    if (lane.frames.length === 0) lane.runner.kill('replaced');
    else this.#retired.add(lane);
  }

  #fail(call: Call, error: SelvageError): void {
    if (call.settled) return;
    call.settled = true;
    call.reject(error);
  }

  #frameTimeoutMs(frame: Frame): number {
    return this.#limits.runTimeoutMs * frame.batches.length;
  }

  /** Keeps one timer, for the earliest time at which something may be late; most often nothing is. */
  #wakeBy(at: number): void {
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.after(Math.max(1, at - this.#clock.monotonic()), () => this.#expire());
  }

  #expire(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#cancelTimer = undefined;
    const now = this.#clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    const check = (call: Call): void => {
      if (call.settled) return;
      if (call.queuedAt + call.timeoutMs > now) next = Math.min(next, call.queuedAt + call.timeoutMs);
      else {
        const { model } = this.#limits;
        this.#fail(call, SelvageError.of('DEADLINE_EXCEEDED', { model, timeoutMs: call.timeoutMs }));
      }
    };
    for (const call of this.#queue) check(call);
    for (const lane of [...this.#retired, ...(this.#lane === undefined ? [] : [this.#lane])]) {
      for (const frame of lane.frames)
        for (const batch of frame.batches) for (const call of batch.calls) check(call);
      const head = lane.frames[0];
      if (head === undefined) continue;
      const lateAt = head.begunAt + this.#frameTimeoutMs(head);
      if (lateAt > now) next = Math.min(next, lateAt);
      else this.#killLate(lane, head);
    }
    while (this.#queue[0]?.settled) this.#queue.shift();
    if (next < Number.POSITIVE_INFINITY) this.#wakeBy(next);
  }

  /** Callers that allowed more time than the model does get the same answer as the others: it was too slow. */
  #killLate(lane: Lane, frame: Frame): void {
    const { model, runTimeoutMs: timeoutMs } = this.#limits;
    for (const batch of frame.batches) {
      for (const call of batch.calls)
        this.#fail(call, SelvageError.of('DEADLINE_EXCEEDED', { model, timeoutMs }));
    }
    lane.runner.kill(`a run took longer than ${timeoutMs} ms`);
  }
}

/** Puts calls into runs: neighbours that can be stacked share one while they stay within `maxBatchSize` rows. */
function groupCalls(calls: readonly Call[], maxBatchSize: number): Batch[] {
  const groups: [Call, ...Call[]][] = [];
  let rows = 0;
  for (const call of calls) {
    const group = groups.at(-1);
    rows += batchRows(call.run);
    if (group !== undefined && rows <= maxBatchSize && canStack(group[0].run, call.run)) group.push(call);
    else {
      groups.push([call]);
      rows = batchRows(call.run);
    }
  }
  return groups.map((group) => {
    const [first, ...rest] = group;
    return { run: stackRuns([first.run, ...rest.map((call) => call.run)]), calls: group };
  });
}
