import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { packageRoot } from '../../src/lib/paths.ts';
import { identityModel, tinyModel, tinyOutput, twoInputModel } from '../models.ts';
import { AgentHome } from './agent-home.ts';
import { AgentProcess, isAlive } from './agent-process.ts';
import { until } from './until.ts';

const EXAMPLES = join(packageRoot, 'examples');
const ROW = { name: 'input', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };

/** Clients that ask without a pause, each on a connection that it keeps, and note whatever is not a right answer. */
class Clients {
  readonly faults: string[] = [];
  answered = 0;
  readonly #running: Promise<void>[] = [];
  readonly #connections = new Agent({ keepAlive: true });
  #stopped = false;

  constructor(agent: AgentProcess, models: readonly string[]) {
    for (const model of models) this.#running.push(this.#run(agent, model), this.#run(agent, model));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    this.#connections.destroy();
  }

  async #run(agent: AgentProcess, model: string): Promise<void> {
    while (!this.#stopped) {
      try {
        const { status, text, json } = await agent.infer(model, [ROW], {}, { agent: this.#connections });
        if (status !== 200) this.faults.push(`${model}: ${status} ${text}`);
        else if (`${json.outputs[0].data}` !== `${tinyOutput(ROW.data)}`)
          this.faults.push(`${model}: ${text}`);
        this.answered += 1;
      } catch (error) {
        this.faults.push(`${model}: ${String(error)}`);
      }
    }
  }
}

describe('a reload', () => {
  const home = new AgentHome();
  let agent: AgentProcess;

  const steady = { source: 'steady.onnx' };
  const changing = { source: 'changing.onnx' };

  before(async () => {
    home.write('steady.onnx', tinyModel());
    home.write('changing.onnx', tinyModel());
    home.write('pair.onnx', twoInputModel());
    home.configure({ steady, changing });
    agent = await AgentProcess.start(home);
  });
  after(async () => {
    await agent.stop();
    home.remove();
  });
  /** Every test begins with these two models. */
  beforeEach(async () => {
    home.configure({ steady, changing });
    assert.equal((await agent.reload()).status, 200);
  });

  it('swaps changed models and leaves the others alone, without a failed request', async () => {
    const steadyPid = await agent.runnerPid('steady');
    const clients = new Clients(agent, ['steady', 'changing']);
    const pids = [await agent.runnerPid('changing')];
    try {
      for (const threads of [2, 1, 2]) {
        home.configure({ steady, changing: { ...changing, threads } });
        const { status, json, text } = await agent.reload();
        assert.equal(status, 200, text);
        assert.deepEqual(json, {
          added: [],
          changed: ['changing'],
          removed: [],
          unchanged: ['steady'],
          needRestart: [],
        });
        pids.push(await agent.runnerPid('changing'));
        const seen = clients.answered;
        await until(
          'more answers',
          () => clients.answered,
          (answered) => answered > seen + 20,
        );
      }
    } finally {
      await clients.stop();
    }
    assert.deepEqual(clients.faults, []);
    assert.equal(new Set(pids).size, 4);
    assert.equal(await agent.runnerPid('steady'), steadyPid);
    const last = pids.pop();
    await until(
      'the runners before are gone',
      () => pids.filter(isAlive),
      (alive) => alive.length === 0,
    );
    assert.ok(isAlive(last ?? 0));
    assert.deepEqual((await agent.model('changing')).restarts, 0);
  });

  it('adds and removes models on SIGHUP', async () => {
    const pid = await agent.runnerPid('changing');
    const clients = new Clients(agent, ['steady']);
    home.configure({ pair: { source: 'pair.onnx' }, steady });
    agent.signal('SIGHUP');
    const [line] = await until(
      'the reload is logged',
      () => agent.logged('configuration reloaded').filter(({ added }) => `${added}` === 'pair'),
      (lines) => lines.length > 0,
    );
    await clients.stop();
    assert.deepEqual([line?.['added'], line?.['removed']], [['pair'], ['changing']]);
    const { models } = await agent.status();
    assert.deepEqual(
      models.map(({ name, state }) => `${name} ${state}`),
      ['pair ready', 'steady ready'],
    );
    const gone = await agent.infer('changing', [ROW]);
    assert.equal(gone.status, 404, gone.text);
    await until(
      'its runner is gone',
      () => isAlive(pid),
      (alive) => !alive,
    );
    const metrics = await agent.ask('/metrics');
    assert.doesNotMatch(metrics.text, /model="changing"/);
    assert.deepEqual(clients.faults, []);
  });

  it('gives a model a task', async () => {
    const source = join(EXAMPLES, 'models/fashion-mnist-dscnn.onnx');
    home.configure({ steady, clothes: { source } });
    assert.equal((await agent.reload()).status, 200);
    const image = readFileSync(join(EXAMPLES, 'images/bag.png'));
    const predict = () =>
      agent.ask('/predict/clothes', { headers: { 'Content-Type': 'image/png' }, body: image });
    assert.equal((await predict()).status, 400);
    const labels = join(EXAMPLES, 'models/fashion-mnist-labels.txt');
    home.configure({ steady, clothes: { source, task: { type: 'image-classification', labels } } });
    const { json } = await agent.reload();
    assert.deepEqual(json.changed, ['clothes']);
    const answer = await predict();
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.json.predictions[0].label, /bag/i);
  });

  it('changes nothing where the configuration is wrong, and says where it is', async () => {
    const before = await agent.status();
    home.write('selvage.yaml', readFileSync(home.configPath, 'utf8').replace('"changing.onnx"', '12'));
    const answer = await agent.reload();
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.json.error, /selvage\.yaml:\d+:\d+: models\.changing\.source: expected/);
    const after = await agent.status();
    assert.deepEqual(
      after.models.map(({ name, pid, state }) => [name, pid, state]),
      before.models.map(({ name, pid, state }) => [name, pid, state]),
    );
    assert.equal((await agent.infer('changing', [ROW])).status, 200);
    assert.equal(await agent.metric('selvage_config_reloads_total{result="CONFIG_INVALID"}'), 1);
  });

