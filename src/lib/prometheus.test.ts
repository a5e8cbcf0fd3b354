import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseExposition } from '../../test/exposition.ts';
import { Counter, Gauge, Histogram, MAX_SERIES, renderMetrics } from './prometheus.ts';

describe('text format', () => {
  it('is what the format asks for, to the byte', () => {
    const requests = new Counter({
      name: 'requests_total',
      help: 'All requests.',
      labels: ['model', 'code'],
    });
    requests.with({ model: 'a', code: 'ok' }).inc();
    requests.with({ code: 'ok', model: 'a' }).inc(2);
    const up = new Gauge({ name: 'up', help: 'Whether it is up.', labels: [] });
    const size = new Histogram({ name: 'size', help: 'Sizes.', labels: ['model'], buckets: [1, 2.5] });
    for (const value of [0.5, 1, 2, 100]) size.with({ model: 'a' }).observe(value);
    assert.equal(
      renderMetrics([requests, up, size]),
      [
        '# HELP requests_total All requests.',
        '# TYPE requests_total counter',
        'requests_total{model="a",code="ok"} 3',
        '# HELP up Whether it is up.',
        '# TYPE up gauge',
        'up 0',
        '# HELP size Sizes.',
        '# TYPE size histogram',
        'size_bucket{model="a",le="1"} 2',
        'size_bucket{model="a",le="2.5"} 3',
        'size_bucket{model="a",le="+Inf"} 4',
        'size_sum{model="a"} 103.5',
        'size_count{model="a"} 4',
        '',
      ].join('\n'),
    );
  });

  it('brings any label value and help text back unchanged', () => {
    const values = ['', 'a"b', 'a\\b', 'a\nb', '\\n', '}', ',', '="', 'ü€😀', '\\', '"', ' '];
    const gauge = new Gauge({ name: 'g', help: 'back\\slash\nline "quote"', labels: ['x', 'y'] });
    for (const [index, value] of values.entries()) gauge.with({ x: value, y: `${value}"` }).set(index);
    const [family] = parseExposition(renderMetrics([gauge]));
    assert.equal(family?.help, 'back\\slash\nline "quote"');
    assert.deepEqual(
      family?.samples.map((sample) => [sample.labels, sample.value]),
      values.map((value, index) => [{ x: value, y: `${value}"` }, index]),
    );
  });

  it('writes every kind of number so that it reads back', () => {
    const gauge = new Gauge({ name: 'g', help: 'h', labels: ['n'] });
    const values = [
      0,
      -1.5,
      1e-9,
      1e300,
      123456789012,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
    ];
    for (const [index, value] of values.entries()) gauge.with({ n: String(index) }).set(value);
    assert.deepEqual(
      parseExposition(renderMetrics([gauge]))[0]?.samples.map((sample) => sample.value),
      values,
    );
  });

  it('leaves out a metric without series and writes nothing for none', () => {
    assert.equal(renderMetrics([new Counter({ name: 'c_total', help: 'h', labels: ['a'] })]), '');
  });
});

describe('histograms', () => {
  it('are cumulative, inclusive at the bound, with sum and count', () => {
    const histogram = new Histogram({ name: 'h', help: 'h', labels: [], buckets: [0.1, 1, 10] });
    const values = Array.from({ length: 500 }, (_, index) => ((index * 7919) % 131) / 10);
    for (const value of values) histogram.with({}).observe(value);
    const samples = parseExposition(renderMetrics([histogram]))[0]?.samples ?? [];
    for (const bound of [0.1, 1, 10, Number.POSITIVE_INFINITY]) {
      const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
      const bucket = samples.find((sample) => sample.labels['le'] === le);
      assert.equal(bucket?.value, values.filter((value) => value <= bound).length, `le ${le}`);
    }
    const sum = values.reduce((total, value) => total + value, 0);
    assert.ok(Math.abs((samples.find((sample) => sample.name === 'h_sum')?.value ?? 0) - sum) < 1e-6);
    assert.equal(samples.find((sample) => sample.name === 'h_count')?.value, 500);
  });
});

describe('series', () => {
  it('are bounded: what comes beyond shares one series', () => {
    const counter = new Counter({ name: 'c_total', help: 'h', labels: ['a', 'b'] });
    for (let index = 0; index < MAX_SERIES + 50; index += 1) counter.with({ a: `${index}`, b: 'x' }).inc();
    const samples = parseExposition(renderMetrics([counter]))[0]?.samples ?? [];
    assert.equal(samples.length, MAX_SERIES + 1);
    assert.deepEqual(samples.at(-1), { name: 'c_total', labels: { a: 'other', b: 'other' }, value: 50 });
    counter.with({ a: '3', b: 'x' }).inc();
    assert.equal(counter.with({ a: '3', b: 'x' }).value, 2, 'known series stay their own');
  });

  it('are told apart whatever their label values contain', () => {
    const counter = new Counter({ name: 'c_total', help: 'h', labels: ['a', 'b'] });
    counter.with({ a: 'x,y', b: 'z' }).inc();
    counter.with({ a: 'x', b: 'y,z' }).inc();
    counter.with({ a: 'x","y', b: 'z' }).inc();
    assert.equal([...counter.series()].length, 3);
  });

  it('can be removed by a label', () => {
    const gauge = new Gauge({ name: 'g', help: 'h', labels: ['model', 'state'] });
    gauge.with({ model: 'a', state: 'ready' }).set(1);
    gauge.with({ model: 'a', state: 'loading' }).set(0);
    gauge.with({ model: 'ready', state: 'a' }).set(1);
    gauge.remove('model', 'a');
    assert.deepEqual(
      [...gauge.series()].map((series) => series.values),
      [['ready', 'a']],
    );
  });

  it('of a collected gauge are what was collected last, and may be none', () => {
    let zones: Record<string, number> = { cpu: 50, gpu: 60 };
    const gauge = new Gauge({ name: 'g', help: 'h', labels: ['zone'] });
    gauge.collect((set) => {
      for (const [zone, value] of Object.entries(zones)) set({ zone }, value);
    });
    assert.match(renderMetrics([gauge]), /g\{zone="cpu"\} 50\ng\{zone="gpu"\} 60\n$/);
    zones = { cpu: 51 };
    assert.match(renderMetrics([gauge]), /gauge\ng\{zone="cpu"\} 51\n$/);
    const unknown = new Gauge({ name: 'u', help: 'h', labels: [] });
    unknown.collect(() => {});
    assert.equal(renderMetrics([unknown]), '');
  });

  it('of a collected counter keep what was set', () => {
    const counter = new Counter({ name: 'c_total', help: 'h', labels: [] });
    counter.collect((set) => set({}, 7));
    assert.match(renderMetrics([counter]), /\nc_total 7\n$/);
  });
});
