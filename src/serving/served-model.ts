import type { ModelConfig } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import { type ErrorCode, reasonOf, SelvageError, toSelvageError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { residentBytes } from '../lib/resident-memory.ts';
import type { RunnerInfo } from '../runtime/messages.ts';
import type { Runner } from '../runtime/runner.ts';
import type { SpareRunners } from '../runtime/spare-runners.ts';
import type { MediaDecoder, Task } from '../tasks/task.ts';
import { createTask } from '../tasks/tasks.ts';
import { Backoff } from './backoff.ts';
import { Dispatcher, type DispatcherLimits } from './dispatcher.ts';
import type { ModelState, ModelStatus } from './service.ts';
import { StatisticsRecorder } from './statistics.ts';

/** Time a canary run may take; a runner that takes longer hangs. */
const CANARY_TIMEOUT_MS = 5000;

/** Faults of a model's files: waiting does not heal them, so the model is refused until it is loaded anew. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'MODEL_FILE_MISSING',
  'MODEL_FILE_INVALID',
  'MODEL_UNSUPPORTED',
  'FILE_UNREADABLE',
  'TASK_MISFIT',
]);

/** A file that can serve a model, with how it runs. */
export interface ServableVariant {
  readonly name: string;
  /** Hash of its content; undefined where it is served from where it lies and may change. */
  readonly hash: string | undefined;
  readonly path: string;
  readonly threads: number;
}

/** Imports what the configuration names and chooses the variant to serve. Rejects with why it cannot. */
export type VariantSource = (
  model: string,
  config: ModelConfig,
  signal: AbortSignal,
) => Promise<ServableVariant>;

/** What a served model needs of its surroundings. */
export interface ServedModelContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly variants: VariantSource;
  readonly media: MediaDecoder;
  /** Where runners come from. */
  readonly runners: SpareRunners;
  /** Takes secrets out of a text that clients will see: a path or a message may hold one. */
  readonly redact: (text: string) => string;
  /** Called after every change of state, and per runner restart with why. */
  readonly onState: (model: string, state: ModelState) => void;
  readonly onRestart: (model: string, reason: string) => void;
  /** Called when a runner did not answer a canary run. */
  readonly onCanaryFailure: (model: string) => void;
}

/** A runner that answers, with what it answers from. */
export interface Serving {
  readonly runner: Runner;
  readonly variant: ServableVariant;
  readonly info: RunnerInfo;
  readonly task: Task | undefined;
  /** The settings it was started with. */
  readonly config: ModelConfig;
  readonly since: number;
}

/**
 * One model of the configuration: gets its variant imported, keeps a runner alive for it, swaps to a new one without
 * a gap when the configuration changes. Its state is a plain field; every step that waits checks afterwards that it
 * is still wanted (`#turn`), so that the last command wins.
 */
export class ServedModel {
  readonly name: string;
  readonly statistics = new StatisticsRecorder();
  readonly #context: ServedModelContext;
  readonly #backoff = new Backoff();
  #config: ModelConfig;
  readonly dispatcher: Dispatcher;
  #state: ModelState = 'unloaded';
  #reason = 'it was not loaded';
  #serving: Serving | undefined;
  #restarts = 0;
  #turn = new AbortController();

