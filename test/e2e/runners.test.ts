import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ModelStatus } from '../../src/serving/service.ts';
import { bigModel, slowModel, tinyModel, tinyOutput } from '../models.ts';
import { AgentHome } from './agent-home.ts';
import { AgentProcess, isAlive } from './agent-process.ts';
import type { Answer, Question } from './http-client.ts';
import { until } from './until.ts';

/** Iterations of the slow model: far longer than a test lasts, and about a second. */
const FOR_EVER = 2 ** 40;
const ABOUT_A_SECOND = 200_000;

describe('runners', () => {
  const home = new AgentHome();
  let agent: AgentProcess;

  before(async () => {
    home.write('tiny.onnx', tinyModel());
    home.write('slow.onnx', slowModel());
    home.write('big.onnx', bigModel(40));
    home.configure({
      tiny: { source: 'tiny.onnx' },
      crashing: { source: 'tiny.onnx' },
      big: { source: 'big.onnx' },
      slow: { source: 'slow.onnx', timeoutMs: 60_000 },
      strict: { source: 'slow.onnx', timeoutMs: 500 },
      narrow: { source: 'slow.onnx', timeoutMs: 60_000, queue: 1 },
    });
    agent = await AgentProcess.start(home);
  });
  after(async () => {
    await agent.stop();
    home.remove();
  });

  function loop(model: string, iterations: number, rest: object = {}, question?: Question): Promise<Answer> {
    const input = { name: 'iterations', datatype: 'INT64', shape: [1], data: [iterations] };
    return agent.infer(model, [input], rest, question);
  }

  async function serves(model: string): Promise<void> {
    const input = { name: 'input', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };
    const { status, text, json } = await agent.infer(model, [input]);
    assert.equal(status, 200, text);
    assert.deepEqual(json.outputs[0].data, tinyOutput([1, 2, 3, 4]));
  }

  function working(model: string, count = 1): Promise<ModelStatus> {
    return until(
      `${model} works on ${count}`,
      () => agent.model(model),
      (status) => status.inFlight + status.queued >= count,
    );
  }

  function replaced(model: string, pid: number): Promise<ModelStatus> {
    return until(
      `${model} has a new runner`,
      () => agent.model(model),
      (status) => status.state === 'ready' && status.pid !== pid,
    );
  }

  it('answers 503 at once where the runner dies, starts another, and leaves the other models alone', async () => {
    const before = await agent.model('slow');
    const untouched = await agent.runnerPid('tiny');
    const pending = loop('slow', FOR_EVER);
    await working('slow');
    const killedAt = performance.now();
    process.kill(await agent.runnerPid('slow'), 'SIGKILL');
    const answer = await pending;
    const afterMs = performance.now() - killedAt;
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.json.error, /the runner of model 'slow' ended \(signal SIGKILL\)/);
    assert.ok(afterMs < 1000, `the answer took ${afterMs} ms`);
    await serves('tiny');
    assert.equal(await agent.runnerPid('tiny'), untouched);

    const next = await replaced('slow', before.pid ?? 0);
    assert.equal(next.restarts, before.restarts + 1);
    assert.equal((await loop('slow', 10)).status, 200);
    const series = 'selvage_runner_restarts_total{model="slow",reason="SIGKILL"}';
    assert.equal(await agent.metric(series), 1);
    assert.equal((await agent.model('tiny')).restarts, 0);
  });

  it('kills a runner whose run is past the deadline, and starts another', async () => {
    const { pid = 0, restarts } = await agent.model('strict');
    const answer = await loop('strict', FOR_EVER);
    assert.equal(answer.status, 504, answer.text);
    assert.match(answer.json.error, /'strict' did not answer within 500 ms/);
    const next = await replaced('strict', pid);
    assert.equal(next.restarts, restarts + 1);
    assert.equal(isAlive(pid), false);
    assert.equal(await agent.metric('selvage_runner_restarts_total{model="strict",reason="deadline"}'), 1);
    assert.equal((await loop('strict', 10)).status, 200);
  });

  it('kills a runner at the deadline of the model, however long the client would wait', async () => {
    const { pid = 0 } = await agent.model('strict');
    const answer = await loop('strict', FOR_EVER, { parameters: { timeout: 3_600_000_000 } });
    assert.equal(answer.status, 504, answer.text);
    await replaced('strict', pid);
  });

  it('answers 504 after the time the client allows, and lets the run finish', async () => {
    const { pid, restarts } = await agent.model('slow');
    const started = performance.now();
    const answer = await loop('slow', ABOUT_A_SECOND, { parameters: { timeout: 50_000 } });
    assert.equal(answer.status, 504, answer.text);
    assert.match(answer.json.error, /within 50 ms/);
    assert.ok(performance.now() - started >= 50);
    assert.equal((await loop('slow', 10)).status, 200);
    const later = await agent.model('slow');
    assert.deepEqual([later.pid, later.restarts], [pid, restarts]);
  });

  it('answers 429 where more wait than may', async () => {
    const pending = Array.from({ length: 8 }, () => loop('narrow', ABOUT_A_SECOND));
    const statuses = (await Promise.all(pending)).map(({ status, text }) => {
      if (status !== 200) assert.match(text, /the queue of model 'narrow' is full \(1 requests wait\)/);
      return status;
    });
    const refused = statuses.filter((status) => status === 429).length;
    assert.ok(refused >= 1 && refused < statuses.length, `${statuses}`);
    assert.ok(
      statuses.every((status) => status === 200 || status === 429),
      `${statuses}`,
    );
    assert.equal(
      await agent.metric('selvage_requests_total{model="narrow",protocol="http",code="QUEUE_FULL"}'),
      refused,
    );
  });

  it('goes on where clients leave while their requests are worked on or wait', async () => {
    const { pid } = await agent.model('slow');
    const gone = new AbortController();
    const pending = Array.from({ length: 3 }, () =>
      loop('slow', ABOUT_A_SECOND, {}, { signal: gone.signal }),
    );
    await working('slow', 2);
    gone.abort();
    for (const { status } of await Promise.allSettled(pending)) assert.equal(status, 'rejected');
    assert.equal((await loop('slow', 10)).status, 200);
    const { pid: same, inFlight, queued } = await agent.model('slow');
    assert.deepEqual([same, inFlight, queued], [pid, 0, 0]);
  });

  it('gives the process of an unloaded model back, and loads it again', async () => {
    const { pid = 0, rssBytes = 0 } = await agent.model('big');
    assert.ok(rssBytes > 40 * 1024 * 1024);
    const unloaded = await agent.admin('/v2/repository/models/big/unload', { method: 'POST' });
    assert.equal(unloaded.status, 200, unloaded.text);
    await until(
      'the runner is gone',
      () => isAlive(pid),
      (alive) => !alive,
    );
    const status = await agent.model('big');
    assert.deepEqual([status.state, status.pid, status.rssBytes], ['unloaded', undefined, undefined]);
    const lookup = { name: 'input', datatype: 'INT64', shape: [1], data: [7] };
    const refused = await agent.infer('big', [lookup]);
    assert.equal(refused.status, 503, refused.text);
    assert.match(refused.json.error, /not ready: an administrator unloaded it/);
    // What somebody unloaded on purpose does not make the agent less ready.
    assert.equal((await agent.ask('/v2/health/ready')).status, 200);
    assert.equal((await agent.ask('/v2/models/big/ready')).status, 503);

    const loaded = await agent.admin('/v2/repository/models/big/load', { method: 'POST' });
    assert.equal(loaded.status, 200, loaded.text);
    const answer = await agent.infer('big', [lookup], {
      outputs: [{ name: 'output', parameters: { classification: 1 } }],
    });
    assert.deepEqual(answer.json.outputs[0].data, ['7.000000:0']);
  });

  it('lets requests under way finish where their model is unloaded', async () => {
    const pid = await agent.runnerPid('slow');
    const pending = loop('slow', ABOUT_A_SECOND);
    await working('slow');
    await agent.admin('/v2/repository/models/slow/unload', { method: 'POST' });
    const answer = await pending;
    assert.equal(answer.status, 200, answer.text);
    await until(
      'the runner is gone',
      () => isAlive(pid),
      (alive) => !alive,
    );
    await agent.admin('/v2/repository/models/slow/load', { method: 'POST' });
  });

  it('answers an unknown model of the repository with 404', async () => {
    for (const verb of ['load', 'unload']) {
      const answer = await agent.admin(`/v2/repository/models/other/${verb}`, { method: 'POST' });
      assert.equal(answer.status, 404, answer.text);
    }
  });

  it('waits longer and longer where a runner keeps ending, and stays responsive', async () => {
    const reasons: string[] = [];
    for (let crash = 0; crash < 4; crash += 1) {
      const { pid = 0 } = await agent.modelReady('crashing');
      process.kill(pid, 'SIGKILL');
      const { reason } = await until(
        'the crash is noticed',
        () => agent.model('crashing'),
        (status) => status.pid !== pid,
      );
      reasons.push(reason);
      await serves('tiny');
    }
    // Two seconds without a runner.
    assert.match(reasons.at(-1) ?? '', /signal SIGKILL.*starts in 2000 ms/);
    const refused = await agent.infer('crashing', []);
    assert.equal(refused.status, 503);
    assert.equal((await agent.ask('/v2/health/ready')).status, 503);
    const crashes = await until(
      'the crashes are logged',
      () => agent.logged('runner ended').filter(({ model }) => model === 'crashing'),
      (lines) => lines.length === 4,
    );
    assert.deepEqual(
      crashes.map(({ waitMs }) => waitMs),
      [0, 500, 1000, 2000],
    );
    assert.equal((await agent.model('crashing')).restarts, 4);
    await agent.modelReady('crashing');
    await serves('crashing');
  });

  it('has as many runners as models in the end', async () => {
    const { models } = await agent.status();
    const pids = models.map(({ pid }) => pid);
    const others = agent.children().filter((pid) => !pids.includes(pid));
    assert.deepEqual(others, []);
    assert.equal(new Set(pids).size, 6);
  });
});
