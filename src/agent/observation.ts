import type { Clock } from '../lib/clock.ts';
import { toSelvageError } from '../lib/errors.ts';
import type { Metrics } from '../metrics.ts';
import { MODEL_STATES, type ModelState } from '../serving/service.ts';
import type { CallRecord } from '../serving/serving.ts';
import type { RequestLog } from '../store/request-log.ts';
import type { MediaDecoder } from '../tasks/task.ts';

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

  /** Notes the state a model is in now. */
  noteState(model: string, state: ModelState): void {
    for (const one of MODEL_STATES)
      this.#metrics.modelState.with({ model, state: one }).set(one === state ? 1 : 0);
    this.#metrics.modelReady.with({ model }).set(state === 'ready' ? 1 : 0);
  }

  /** The same decoder, with each of its inputs counted and timed. */
  observed(media: MediaDecoder, clock: Clock): MediaDecoder {
    const { mediaDecodes, mediaDecodeDuration } = this.#metrics;
    return {
      decodeImage: async (...input) => {
        const started = clock.monotonic();
        try {
          const tensor = await media.decodeImage(...input);
          mediaDecodes.with({ result: 'ok' }).inc();
          return tensor;
        } catch (error) {
          mediaDecodes.with({ result: toSelvageError(error).code }).inc();
          throw error;
        } finally {
          mediaDecodeDuration.with({}).observe((clock.monotonic() - started) / 1e3);
        }
      },
    };
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