  it('changes nothing where the configuration is gone', async () => {
    renameSync(home.configPath, home.path('aside'));
    const answer = await agent.reload();
    renameSync(home.path('aside'), home.configPath);
    assert.equal(answer.status, 404, answer.text);
    assert.match(answer.json.error, /no configuration at/);
    assert.equal((await agent.infer('steady', [ROW])).status, 200);
  });

  it('keeps serving a model whose new file cannot serve', async () => {
    home.write('broken.onnx', 'no model');
    home.configure({ steady, changing: { source: 'broken.onnx' } });
    const pid = await agent.runnerPid('changing');
    assert.equal((await agent.reload()).status, 200);
    assert.equal(await agent.runnerPid('changing'), pid);
    assert.equal((await agent.infer('changing', [ROW])).status, 200);
    const [line] = await agent.untilLogged('model cannot be loaded');
    assert.match(JSON.stringify(line), /broken\.onnx/);
  });

  it('takes files of conf.d into account', async () => {
    const path = home.write('conf.d/50-pair.yaml', 'models:\n  pair: { source: ../pair.onnx }\n');
    const added = await agent.reload();
    assert.deepEqual(added.json.added, ['pair'], added.text);
    assert.equal((await agent.model('pair')).state, 'ready');
    renameSync(path, `${path}.disabled`);
    assert.deepEqual((await agent.reload()).json.removed, ['pair']);
  });

  it('applies the log level', async () => {
    const reloadWith = async (level: string, model: string): Promise<void> => {
      home.configure({ steady, changing, [model]: steady }, { log: { level, repeatWindowMs: 0 } });
      assert.equal((await agent.reload()).status, 200);
      await agent.modelReady(model);
    };
    const linesOf = (name: string) => agent.logs().filter(({ model }) => model === name);
    await reloadWith('error', 'quiet');
    await reloadWith('info', 'loud');
    await until('lines are written again', () => linesOf('loud').length, Boolean);
    assert.deepEqual(linesOf('quiet'), []);
  });

  it('says what takes a restart, and goes on without it', async () => {
    const server = { http: { socket: 'other.sock', mode: '0600' }, admin: { socket: 'admin.sock' } };
    home.configure({ steady, changing }, { stateDir: 'other', server });
    const answer = await agent.reload();
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.json.needRestart.includes('stateDir'), answer.text);
    assert.ok(
      answer.json.needRestart.some((path: string) => path.startsWith('server')),
      answer.text,
    );
    assert.equal((await agent.infer('steady', [ROW])).status, 200);
    assert.equal((await agent.status()).stateDir, home.stateDir);
  });

  it('picks up a file that was replaced at the same path, without a failed request', async () => {
    const steadyPid = await agent.runnerPid('steady');
    const clients = new Clients(agent, ['steady']);
    home.write('next.onnx', identityModel('FP32', ['batch', 4]));
    renameSync(home.path('next.onnx'), home.path('changing.onnx'));
    const answer = await agent.reload();
    await clients.stop();
    assert.equal(answer.status, 200, answer.text);
    const { json } = await agent.infer('changing', [ROW]);
    assert.deepEqual(json.outputs[0].data, ROW.data);
    assert.equal(await agent.runnerPid('steady'), steadyPid);
    assert.deepEqual(clients.faults, []);
    home.write('changing.onnx', tinyModel());
  });

  it('is done once for many who ask at the same time', async () => {
    home.configure({ steady, changing: { ...changing, threads: 2 } });
    const reloads = () => agent.metric('selvage_config_reloads_total{result="ok"}');
    const before = await reloads();
    const answers = await Promise.all(Array.from({ length: 5 }, () => agent.reload()));
    for (const { status, json } of answers) assert.deepEqual([status, json.changed], [200, ['changing']]);
    assert.equal(await reloads(), before + 1);
  });
});
