import { setInterval } from 'node:timers';
import { type KeyedConfig, writeCachedConfig } from './agent/config-cache.ts';
import { Listeners } from './agent/listeners.ts';
import { loadConfigInChild } from './agent/load-config.ts';
import { Observation } from './agent/observation.ts';
import { openState } from './agent/open-state.ts';
import { Upkeep } from './agent/upkeep.ts';
import { Catalogue } from './catalogue/catalogue.ts';
import { diffConfig } from './config/diff.ts';
import type { Config } from './config/schema.ts';
import { JobRegistry, type JobStatus } from './lib/child/job-registry.ts';
import { systemClock } from './lib/clock.ts';
import { toSelvageError } from './lib/errors.ts';
import type { RootLog } from './lib/log.ts';
import { createNotifier, type Notifier, watchdogIntervalMs } from './lib/systemd.ts';
import { packageVersion } from './lib/version.ts';
import { createMetrics, type Metrics, startProcessMetrics } from './metrics.ts';
import { SpareRunners } from './runtime/spare-runners.ts';
import type { AgentControl, AgentStatus, ReloadReport } from './serving/service.ts';
import { Serving } from './serving/serving.ts';
import type { StateStore } from './store/state-store.ts';
import { MediaWorker } from './tasks/media-worker/media-worker.ts';

/** A start that takes longer than this is reported to systemd as done; `status` says what is still loading. */
const READY_WITHIN_MS = 60_000;

/**
 * The agent: builds its parts, starts them in order, stops them in reverse. The only place that knows all of them.
 */
