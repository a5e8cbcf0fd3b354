import { readdirSync } from 'node:fs';
import { type AnyMetric, Counter, Gauge, Histogram, renderMetrics } from './lib/prometheus.ts';

const LATENCY_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const LOOP_DELAY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/**
 * Every metric of Selvage, once, by the name it has in the code. `docs/metrics.md` is generated from this table. Names follow Prometheus
 * (base units, `_total` for counters); label `code` is `ok` or a code of the error table.
 */
// biome-ignore format: one line a metric
export const METRIC_TABLE = {
  // Requests
  requests: counter('selvage_requests_total', 'Requests for an inference that were answered, failures included.', ['model', 'protocol', 'code']),
  requestDuration: histogram('selvage_request_duration_seconds', 'Time from the whole request read to the answer made.', ['model'], LATENCY_SECONDS),
  queueDuration: histogram('selvage_queue_duration_seconds', 'Time a request waited for its runner.', ['model'], LATENCY_SECONDS),
  inferenceDuration: histogram('selvage_inference_duration_seconds', 'Time a run of the runtime took, as the agent saw it.', ['model'], LATENCY_SECONDS),
  batchSize: histogram('selvage_batch_size', 'Requests that shared a run of the runtime.', ['model'], BATCH_SIZES),
  requestsInFlight: gauge('selvage_requests_in_flight', 'Requests with a runner now.', ['model']),
  queueLength: gauge('selvage_queue_length', 'Requests waiting for a runner now.', ['model']),
  connections: gauge('selvage_connections', 'Client connections open now.', ['listener']),
  mediaDecodes: counter('selvage_media_decodes_total', 'Images and other inputs decoded; result is ok or a code of the error table.', ['result']),
  mediaDecodeDuration: histogram('selvage_media_decode_duration_seconds', 'Time to decode one image or other input.', [], LATENCY_SECONDS),

  // Models and their runners
  modelReady: gauge('selvage_model_ready', '1 where the model serves now, else 0.', ['model']),
  modelState: gauge('selvage_model_state', '1 for the state the model is in.', ['model', 'state']),
  runnerRestarts: counter('selvage_runner_restarts_total', 'Runners started again after they ended by themselves or were killed; reason says why.', ['model', 'reason']),
  runnerRss: gauge('selvage_runner_rss_bytes', 'Resident memory of the runner.', ['model']),
  canaryFailures: counter('selvage_canary_failures_total', 'Canary inferences of the watchdog that were not answered.', ['model']),

  // The agent
  buildInfo: gauge('selvage_build_info', 'Always 1; the labels tell what runs.', ['version', 'node']),
  configReloads: counter('selvage_config_reloads_total', 'Reloads of the configuration; result is ok or a code of the error table.', ['result']),
  requestLogDropped: counter('selvage_request_log_dropped_total', 'Rows of the request log that were given up because too many waited.', []),
  requestLogFaults: counter('selvage_request_log_faults_total', 'Batches of the request log that could not be written.', []),
  logSuppressed: counter('selvage_log_suppressed_total', 'Log lines not written: repeats, and lines that nobody read in time.', []),
  eventLoopDelay: histogram('selvage_event_loop_delay_seconds', 'How late a timer of the agent fired, sampled 4 times a second.', [], LOOP_DELAY_SECONDS),
  temperature: gauge('selvage_temperature_celsius', 'Temperature of the machine; a zone that cannot be read is absent.', ['zone']),

  // The process, under the names Prometheus gives them everywhere
  processRss: gauge('process_resident_memory_bytes', 'Resident memory of the agent, without its runners.', []),
  processCpu: counter('process_cpu_seconds_total', 'Processor time of the agent, without its runners.', []),
  processStartTime: gauge('process_start_time_seconds', 'When the agent started, in seconds since the epoch.', []),
  processOpenFds: gauge('process_open_fds', 'File descriptors the agent has open.', []),
};

type MetricTable = typeof METRIC_TABLE;

/** Every metric of one agent, by the name it has in the code. */
export type Metrics = {
  readonly [Key in keyof MetricTable]: ReturnType<MetricTable[Key]['create']>;
} & {
  /** All of them in the text format of Prometheus. */
  render(): string;
  /** Forgets every series of a model that is no longer configured. */
  forgetModel(model: string): void;
};

/** Makes the metrics of one agent, all at zero. */
export function createMetrics(): Metrics {
  const metrics = Object.fromEntries(
    Object.entries(METRIC_TABLE).map(([key, entry]) => [key, entry.create()]),
  ) as unknown as Metrics & Record<keyof MetricTable, AnyMetric>;
  const all = (Object.keys(METRIC_TABLE) as Array<keyof MetricTable>).map((key): AnyMetric => metrics[key]);
  return Object.assign(metrics, {
    render: () => renderMetrics(all),
    forgetModel(model: string) {
      for (const metric of all) metric.remove('model', model);
    },
  });
}

const LOOP_SAMPLE_MS = 250;

/** Fills the metrics of the process and of its event loop from now on; returns how to stop. */
export function startProcessMetrics(metrics: Metrics, build: { readonly version: string }): () => void {
  metrics.buildInfo.with({ version: build.version, node: process.versions.node }).set(1);
  metrics.processStartTime.with({}).set(Date.now() / 1000 - process.uptime());
  metrics.processRss.collect((set) => set({}, process.memoryUsage.rss()));
  metrics.processOpenFds.collect((set) => {
    const open = openFds();
    if (open !== undefined) set({}, open);
  });
  metrics.processCpu.collect((set) => {
    const { user, system } = process.cpuUsage();
    set({}, (user + system) / 1e6);
  });
  const delay = metrics.eventLoopDelay.with({});
  let due = performance.now() + LOOP_SAMPLE_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    delay.observe(Math.max(0, now - due) / 1000);
    due = now + LOOP_SAMPLE_MS;
  }, LOOP_SAMPLE_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function openFds(): number | undefined {
  try {
    // One of them is the directory being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function counter<const Name extends string = never>(name: string, help: string, labels: readonly Name[]) {
  return { type: 'counter', name, help, labels, create: () => new Counter<Name>({ name, help, labels }) };
}

function gauge<const Name extends string = never>(name: string, help: string, labels: readonly Name[]) {
  return { type: 'gauge', name, help, labels, create: () => new Gauge<Name>({ name, help, labels }) };
}

function histogram<const Name extends string = never>(
  name: string,
  help: string,
  labels: readonly Name[],
  buckets: readonly number[],
) {
  const create = () => new Histogram<Name>({ name, help, labels, buckets });
  return { type: 'histogram', name, help, labels, buckets, create };
}