  constructor(name: string, config: ModelConfig, context: ServedModelContext) {
    this.name = name;
    this.#config = config;
    this.#context = context;
    this.dispatcher = new Dispatcher(this.#limits(), context.clock);
  }

  get config(): ModelConfig {
    return this.#config;
  }

  get state(): ModelState {
    return this.#state;
  }

  /** Name of the variant that serves, if one does. */
  get variantName(): string | undefined {
    return this.#serving?.variant.name;
  }

  /** What serves at this moment; throws MODEL_NOT_READY with why nothing does. */
  get serving(): Serving {
    if (this.#serving !== undefined) return this.#serving;
    throw SelvageError.of('MODEL_NOT_READY', { model: this.name, reason: this.#reason });
  }

  /**
   * Imports, loads and warms up; resolves when the model is ready and rejects with why it is not. Where it serves
   * already, its files and settings are looked at again, and only what changed is loaded anew.
   */
  async load(): Promise<void> {
    const turn = this.#takeTurn();
    this.#backoff.reset();
    if (this.#serving === undefined) this.#enter('importing', 'its files are being imported');
    try {
      const next = await this.#start(turn);
      this.#serve(next);
    } catch (thrown) {
      const error = toSelvageError(thrown);
      if (turn.aborted) throw error;
      this.#giveUp(error);
      const { code, message, hint } = error;
      throw SelvageError.revive({ code, message: this.#context.redact(message), hint });
    }
  }

  /** Stops serving; requests with the runner finish, its memory is then given back. */
  unload(reason: string): void {
    this.#takeTurn();
    this.#serving = undefined;
    this.#enter('unloaded', reason);
    this.dispatcher.detach(reason);
  }

  /** Stops serving for good, without waiting for what the runner works on. */
  close(reason: string): void {
    this.unload(reason);
    this.dispatcher.close(reason);
  }

  /** Takes a new configuration. What serves goes on until its successor is ready; no request fails. */
  async reconfigure(config: ModelConfig): Promise<void> {
    this.#config = config;
    this.dispatcher.configure(this.#limits());
    if (!config.load) this.unload('the configuration says load: false');
    else await this.load();
  }

  /** Whether the runner answers: a small run within its time. A runner that does not is killed. */
  async canary(): Promise<boolean> {
    const runner = this.#serving?.runner;
    if (runner === undefined || this.dispatcher.inFlight > 0) return true;
    const cancel = this.#context.clock.after(CANARY_TIMEOUT_MS, () =>
      runner.kill(`no answer to a canary run within ${CANARY_TIMEOUT_MS} ms`),
    );
    try {
      await runner.canary();
      return true;
    } catch {
      this.#context.onCanaryFailure(this.name);
      return runner !== this.#serving?.runner;
    } finally {
      cancel();
    }
  }

  status(): ModelStatus {
    const serving = this.#serving;
    const pid = serving?.runner.pid;
    return {
      name: this.name,
      version: this.#config.version,
      state: this.#state,
      reason: this.#reason,
      variant: serving?.variant.name,
      signature: serving?.info.signature,
      task: this.#config.task?.type,
      maxBatchSize: serving?.info.batchable ? this.#config.batch.maxSize : 1,
      labels: serving?.task?.labels,
      pid,
      rssBytes: pid === undefined ? undefined : residentBytes(pid),
      restarts: this.#restarts,
      queued: this.dispatcher.queued,
      inFlight: this.dispatcher.inFlight,
      statistics: this.statistics.snapshot(),
    };
  }

  /** Imports and chooses a variant and brings a runner up on it. Rejects with CANCELLED when the turn is over. */
  async #start(turn: AbortSignal): Promise<Serving> {
    const variant = await this.#context.variants(this.name, this.#config, turn);
    if (turn.aborted) throw SelvageError.of('CANCELLED', {});
    if (this.#serving !== undefined && this.#isSame(this.#serving, variant)) return this.#serving;
    if (this.#serving === undefined) this.#enter('loading', `variant ${variant.name} is being loaded`);
    const runner = this.#context.runners.take();
    runner.onStderr = (line) =>
      this.#context.log.warn({ model: this.name, line }, 'runner wrote to standard error');
    const abort = (): void => runner.kill('no longer wanted');
    turn.addEventListener('abort', abort, { once: true });
    try {
      return await this.#bringUp(runner, variant);
    } catch (error) {
      runner.kill('it did not load');
      throw this.#loadError(error, variant);
    } finally {
      turn.removeEventListener('abort', abort);
    }
  }

  async #bringUp(runner: Runner, variant: ServableVariant): Promise<Serving> {
    const { clock, log, media } = this.#context;
    const { loadTimeoutMs } = this.#config;
    const cancel = clock.after(loadTimeoutMs, () => runner.kill(`not loaded within ${loadTimeoutMs} ms`));
    try {
      const info = await runner.load({ path: variant.path, threads: variant.threads });
      if (info.warmUpFault !== undefined) {
        log.info(
          { model: this.name, reason: info.warmUpFault },
          'warm-up run refused; the first request warms up',
        );
      }
      const { task: config } = this.#config;
      const task = config && (await createTask(config, info.signature, { model: this.name, media }));
      return { runner, variant, info, task, config: this.#config, since: clock.monotonic() };
    } finally {
      cancel();
    }
  }

  #isSame({ config, variant }: Serving, other: ServableVariant): boolean {
    const { name, hash, threads } = variant;
    const sameFile = hash !== undefined && hash === other.hash;
    return config === this.#config && sameFile && name === other.name && threads === other.threads;
  }

  #serve(next: Serving): void {
    if (next === this.#serving) return;
    const { runner, variant, info } = next;
    if (runner.ended)
      throw SelvageError.of('MODEL_NOT_READY', { model: this.name, reason: 'its runner ended' });
    runner.onEnd = (reason) => this.#onRunnerEnd(next, reason);
    this.#serving = next;
    this.dispatcher.attach(runner, info.batchable);
    this.#enter('ready', '');
    const loadMs = Math.round(info.loadMs);
    const warmUpMs = Math.round(info.warmUpMs);
    this.#context.log.info(
      { model: this.name, variant: variant.name, pid: runner.pid, loadMs, warmUpMs },
      'model ready',
    );
  }

  #onRunnerEnd(ended: Serving, reason: string): void {
    if (this.#serving !== ended) return;
    this.#serving = undefined;
    this.#restarts += 1;
    this.#context.onRestart(this.name, reason);
    const waitMs = this.#backoff.nextWaitMs(this.#context.clock.monotonic() - ended.since);
    this.#context.log.warn({ model: this.name, variant: ended.variant.name, reason, waitMs }, 'runner ended');
    this.#retryIn(waitMs, `its runner ended (${reason})`);
  }

  #giveUp(error: SelvageError): void {
    this.#context.log.error({ model: this.name, err: error }, 'model cannot be loaded');
    if (this.#serving !== undefined) return; // What served before still does.
    if (REFUSALS.has(error.code)) this.#enter('refused', error.message);
    else this.#retryIn(Math.max(500, this.#backoff.nextWaitMs(0)), error.message);
  }

  #retryIn(waitMs: number, reason: string): void {
    const turn = this.#takeTurn();
    this.#enter('unavailable', `${reason}; a new one starts ${waitMs === 0 ? 'now' : `in ${waitMs} ms`}`);
    const retry = async (): Promise<void> => {
      if (turn.aborted) return;
      try {
        this.#serve(await this.#start(turn));
      } catch (thrown) {
        if (!turn.aborted) this.#giveUp(toSelvageError(thrown));
      }
    };
    if (waitMs === 0) void retry();
    else
      turn.addEventListener(
        'abort',
        this.#context.clock.after(waitMs, () => void retry()),
        { once: true },
      );
  }

  /** Ends whatever step is under way and returns the signal of the new one. */
  #takeTurn(): AbortSignal {
    this.#turn.abort();
    this.#turn = new AbortController();
    return this.#turn.signal;
  }

  #enter(state: ModelState, reason: string): void {
    this.#state = state;
    this.#reason = this.#context.redact(reason);
    this.#context.onState(this.name, state);
  }

  #limits(): DispatcherLimits {
    const { queue, timeoutMs, batch } = this.#config;
    return { model: this.name, queueLimit: queue, runTimeoutMs: timeoutMs, maxBatchSize: batch.maxSize };
  }

  /** The runtime's refusal is the model's fault; the end of the runner may be the machine's. */
  #loadError(error: unknown, variant: ServableVariant): SelvageError {
    if (error instanceof SelvageError) return error;
    const reason = reasonOf(error);
    if (error instanceof Error && error.name === 'RunnerRefused') {
      return SelvageError.of('MODEL_UNSUPPORTED', { path: variant.path, problem: reason });
    }
    return SelvageError.of('MODEL_NOT_READY', {
      model: this.name,
      reason: `its runner ended while loading: ${reason}`,
    });
  }
}
