import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseExposition } from '../test/exposition.ts';
import { createMetrics, METRIC_TABLE, startProcessMetrics } from './metrics.ts';

describe('metrics', () => {
  it('render in the text format with values in each kind', () => {
    const metrics = createMetrics();
    metrics.requests.with({ model: 'clothes', protocol: 'http', code: 'ok' }).inc();
    metrics.requestDuration.with({ model: 'clothes' }).observe(0.002);
    metrics.modelReady.with({ model: 'clothes' }).set(1);
    const families = parseExposition(metrics.render());
    const byName = new Map(families.map((family) => [family.name, family]));
    assert.deepEqual(byName.get('selvage_requests_total')?.samples, [
      {
        name: 'selvage_requests_total',
        labels: { model: 'clothes', protocol: 'http', code: 'ok' },
        value: 1,
      },
    ]);
    assert.equal(byName.get('selvage_request_duration_seconds')?.type, 'histogram');
    assert.equal(
      byName.get('selvage_request_log_dropped_total')?.samples[0]?.value,
      0,
      'there from the start',
    );
    assert.equal(byName.has('selvage_queue_length'), false, 'absent without a series');
  });

  it('follow the naming rules and each say what they mean', () => {
    const metrics = Object.values(METRIC_TABLE);
    assert.equal(new Set(metrics.map((metric) => metric.name)).size, metrics.length, 'names are unique');
    for (const { name, type, labels, help } of metrics) {
      assert.match(name, /^(selvage|process)_[a-z0-9_]+$/);
      assert.equal(name.endsWith('_total'), type === 'counter', name);
      assert.doesNotMatch(name, /_(ms|millis|mib|kb|percent)(_|$)/, 'base units');
      for (const label of labels) assert.match(label, /^(?!le$|quantile$)[a-z_]+$/);
      assert.match(help, /\.$/);
    }
  });

  it('belong to one agent: two sets do not share values', () => {
    const one = createMetrics();
    const other = createMetrics();
    one.requestLogFaults.with({}).inc();
    assert.equal(other.requestLogFaults.with({}).value, 0);
  });

  it('forget a model and keep the others', () => {
    const metrics = createMetrics();
    for (const model of ['a', 'b']) {
      metrics.requests.with({ model, protocol: 'http', code: 'ok' }).inc();
      metrics.modelState.with({ model, state: 'ready' }).set(1);
      metrics.batchSize.with({ model }).observe(1);
    }
    metrics.temperature.with({ zone: 'a' }).set(40);
    metrics.forgetModel('a');
    const text = metrics.render();
    assert.doesNotMatch(text, /model="a"/);
    assert.equal(text.match(/selvage_\w+\{model="b"[^\n]*/g)?.length, 2 + 14);
    assert.match(text, /zone="a"/);
  });

  it('show this process as the kernel does', async () => {
    const metrics = createMetrics();
    const stop = startProcessMetrics(metrics, { version: '1.2.3' });
    // Past the first sample, then blocked over the time of the second.
    await sleep(300);
    const block = performance.now() + 400;
    while (performance.now() < block);
    await sleep(100);
    stop();
    const samples = new Map(
      parseExposition(metrics.render()).flatMap((family) =>
        family.samples.map((sample) => [sample.name, sample]),
      ),
    );
    const value = (name: string) => samples.get(name)?.value ?? Number.NaN;
    const rss = process.memoryUsage.rss();
    assert.ok(Math.abs(value('process_resident_memory_bytes') - rss) < rss / 2);
    assert.ok(value('process_cpu_seconds_total') > 0.05);
    assert.ok(Math.abs(value('process_start_time_seconds') - (Date.now() / 1000 - process.uptime())) < 1);
    assert.ok(value('process_open_fds') >= 3);
    assert.ok(value('selvage_event_loop_delay_seconds_count') >= 2);
    assert.ok(value('selvage_event_loop_delay_seconds_sum') >= 0.05, 'the blocked loop shows');
    assert.deepEqual(samples.get('selvage_build_info')?.labels, {
      version: '1.2.3',
      node: process.versions.node,
    });
  });
});
