/**
 * Counters, gauges and histograms with the text format of Prometheus, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Written here because the usual client library
 * costs a seventh of the agent's memory budget.
 */

/** Content type of what `renderMetrics` returns. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Series a metric may have; what comes beyond shares one series whose label values are all `other`. */
export const MAX_SERIES = 1000;

/** A value for each label of a metric. */
export type Labels<Name extends string> = Readonly<Record<Name, string>>;

/** What a metric is, apart from its values. */
export interface MetricDefinition<Name extends string = string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Name[];
}

interface Series {
  readonly values: readonly string[];
}

/** What all metrics have in common: their series by label values, bounded in number. */
abstract class Metric<Name extends string, S extends Series> {
  abstract readonly type: 'counter' | 'gauge' | 'histogram';
  readonly definition: MetricDefinition<Name>;
  #series = new Map<string, S>();

  constructor(definition: MetricDefinition<Name>) {
    if (!/^[a-z_][a-z0-9_]*$/.test(definition.name)) throw new TypeError(`metric name ${definition.name}`);
    this.definition = definition;
  }

  /** The series with these label values, made at first use; keep it where it is used often. */
  with(labels: Labels<Name>): S {
    return this.#at(this.definition.labels.map((label) => String(labels[label])));
  }

  /** Forgets the series whose label `name` has this value (a model that is no longer configured). */
  remove(name: Name, value: string): void {
    const index = this.definition.labels.indexOf(name);
    for (const [key, series] of this.#series) {
      if (series.values[index] === value) this.#series.delete(key);
    }
  }

  /** The series there are, collected values brought up to date. */
  series(): Iterable<S> {
    this.refresh();
    return this.#series.values();
  }

  /** A metric without labels is there from the start. */
  protected refresh(): void {
    if (this.definition.labels.length === 0) this.#at([]);
  }

  protected clear(): void {
    this.#series = new Map();
  }

  protected abstract create(values: readonly string[]): S;

  #at(values: readonly string[]): S {
    const key = JSON.stringify(values);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const isOther = values.every((value) => value === 'other');
    if (this.#series.size >= MAX_SERIES && !isOther) return this.#at(values.map(() => 'other'));
    const series = this.create(values);
    this.#series.set(key, series);
    return series;
  }
}

/** One counter: a number that only grows. */
export class CounterSeries {
  readonly values: readonly string[];
  value = 0;

  constructor(values: readonly string[]) {
    this.values = values;
  }

  /** Adds to it; `by` is not negative. */
  inc(by = 1): void {
    this.value += by;
  }
}

/** Gives a collected metric one of its values. */
export type SetValue<Name extends string> = (labels: Labels<Name>, value: number) => void;

/** Counts events. Its name ends in `_total`. */
export class Counter<Name extends string = never> extends Metric<Name, CounterSeries> {
  readonly type = 'counter';
  #collect: ((set: SetValue<Name>) => void) | undefined;

  /** Has values read whenever the metrics are, for counts that are kept elsewhere. */
  collect(read: (set: SetValue<Name>) => void): void {
    this.#collect = read;
  }

  protected override refresh(): void {
    super.refresh();
    this.#collect?.((labels, value) => {
      this.with(labels).value = value;
    });
  }

  protected override create(values: readonly string[]): CounterSeries {
    return new CounterSeries(values);
  }
}

/** One gauge: a number that goes up and down. */
export class GaugeSeries {
  readonly values: readonly string[];
  value = 0;

  constructor(values: readonly string[]) {
    this.values = values;
  }

  set(value: number): void {
    this.value = value;
  }

  inc(by = 1): void {
    this.value += by;
  }

  dec(by = 1): void {
    this.value -= by;
  }
}

/** Shows a state at the moment of reading. */
export class Gauge<Name extends string = never> extends Metric<Name, GaugeSeries> {
  readonly type = 'gauge';
  #collect: ((set: SetValue<Name>) => void) | undefined;

  /** Has all values read whenever the metrics are; what `read` does not set is no longer there. */
  collect(read: (set: SetValue<Name>) => void): void {
    this.#collect = read;
  }

  protected override refresh(): void {
    if (this.#collect === undefined) {
      super.refresh();
      return;
    }
    this.clear();
    this.#collect((labels, value) => this.with(labels).set(value));
  }

  protected override create(values: readonly string[]): GaugeSeries {
    return new GaugeSeries(values);
  }
}

/** One histogram: how often values fell into each bucket, and their sum. */
export class HistogramSeries {
  readonly values: readonly string[];
  readonly buckets: readonly number[];
  /** How many fell into each bucket, not cumulative; one more than `buckets`, for what is above them all. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(values: readonly string[], buckets: readonly number[]) {
    this.values = values;
    this.buckets = buckets;
    this.counts = new Float64Array(buckets.length + 1);
  }

  /** Counts a value, in the metric's unit. */
  observe(value: number): void {
    const { buckets } = this;
    let index = 0;
    while (index < buckets.length && value > (buckets[index] as number)) index += 1;
    this.counts[index] = (this.counts[index] as number) + 1;
    this.sum += value;
  }
}

/** Shows how values are distributed. */
export class Histogram<Name extends string = never> extends Metric<Name, HistogramSeries> {
  readonly type = 'histogram';
  readonly buckets: readonly number[];

  /** `buckets` are upper bounds (inclusive), ascending, without the infinite one. */
  constructor(definition: MetricDefinition<Name> & { readonly buckets: readonly number[] }) {
    super(definition);
    this.buckets = definition.buckets;
  }

  protected override create(values: readonly string[]): HistogramSeries {
    return new HistogramSeries(values, this.buckets);
  }
}

/** Any metric, whatever its labels. */
export type AnyMetric = Counter<string> | Gauge<string> | Histogram<string>;

/** The metrics in the text format; a metric without any series is left out. */
export function renderMetrics(metrics: Iterable<AnyMetric>): string {
  const lines: string[] = [];
  for (const metric of metrics) {
    const samples = [...metric.series()].flatMap((series) => samplesOf(metric, series));
    if (samples.length === 0) continue;
    const { name, help } = metric.definition;
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${metric.type}`, ...samples);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function samplesOf(metric: AnyMetric, series: CounterSeries | GaugeSeries | HistogramSeries): string[] {
  const { name, labels } = metric.definition;
  const pairs = labels.map((label, index) => `${label}="${escapeLabel(series.values[index] ?? '')}"`);
  if (!(series instanceof HistogramSeries)) return [sample(name, pairs, series.value)];
  let count = 0;
  const buckets = [...series.counts].map((inBucket, index) => {
    count += inBucket;
    const bound = formatValue(series.buckets[index] ?? Number.POSITIVE_INFINITY);
    return sample(`${name}_bucket`, [...pairs, `le="${bound}"`], count);
  });
  return [...buckets, sample(`${name}_sum`, pairs, series.sum), sample(`${name}_count`, pairs, count)];
}

function sample(name: string, pairs: readonly string[], value: number): string {
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${formatValue(value)}`;
}

function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
