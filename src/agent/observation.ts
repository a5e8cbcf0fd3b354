import type { Metrics } from '../metrics.ts';
import type { CallRecord } from '../serving/serving.ts';
import type { RequestLog } from '../store/request-log.ts';

type RequestCounter = ReturnType<Metrics['requests']['with']>;

/** The series of one model, looked up once: finding them by label costs more than counting. */
interface ModelSeries {
  readonly ok: RequestCounter;
  readonly duration: ReturnType<Metrics['requestDuration']['with']>;
  readonly queue: ReturnType<Metrics['queueDuration']['with']>;
  readonly inference: ReturnType<Metrics['inferenceDuration']['with']>;
  readonly batchSize: ReturnType<Metrics['batchSize']['with']>;
}

/** Notes every call in the metrics and, where it is on, in the request log. */
export class Observation {
  readonly #metrics: Metrics;
  readonly #series = new Map<string, ModelSeries>();
  /** Where rows go; undefined while the request log is off. */
  requestLog: RequestLog | undefined;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Notes one call. On the request path: it counts, and waits for nothing. */
  note(record: CallRecord, now: number): void {
    const { model, error, totalMs, completed } = record;
    const series = this.#seriesOf(model);
    if (error === undefined) series.ok.inc();
    else this.#metrics.requests.with({ model, protocol: 'http', code: error.code }).inc();
    series.duration.observe(totalMs / 1e3);
    if (completed !== undefined) {
      series.queue.observe(completed.queueUs / 1e6);
      series.inference.observe(completed.inferUs / 1e6);
      series.batchSize.observe(completed.batchSize);
    }
    this.requestLog?.append({
      at: now,
      requestId: record.requestId ?? '',
      model,
      variant: record.variant ?? null,
      source: error === undefined ? 'edge' : null,
      status: error?.httpStatus ?? 200,
      latencyUs: Math.round(totalMs * 1e3),
      queueUs: completed?.queueUs ?? 0,
      batch: completed?.batchSize ?? null,
      error: error?.code ?? null,
    });
  }

  /** Forgets a model that is no longer configured. */
  forget(model: string): void {
    this.#series.delete(model);
    this.#metrics.forgetModel(model);
  }

  #seriesOf(model: string): ModelSeries {
    const known = this.#series.get(model);
    if (known !== undefined) return known;
    const metrics = this.#metrics;
    const series: ModelSeries = {
      ok: metrics.requests.with({ model, protocol: 'http', code: 'ok' }),
      duration: metrics.requestDuration.with({ model }),
      queue: metrics.queueDuration.with({ model }),
      inference: metrics.inferenceDuration.with({ model }),
      batchSize: metrics.batchSize.with({ model }),
    };
    this.#series.set(model, series);
    return series;
  }
}