export class Agent implements AgentControl {
  readonly #log: RootLog;
  readonly #metrics: Metrics;
  readonly #jobs = new JobRegistry(systemClock);
  readonly #observation: Observation;
  readonly #store: StateStore;
  readonly #media: MediaWorker;
  readonly #serving: Serving;
  readonly #listeners: Listeners;
  readonly #upkeep: Upkeep;
  readonly #startedAt = Date.now();
  /** Undone in reverse order by `stop`. */
  readonly #undo: Array<() => unknown> = [];
  readonly #end = new AbortController();
  /** The configuration of the start, which listeners and store still go by. */
  readonly #begunWith: Config;
  #loaded: KeyedConfig;
  #reloading: Promise<ReloadReport> | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(loaded: KeyedConfig, log: RootLog, runners: SpareRunners) {
    const { config } = loaded;
    const clock = systemClock;
    this.#begunWith = config;
    this.#loaded = loaded;
    this.#log = log;
    this.#metrics = createMetrics();
    this.#observation = new Observation(this.#metrics);
    this.#store = openState(config.stateDir, log);
    this.#upkeep = new Upkeep({ store: this.#store, jobs: this.#jobs, metrics: this.#metrics, log });
    const catalogue = new Catalogue({
      stateDir: config.stateDir,
      store: this.#store,
      jobs: this.#jobs,
      hardware: () => this.#upkeep.hardware(),
      clock,
      log,
    });
    this.#media = new MediaWorker({
      ...config.media,
      onStderr: (line) => log.warn({ line }, 'media worker wrote to standard error'),
    });
    this.#serving = new Serving({
      clock,
      log,
      media: this.#observation.observed(this.#media, clock),
      runners,
      redact: (text) => log.redact(text),
      variants: (model, settings, signal) => catalogue.choose(model, settings, signal),
      onState: (model, state) => this.#observation.noteState(model, state),
      onRestart: (model, reason) =>
        this.#metrics.runnerRestarts.with({ model, reason: restartReason(reason) }).inc(),
      onCanaryFailure: (model) => this.#metrics.canaryFailures.with({ model }).inc(),
      onCall: (record) => this.#observation.note(record, clock.now()),
    });
    this.#listeners = new Listeners({
      config: config.server,
      service: this.#serving,
      control: this,
      metrics: () => this.#renderMetrics(),
      log,
    });
  }

  /**
   * Starts an agent. Resolves when it listens; its models load meanwhile, in `runners` as far as they go. Rejects where
   * it cannot listen.
   */
  static async start(loaded: KeyedConfig, log: RootLog, runners = new SpareRunners(0)): Promise<Agent> {
    const agent = new Agent(loaded, log, runners);
    try {
      await agent.#start();
      return agent;
    } catch (error) {
      await agent.stop();
      throw error;
    }
  }

  /** Resolves when every model serves or is known not to, or when the agent stops. */
  async settled(): Promise<void> {
    while (!this.#serving.ready() && this.#stopping === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Resolves when the agent has stopped. */
  readonly stopped: Promise<void> = new Promise((resolve) => {
    this.#end.signal.addEventListener('abort', () => resolve());
  });

  async load(model: string): Promise<void> {
    await this.#serving.find(model).load();
  }

  async unload(model: string): Promise<void> {
    this.#serving.find(model).unload('an administrator unloaded it');
  }

  /** Reads the configuration again; calls that come meanwhile share the same reload. */
  reload(): Promise<ReloadReport> {
    this.#reloading ??= this.#reload().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  status(): AgentStatus {
    return {
      version: packageVersion,
      pid: process.pid,
      startedAt: this.#startedAt,
      uptimeSeconds: Math.round(process.uptime()),
      ready: this.#serving.ready(),
      rssBytes: process.memoryUsage.rss(),
      configPath: this.#loaded.path,
      stateDir: this.#loaded.config.stateDir,
      listeners: this.#listeners.addresses,
      models: this.#serving.models(),
    };
  }

  jobs(): JobStatus[] {
    return this.#jobs.list().map((job) => ({ ...job, message: this.#log.redact(job.message) }));
  }

  cancelJob(id: string): boolean {
    return this.#jobs.cancel(id);
  }

  /** Stops: no new requests, those under way finish, runners end, the store is closed. Never rejects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(): Promise<void> {
    const { config } = this.#loaded;
    // Runners take longest to come up, so they are started first.
    for (const [name, model] of Object.entries(config.models)) {
      const served = this.#serving.add(name, model);
      if (model.load) served.load().catch(() => {}); // Logged, and shown by its state.
    }
    this.#undo.push(
      () => this.#store.close(),
      () => this.#upkeep.close(),
      () => this.#media.close(),
      () => this.#jobs.close(),
      () => this.#serving.close(),
      () => this.#listeners.close(this.#loaded.config.server.drainTimeoutMs),
    );
    await this.#listeners.open();
    this.#metrics.logSuppressed.collect((set) => set({}, this.#log.suppressed));
    this.#metrics.requestLogDropped.collect((set) => set({}, this.#upkeep.droppedRows));
    this.#undo.push(startProcessMetrics(this.#metrics, { version: packageVersion }));
    this.#observation.requestLog = this.#upkeep.openRequestLog(config);
    this.#announce().catch((error: unknown) => this.#log.error({ err: error }, 'cannot announce the agent'));
  }

  /** Tells the service manager when the models have settled, and from then on that they answer. */
  async #announce(): Promise<void> {
    const notifier = await createNotifier(process.env, this.#log);
    const late = new Promise((resolve) => setTimeout(resolve, READY_WITHIN_MS).unref());
    await Promise.race([this.settled(), late]);
    if (this.#stopping !== undefined) return;
    notifier.ready(this.#summary());
    this.#log.info(
      { models: this.#serving.models().length, rssBytes: process.memoryUsage.rss() },
      'agent ready',
    );
    this.#undo.push(() => notifier.stopping('draining requests'), this.#feedWatchdog(notifier));
    this.#upkeep.begin(this.#loaded.config);
    await this.#keepConfig();
  }

  /** Keeps the configuration for a faster next start. */
  async #keepConfig(): Promise<void> {
    try {
      await writeCachedConfig(this.#loaded);
    } catch (error) {
      this.#log.debug({ err: error }, 'the configuration could not be kept for the next start');
    }
  }

  /** Feeds systemd's watchdog while every serving model answers a canary run; returns how to stop. */
  #feedWatchdog(notifier: Notifier): () => void {
    const intervalMs = watchdogIntervalMs(process.env);
    if (intervalMs === undefined) return () => {};
    const feed = async (): Promise<void> => {
      if (await this.#serving.canary()) notifier.watchdog();
      else this.#log.error('a canary run was not answered: the watchdog is not fed');
      notifier.status(this.#summary());
    };
    void feed();
    const timer = setInterval(() => void feed(), intervalMs);
    return () => clearInterval(timer);
  }

  async #reload(): Promise<ReloadReport> {
    const reloads = this.#metrics.configReloads;
    try {
      const report = await this.#apply(await loadConfigInChild(this.#loaded.path));
      reloads.with({ result: 'ok' }).inc();
      this.#log.info({ ...report }, 'configuration reloaded');
      return report;
    } catch (thrown) {
      const error = toSelvageError(thrown);
      reloads.with({ result: error.code }).inc();
      this.#log.error({ err: error }, 'configuration not reloaded; the one before stays in effect');
      throw error;
    }
  }

  async #apply(next: KeyedConfig): Promise<ReloadReport> {
    const { added, changed, removed, unchanged } = diffConfig(this.#loaded.config, next.config);
    const { needRestart } = diffConfig(this.#begunWith, next.config);
    // What cannot change while the agent runs stays as it is until it is started again.
    const config: Config = { ...next.config, stateDir: this.#loaded.config.stateDir };
    this.#loaded = { ...next, config };
    this.#log.setLevel(config.log.level);
    this.#log.setSecrets(next.secrets);
    this.#media.configure(config.media);
    this.#upkeep.configure(config);
    for (const name of removed) {
      this.#serving.remove(name);
      this.#observation.forget(name);
    }
    const steps = [...added, ...changed].map(async (name) => {
      const model = config.models[name];
      if (model === undefined) return;
      if (added.includes(name)) {
        const served = this.#serving.add(name, model);
        if (model.load) await served.load();
      } else await this.#serving.find(name).reconfigure(model);
    });
    // A file may have been replaced where the settings are the same.
    for (const name of unchanged) {
      const served = this.#serving.find(name);
      if (served.state !== 'unloaded') steps.push(served.load());
    }
    this.#serving.arrange(Object.keys(config.models));
    await this.#keepConfig();
    await Promise.allSettled(steps); // A model that cannot load says so in its state and in the log.
    return { added, changed, removed, unchanged, needRestart };
  }

  async #stop(): Promise<void> {
    this.#log.info('agent stopping');
    await this.#keepConfig(); // The start may have been too short for it.
    for (const undo of this.#undo.reverse()) {
      try {
        await undo();
      } catch (error) {
        this.#log.error({ err: error }, 'a part of the agent did not stop cleanly');
      }
    }
    await this.#log.flush();
    this.#end.abort();
  }

  #renderMetrics(): string {
    const { queueLength, requestsInFlight, runnerRss, connections } = this.#metrics;
    for (const [listener, count] of Object.entries(this.#listeners.connections)) {
      connections.with({ listener }).set(count);
    }
    for (const { name, queued, inFlight, rssBytes } of this.#serving.models()) {
      queueLength.with({ model: name }).set(queued);
      requestsInFlight.with({ model: name }).set(inFlight);
      if (rssBytes !== undefined) runnerRss.with({ model: name }).set(rssBytes);
    }
    return this.#metrics.render();
  }

  #summary(): string {
    const models = this.#serving.models();
    const ready = models.filter((model) => model.state === 'ready').length;
    return `${ready} of ${models.length} models serve`;
  }
}

/** The reason of a restart as a label: few values, no numbers. */
function restartReason(reason: string): string {
  if (reason.startsWith('signal ')) return reason.slice('signal '.length);
  if (reason.startsWith('a run took')) return 'deadline';
  if (reason.startsWith('no answer')) return 'canary';
  return reason.startsWith('exit code') ? 'exit' : 'other';
}
