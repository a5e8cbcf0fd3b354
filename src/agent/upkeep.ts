import { removeTemporaryFiles, removeUnusedModels } from '../catalogue/stored-models.ts';
import type { Config } from '../config/schema.ts';
import type { HardwareReport } from '../hardware/hardware-report.ts';
import { runJob } from '../lib/child/job.ts';
import type { JobRegistry } from '../lib/child/job-registry.ts';
import type { Log } from '../lib/log.ts';
import { startSchedule } from '../lib/schedule.ts';
import type { Metrics } from '../metrics.ts';
import { RequestLog } from '../store/request-log.ts';
import type { StateStore } from '../store/state-store.ts';

const PROBE_JOB = new URL('./probe-job.js', import.meta.url);
const PROBE_TIMEOUT_MS = 60_000;
/** A model that nothing uses any more stays this long, so that an undone change of the configuration costs nothing. */
const UNUSED_GRACE_MS = 24 * 3_600_000;
/** Work that can wait is not done in the first moments, when clients come back. */
const SETTLE_MS = 2000;

interface Probed {
  readonly report: HardwareReport;
  readonly fingerprint: string;
}

/** What upkeep works with. */
export interface UpkeepContext {
  readonly store: StateStore;
  readonly jobs: JobRegistry;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** What the agent does beside serving: probing the hardware, keeping the request log and the store within bounds. */
export class Upkeep {
  readonly #context: UpkeepContext;
  readonly #abort = new AbortController();
  #probed: Promise<Probed> | undefined;
  #requestLog: RequestLog | undefined;
  #stopSchedule: (() => void) | undefined;
  #config: Config | undefined;

  constructor(context: UpkeepContext) {
    this.#context = context;
  }

  /** Fingerprint of the hardware; probes it where that was not done since the start. */
  async hardware(): Promise<string> {
    this.#probed ??= this.#probe();
    return (await this.#probed).fingerprint;
  }

  /** Opens the request log where the configuration wants one. */
  openRequestLog(config: Config): RequestLog | undefined {
    const { store, metrics, log } = this.#context;
    this.#config = config;
    if (!config.requestLog.enabled) return undefined;
    this.#requestLog = new RequestLog({
      stateDir: config.stateDir,
      limits: config.requestLog,
      reserve: store.reserve,
      onFault: ({ error, count, dropped }) => {
        metrics.requestLogFaults.with({}).inc(count);
        log.error({ err: error, count, dropped }, 'the request log cannot be written');
      },
      onSetAside: (event) =>
        log.error({ ...event }, 'the request log was damaged; it was set aside and begun anew'),
    });
    return this.#requestLog;
  }

  /** Rows of the request log that were given up. */
  get droppedRows(): number {
    return this.#requestLog?.statistics().dropped ?? 0;
  }

  /** Begins the recurring work, a moment after the start. */
  begin(config: Config): void {
    this.#config = config;
    setTimeout(() => void this.#begin(config), SETTLE_MS).unref();
  }

  /** Takes new retention limits and times. */
  configure(config: Config): void {
    this.#config = config;
    this.#requestLog?.setLimits(config.requestLog);
    if (this.#stopSchedule !== undefined) void this.#schedule(config);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#stopSchedule?.();
    await this.#requestLog?.close();
  }

  async #begin(config: Config): Promise<void> {
    if (this.#abort.signal.aborted) return;
    await this.#attempt('clean up', () => removeTemporaryFiles(config.stateDir));
    await this.#attempt('keep a reserve on the disk', () => this.#context.store.reserve?.ensure());
    await this.#attempt('probe the hardware', () => this.hardware());
    await this.#schedule(config);
  }

  async #schedule(config: Config): Promise<void> {
    this.#stopSchedule?.();
    const { retention, reprobe } = config.schedule;
    const stop = await startSchedule(
      [
        { name: 'retention', expression: retention, task: () => this.#retain() },
        { name: 'reprobe', expression: reprobe, task: () => this.#reprobe() },
      ],
      { onError: (name, err) => this.#context.log.error({ err, name }, 'scheduled work failed') },
    );
    this.#stopSchedule = stop;
    if (this.#abort.signal.aborted) stop();
  }

  async #retain(): Promise<void> {
    await this.#attempt('trim the request log', async () => {
      const report = await this.#requestLog?.applyRetention();
      if (report !== undefined) this.#context.log.info({ ...report }, 'request log trimmed');
    });
    await this.#attempt('remove unused models', async () => {
      const removed = await this.#removeUnused();
      if (removed.length > 0) this.#context.log.info({ removed }, 'unused models removed');
    });
    await this.#attempt('keep a reserve on the disk', () => this.#context.store.reserve?.ensure());
  }

  /** Removes models from the store that no source of the configuration holds any more. */
  async #removeUnused(): Promise<string[]> {
    const { store } = this.#context;
    const config = this.#config;
    if (config === undefined) return [];
    const named = new Set(
      Object.values(config.models).flatMap(({ source, variants }) => [
        ...(source === undefined ? [] : [source]),
        ...Object.values(variants ?? {}).map((variant) => variant.source),
      ]),
    );
    const keep = new Set(store.sources.list().flatMap(({ path, hash }) => (named.has(path) ? [hash] : [])));
    const { stateDir } = config;
    const removed = await removeUnusedModels({ stateDir, keep, graceMs: UNUSED_GRACE_MS, now: Date.now() });
    for (const hash of removed) store.models.remove(hash);
    return removed;
  }

  async #reprobe(): Promise<void> {
    this.#probed = this.#probe();
    await this.#probed;
  }

  async #probe(): Promise<Probed> {
    const { jobs, store, metrics, log } = this.#context;
    const probed = await jobs.run('probe', 'hardware', this.#abort.signal, (handle) =>
      runJob<null, Probed>(PROBE_JOB, null, { ...handle, timeoutMs: PROBE_TIMEOUT_MS }),
    );
    const { report, fingerprint } = probed;
    if (report.temperatures.status === 'ok') {
      for (const { type, celsius } of report.temperatures.data) {
        if (celsius !== undefined) metrics.temperature.with({ zone: type }).set(celsius);
      }
    }
    await this.#attempt('remember the hardware', () =>
      store.probes.record({ fingerprint, report, at: Date.now() }),
    );
    log.info({ fingerprint, board: boardName(report) }, 'hardware probed');
    return probed;
  }

  /** Upkeep that fails is logged; serving does not depend on it. */
  async #attempt(what: string, work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (err) {
      if (!this.#abort.signal.aborted) this.#context.log.warn({ err }, `cannot ${what}`);
    }
  }
}

function boardName(report: HardwareReport): string | undefined {
  return report.board.status === 'ok' ? report.board.data.model : undefined;
}
