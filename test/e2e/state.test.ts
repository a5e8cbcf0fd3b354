import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { bigModel, slowModel, tinyModel, tinyOutput } from '../models.ts';
import { skipWithoutMounts } from '../program.ts';
import { AgentHome } from './agent-home.ts';
import { AgentProcess, isAlive, type LaunchOptions } from './agent-process.ts';
import { until } from './until.ts';

const EXIT_IN_USE = 73;
const ROW = { name: 'input', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };
const FROM_SOURCE = 'the model is served from its source, since the store cannot take it';
const ABOUT_A_SECOND = 200_000;

function tinyHome(t: TestContext): AgentHome {
  const home = new AgentHome();
  t.after(() => home.remove());
  home.write('tiny.onnx', tinyModel());
  home.configure({ tiny: { source: 'tiny.onnx' } });
  return home;
}

async function start(t: TestContext, home: AgentHome, options?: LaunchOptions): Promise<AgentProcess> {
  const agent = await AgentProcess.start(home, options);
  t.after(() => agent.stop());
  return agent;
}

async function serves(agent: AgentProcess): Promise<void> {
  const { status, text, json } = await agent.infer('tiny', [ROW]);
  assert.equal(status, 200, text);
  assert.deepEqual(json.outputs[0].data, tinyOutput(ROW.data));
}

function errors(agent: AgentProcess): string {
  return JSON.stringify(agent.logs().filter(({ level }) => level === 'error' || level === 'warn'));
}

async function complains(agent: AgentProcess, pattern: RegExp): Promise<void> {
  await until(
    `${pattern} is logged`,
    () => errors(agent),
    (text) => pattern.test(text),
  );
}

describe('a state directory that cannot be used', () => {
  it('does not keep the agent from serving where it is read-only', { skip: skipWithoutMounts }, async (t) => {
    const home = tinyHome(t);
    mkdirSync(home.stateDir);
    const mount = `mount --bind ${home.stateDir} ${home.stateDir} && mount -o remount,ro,bind ${home.stateDir}`;
    const agent = await start(t, home, { mount });
    await serves(agent);
    await complains(agent, /state directory cannot be used.*read-only/);
    assert.deepEqual(readdirSync(home.stateDir), []);
    assert.equal((await agent.reload()).status, 200);
    assert.equal((await agent.stop()).code, 0);
  });

  it('does not keep the agent from serving where it may not write', {
    skip: process.getuid?.() === 0 && 'root may',
  }, async (t) => {
    const home = tinyHome(t);
    mkdirSync(home.stateDir);
    chmodSync(home.stateDir, 0o555);
    const agent = await start(t, home);
    await serves(agent);
    await complains(agent, /state directory cannot be used/);
    assert.equal((await agent.stop()).code, 0);
  });

  for (const sizeKiB of [8, 2048]) {
    const title = `does not keep the agent from serving on a full disk of ${sizeKiB} KiB`;
    it(title, { skip: skipWithoutMounts }, async (t) => {
      const home = tinyHome(t);
      home.write('big.onnx', bigModel(4));
      home.configure({ tiny: { source: 'tiny.onnx' }, big: { source: 'big.onnx' } });
      mkdirSync(home.stateDir);
      const agent = await start(t, home, {
        mount: `mount -t tmpfs -o size=${sizeKiB}k none ${home.stateDir}`,
      });
      await serves(agent);
      const lookup = { name: 'input', datatype: 'INT64', shape: [1], data: [7] };
      const outputs = [{ name: 'output', parameters: { classification: 1 } }];
      const answer = await agent.infer('big', [lookup], { outputs });
      assert.deepEqual(answer.json.outputs[0].data, ['7.000000:0'], answer.text);
      const fromSource = await agent.untilLogged(FROM_SOURCE, 2);
      assert.deepEqual(fromSource.map(({ model }) => model).sort(), ['big', 'tiny']);
      assert.equal((await agent.reload()).status, 200);
      await serves(agent);
      assert.equal((await agent.stop()).code, 0);
    });
  }

  it('does not keep the agent from serving where it is a file', async (t) => {
    const home = tinyHome(t);
    home.write('state', 'not a directory');
    const agent = await start(t, home);
    await serves(agent);
    await complains(agent, /state directory cannot be used.*not a directory/);
    assert.equal(readFileSync(home.stateDir, 'utf8'), 'not a directory');
  });

  it('is set aside where its databases are damaged', async (t) => {
    const home = tinyHome(t);
    const first = await start(t, home);
    await serves(first);
    await first.stop();
    const garbage = Buffer.alloc(64 * 1024, 'garbage ');
    for (const name of ['state.db', 'requests.db']) {
      assert.ok(existsSync(home.path(`state/${name}`)));
      home.write(`state/${name}`, garbage);
    }
    const second = await start(t, home);
    await serves(second);
    await complains(second, /the state was damaged; it was set aside/);
    const copies = readdirSync(home.stateDir).filter((name) => name.includes('.corrupt-'));
    assert.ok(
      copies.some((name) => name.startsWith('state.db.')),
      `${copies}`,
    );
    assert.deepEqual(readFileSync(home.path(`state/${copies[0]}`)), garbage);
    assert.equal((await second.stop()).code, 0);
    const third = await start(t, home);
    assert.equal(errors(third), '[]');
  });

  it('begins anew where the kept configuration is damaged', async (t) => {
    const home = tinyHome(t);
    home.write(
      'selvage.yaml',
      `stateDir: state\nserver: { http: { socket: selvage.sock }, admin: { socket: admin.sock } }\nmodels: { tiny: { source: tiny.onnx } }\n`,
    );
    const first = await start(t, home);
    await until('the configuration is kept', () => existsSync(home.path('state/config.cache.json')), Boolean);
    await first.stop();
    home.write('state/config.cache.json', '{"key": ');
    await serves(await start(t, home));
  });
});

describe('one agent a place', () => {
  it('lets no second agent use a state directory', async (t) => {
    const home = tinyHome(t);
    const agent = await start(t, home);
    const other = tinyHome(t);
    other.configure({ tiny: { source: 'tiny.onnx' } }, { stateDir: home.stateDir });
    const { code, stderr } = await AgentProcess.launch(other).exited;
    assert.equal(code, EXIT_IN_USE, stderr);
    assert.match(
      stderr,
      new RegExp(`another agent \\(process ${agent.pid}\\) is using this state directory`),
    );
    assert.equal(existsSync(other.socket), false);
    await serves(agent);
  });

  it('lets no second agent take a socket', async (t) => {
    const home = tinyHome(t);
    const agent = await start(t, home);
    const other = tinyHome(t);
    for (const taken of ['http', 'admin'] as const) {
      const server = { http: { socket: 'selvage.sock' }, admin: { socket: 'admin.sock' } };
      server[taken].socket = taken === 'http' ? home.socket : home.adminSocket;
      other.configure({ tiny: { source: 'tiny.onnx' } }, { server });
      const launched = AgentProcess.launch(other);
      const { code, stderr } = await launched.exited;
      assert.equal(code, EXIT_IN_USE, stderr);
      assert.match(stderr, /\.sock: another process is listening there/);
    }
    await serves(agent);
    await agent.status();
  });

  it('leaves a file alone that lies where its socket goes', async (t) => {
    const home = tinyHome(t);
    home.write('selvage.sock', 'precious');
    const { code, stderr } = await AgentProcess.launch(home).exited;
    assert.equal(code, EXIT_IN_USE, stderr);
    assert.match(stderr, /selvage\.sock: exists and is not a socket/);
    assert.equal(readFileSync(home.socket, 'utf8'), 'precious');
  });
});

describe('the end of an agent', () => {
  it('that is killed takes its runners along, and the next one starts over its sockets', async (t) => {
    const home = tinyHome(t);
    home.write('slow.onnx', slowModel());
    home.configure({ tiny: { source: 'tiny.onnx' }, slow: { source: 'slow.onnx' } });
    const agent = await start(t, home);
    const iterations = { name: 'iterations', datatype: 'INT64', shape: [1], data: [ABOUT_A_SECOND] };
    const lost = agent.infer('slow', [iterations]);
    lost.catch(() => {});
    await until(
      'it works',
      () => agent.model('slow'),
      ({ inFlight }) => inFlight === 1,
    );
    const children = agent.children();
    assert.ok(children.length >= 2);
    agent.signal('SIGKILL');
    await agent.exited;
    await assert.rejects(lost);
    assert.ok(statSync(home.socket).isSocket());
    await until(
      'the runners end by themselves',
      () => children.filter(isAlive),
      (alive) => alive.length === 0,
    );
    await serves(await start(t, home));
  });

  it('lets requests under way finish on SIGTERM, and takes no new ones', async (t) => {
    const home = tinyHome(t);
    home.write('slow.onnx', slowModel());
    home.configure({ slow: { source: 'slow.onnx' } });
    const agent = await start(t, home);
    const iterations = { name: 'iterations', datatype: 'INT64', shape: [1], data: [ABOUT_A_SECOND] };
    const pending = [agent.infer('slow', [iterations]), agent.infer('slow', [iterations])];
    await until(
      'both are there',
      () => agent.model('slow'),
      ({ inFlight, queued }) => inFlight + queued === 2,
    );
    const children = agent.children();
    agent.signal('SIGTERM');
    for (const { status, text } of await Promise.all(pending)) assert.equal(status, 200, text);
    const { code, signal, stderr } = await agent.exited;
    assert.deepEqual([code, signal, stderr], [0, null, '']);
    assert.deepEqual([existsSync(home.socket), existsSync(home.adminSocket)], [false, false]);
    assert.deepEqual(children.filter(isAlive), []);
    assert.deepEqual(
      readdirSync(home.stateDir).filter((name) => name.includes('tmp') || name.endsWith('.pid')),
      [],
    );
  });

  it('cuts off what takes longer than the drain may', async (t) => {
    const home = tinyHome(t);
    home.write('slow.onnx', slowModel());
    const server = {
      http: { socket: 'selvage.sock' },
      admin: { socket: 'admin.sock' },
      drainTimeoutMs: 200,
    };
    home.configure({ slow: { source: 'slow.onnx' } }, { server });
    const agent = await start(t, home);
    const iterations = { name: 'iterations', datatype: 'INT64', shape: [1], data: [2 ** 40] };
    const pending = agent.infer('slow', [iterations]);
    pending.catch(() => {});
    await until(
      'it works',
      () => agent.model('slow'),
      ({ inFlight }) => inFlight === 1,
    );
    const children = agent.children();
    agent.signal('SIGTERM');
    const signalledAt = performance.now();
    assert.equal((await agent.exited).code, 0);
    // Far less than the ten seconds that the model allows a run.
    assert.ok(performance.now() - signalledAt < 5000);
    await assert.rejects(pending);
    await until(
      'no child is left',
      () => children.filter(isAlive),
      (alive) => alive.length === 0,
    );
  });

  it('comes also while models are still being imported', async (t) => {
    const home = tinyHome(t);
    home.write('big.onnx', bigModel(60));
    home.configure({ big: { source: 'big.onnx' } });
    const agent = AgentProcess.launch(home);
    t.after(() => agent.stop());
    await agent.listening();
    agent.signal('SIGTERM');
    assert.equal((await agent.exited).code, 0);
    assert.deepEqual(agent.children(), []);
  });
});
