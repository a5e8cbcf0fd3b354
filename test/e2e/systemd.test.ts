import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { INSTALLED, SystemdMachine, whyNoSystemd } from './systemd-machine.ts';

const CONFIG = '/etc/selvage/selvage.yaml';
const SOCKET = '/run/selvage/selvage.sock';
const MODEL = `${INSTALLED}/examples/models/fashion-mnist-dscnn.onnx`;
const SELVAGE = ['node', `${INSTALLED}/bin/selvage.js`];

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** These tests share one machine and go through the life of a service in order. */
describe('the service under systemd', { skip: whyNoSystemd() ?? false }, () => {
  let machine: SystemdMachine;

  before(async () => {
    machine = await SystemdMachine.start();
  });
  after(async () => {
    await machine.stop();
  });

  function write(path: string, content: string): void {
    const at = machine.path(path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
  }

  function configure(models: readonly string[], rest = ''): void {
    const entries = models.map((name) => `  ${name}: { source: ${MODEL} }\n`).join('');
    write(CONFIG, `models:\n${entries}${rest}`);
  }

  /** One request over the inference socket, on a connection of its own. */
  function ask(path: string, body?: unknown): Promise<Answer> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          socketPath: machine.path(SOCKET),
          path,
          method: payload === undefined ? 'GET' : 'POST',
          headers: payload === undefined ? {} : { 'content-type': 'application/json' },
          agent: false,
          timeout: 20_000,
        },
        (response: IncomingMessage) => {
          let text = '';
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        },
      );
      outgoing.on('error', reject);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer to ${path} within 20 s`)));
      outgoing.end(payload);
    });
  }

  /** Repeats `check` until it holds; throws with its last value where it does not within 20 s. */
  async function until<T>(what: string, look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
    let last: unknown;
    for (let attempt = 0; attempt < 200; attempt += 1) {
      try {
        const value = await look();
        if (holds(value)) return value;
        last = value;
      } catch (thrown) {
        last = thrown;
      }
      await sleep(100);
    }
    const journal = await machine.exec('journalctl', '-u', 'selvage', '-n', '30', '--no-pager', '-o', 'cat');
    throw new Error(`${what}: ${String(last)}\n${journal.stdout}`);
  }

  const ready = () =>
    until(
      'ready',
      () => ask('/v2/health/ready'),
      (answer) => answer.status === 200,
    );
  const mainPid = async () => Number(await machine.property('selvage.service', 'MainPID'));

  const kill = (signal: string, pid: number) => machine.run('sh', '-c', `kill -${signal} ${pid}`);

  /** Pids of the runners, as the machine numbers them. */
  async function runners(): Promise<number[]> {
    const agent = await mainPid();
    const children = await machine.run('cat', `/proc/${agent}/task/${agent}/children`);
    return children.split(' ').filter(Boolean).map(Number);
  }

  it('is installed with the real paths, and ready when its models serve', async () => {
    configure(['clothes']);
    const planned = await machine.run(...SELVAGE, 'service', 'install', '--dry-run');
    assert.match(planned, /^write \/etc\/systemd\/system\/selvage.service$/m);
    assert.equal(existsSync(machine.path('/etc/systemd/system/selvage.service')), false);

    const done = await machine.run(...SELVAGE, 'service', 'install');
    assert.match(done, /^keep \/etc\/selvage\/selvage.yaml \(your configuration\)$/m);
    assert.equal(await machine.property('selvage.service', 'ActiveState'), 'active');
    assert.equal(await machine.property('selvage.service', 'StatusText'), '1 of 1 models serve');
    assert.equal((await ask('/v2/health/ready')).status, 200, 'systemctl start returned when it was ready');
    for (const unit of ['selvage.service', 'selvage.socket']) {
      assert.equal(await machine.run('systemctl', 'is-enabled', unit), 'enabled');
    }
  });

  it('can be installed again without a restart', async () => {
    const before_ = await mainPid();
    const again = await machine.run(...SELVAGE, 'service', 'install');
    assert.doesNotMatch(again, /^(write|remove)|stop/m);
    assert.equal(await mainPid(), before_);
    const status = JSON.parse(await machine.run(...SELVAGE, 'service', 'status', '--json')) as Record<
      string,
      string
    >;
    assert.deepEqual(
      [status['active'], status['enabled'], status['pid']],
      ['active', 'enabled', String(before_)],
    );
  });

  it('answers an inference and shows its metrics', async () => {
    const metadata = JSON.parse((await ask('/v2/models/clothes')).body) as {
      inputs: Array<{ name: string; datatype: string; shape: number[] }>;
    };
    const inputs = metadata.inputs.map(({ name, datatype, shape }) => {
      const fixed = shape.map((size) => (size < 0 ? 1 : size));
      const count = fixed.reduce((product, size) => product * size, 1);
      return { name, datatype, shape: fixed, data: Array.from({ length: count }, () => 0) };
    });
    const answer = await ask('/v2/models/clothes/infer', { inputs });
    assert.equal(answer.status, 200, answer.body);
    assert.match((await ask('/metrics')).body, /^selvage_requests_total\{model="clothes",.*code="ok"\} 1$/m);
  });

  it('runs confined, with runners that the kernel takes first', async () => {
    const agent = await mainPid();
    const status = await machine.run('cat', `/proc/${agent}/status`);
    const uid = await machine.run('id', '-u', 'selvage');
    assert.match(status, new RegExp(`^Uid:\\s+${uid}\\s`, 'm'));
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    assert.match(status, /^CapBnd:\s+0+$/m);
    assert.match(status, /^Seccomp:\s+2$/m);
    const score = async (pid: number) => Number(await machine.run('cat', `/proc/${pid}/oom_score_adj`));
    // A container without CAP_SYS_RESOURCE cannot lower the score below 0; raising it needs nothing.
    assert.ok([-200, 0].includes(await score(agent)));
    const [runner] = await runners();
    assert.ok(runner !== undefined && (await score(runner)) > 0);
    const exposure = await machine.run(
      'systemd-analyze',
      'security',
      '--threshold=20',
      '--no-pager',
      'selvage',
    );
    assert.match(exposure, /Overall exposure level for selvage.service: [01]\.\d/);
  });

  it('lets in the members of its group and nobody else', async () => {
    const script = `require('node:net').connect('${SOCKET}').on('connect', () => process.exit(0)).on('error', (e) => { console.log(e.code); process.exit(1); })`;
    const as = (...groups: string[]) =>
      machine.exec('setpriv', '--reuid=nobody', '--regid=nogroup', ...groups, 'node', '-e', script);
    assert.equal((await as('--groups=selvage')).code, 0);
    assert.deepEqual(await as('--clear-groups').then(({ code, stdout }) => [code, stdout.trim()]), [
      1,
      'EACCES',
    ]);
  });

  it('takes a changed configuration on reload, and none that is wrong', async () => {
    const agent = await mainPid();
    configure(['clothes', 'shoes']);
    await machine.run('systemctl', 'reload', 'selvage');
    await until(
      'the new model',
      () => ask('/v2/models/shoes/ready'),
      (answer) => answer.status === 200,
    );
    configure(['clothes'], 'modles: {}\n');
    await machine.run('systemctl', 'reload', 'selvage');
    await until(
      'the refusal',
      () => ask('/metrics'),
      (answer) => answer.body.includes('selvage_config_reloads_total{result="CONFIG_INVALID"} 1'),
    );
    assert.equal((await ask('/v2/models/shoes/ready')).status, 200, 'the configuration before stays');
    assert.equal(await mainPid(), agent);
    configure(['clothes']);
    await machine.run('systemctl', 'reload', 'selvage');
    await until(
      'the removal',
      () => ask('/v2/models/shoes'),
      (answer) => answer.status === 404,
    );
  });

  it('logs JSON lines to the journal, with their priority', async () => {
    const output = await machine.run('journalctl', '-u', 'selvage', '-o', 'json', '--no-pager', '_COMM=node');
    const entries = output.split('\n').map((line) => JSON.parse(line) as Record<string, string>);
    const lines = entries.map((entry) => ({
      entry,
      line: JSON.parse(entry['MESSAGE'] ?? '') as Record<string, unknown>,
    }));
    assert.ok(lines.length > 0);
    const priorities: Record<string, string> = { error: '3', warn: '4', info: '6' };
    for (const { entry, line } of lines) {
      assert.equal(entry['PRIORITY'], priorities[String(line['level'])], entry['MESSAGE']);
      assert.equal(entry['SYSLOG_IDENTIFIER'], 'selvage');
    }
    for (const level of ['info', 'error'])
      assert.ok(
        lines.some(({ line }) => line['level'] === level),
        level,
      );
  });

  it('comes back after it is killed; clients that connect meanwhile wait', async () => {
    const agent = await mainPid();
    const old = await runners();
    const imported = readdirSync(machine.path('/var/lib/selvage/models'));
    const importedAt = imported.map(
      (name) => statSync(machine.path(`/var/lib/selvage/models/${name}`)).mtimeMs,
    );
    assert.ok(imported.length > 0);
    await kill('KILL', agent);
    const answer = await ask('/v2/health/live');
    assert.equal(answer.status, 200);
    assert.notEqual(await mainPid(), agent);
    for (const pid of old)
      assert.equal(existsSync(machine.path(`/proc/${pid}`)), false, 'no runner is left behind');
    await ready();
    assert.deepEqual(
      imported.map((name) => statSync(machine.path(`/var/lib/selvage/models/${name}`)).mtimeMs),
      importedAt,
      'what was imported is used again',
    );
  });

  it('stops cleanly and is started by the next client', async () => {
    await ready();
    await machine.run('systemctl', 'stop', 'selvage.service');
    assert.equal(await machine.property('selvage.service', 'Result'), 'success');
    assert.equal(await machine.property('selvage.service', 'ExecMainStatus'), '0');
    assert.equal(await machine.property('selvage.socket', 'ActiveState'), 'active');
    assert.equal((await ask('/v2/health/live')).status, 200);
    const state = () => machine.property('selvage.service', 'ActiveState');
    await until('the start', state, (value) => value === 'active');
  });

  async function restartWith(name: string, lines: string): Promise<void> {
    write(`/etc/systemd/system/selvage.service.d/${name}.conf`, `[Service]\n${lines}\n`);
    await machine.run('systemctl', 'daemon-reload');
    await machine.run('systemctl', 'restart', 'selvage.service');
    await ready();
  }

  it('finishes what is under way before it stops', async () => {
    await ready();
    const body = JSON.stringify({ inputs: [] });
    const socket = connect(machine.path(SOCKET));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.write(
      `POST /v2/models/clothes/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n{`,
    );
    await sleep(200);
    const stopped = machine.run('systemctl', 'stop', 'selvage.service');
    await sleep(500);
    assert.equal(await machine.property('selvage.service', 'ActiveState'), 'deactivating');
    socket.write(body.slice(1));
    await once(socket, 'close');
    assert.match(
      answer,
      /^HTTP\/1\.1 400 .*INPUT_MISSING|^HTTP\/1\.1 400 .*needs input/s,
      'the model looked at it',
    );
    await stopped;
    assert.equal(await machine.property('selvage.service', 'Result'), 'success');
  });

  it('is killed by the watchdog when it hangs, and comes back', async () => {
    await restartWith('watchdog', 'WatchdogSec=2');
    const agent = await mainPid();
    await sleep(3000);
    assert.equal(await mainPid(), agent, 'the watchdog is fed');
    await kill('STOP', agent);
    await until('a new agent', mainPid, (pid) => pid !== 0 && pid !== agent);
    await ready();
    const journal = await machine.run('journalctl', '-u', 'selvage', '--no-pager', '-o', 'cat', '_PID=1');
    assert.match(journal, /watchdog timeout/i);
  });

  it('replaces a runner that hangs, and stays itself', async () => {
    // Long enough for a canary to be given up (5 s).
    await restartWith('watchdog', 'WatchdogSec=16');
    const agent = await mainPid();
    const [runner = 0] = await runners();
    await kill('STOP', runner);
    await until('a new runner', runners, (pids) => pids.length > 0 && !pids.includes(runner));
    await ready();
    assert.equal(await mainPid(), agent);
  });

  it('keeps trying, socket included, until its configuration is put right', async () => {
    configure(['clothes'], 'modles: {}\n');
    await machine.exec('systemctl', 'restart', 'selvage.service');
    const clients = Array.from({ length: 40 }, () => ask('/v2/health/live').catch(() => undefined));
    await sleep(3000);
    assert.equal(await machine.property('selvage.socket', 'ActiveState'), 'active');
    assert.equal(await machine.property('selvage.service', 'ExecMainStatus'), '78');
    const warnings = await machine.run(
      'journalctl',
      '-u',
      'selvage',
      '-p',
      'warning',
      '-o',
      'cat',
      '--no-pager',
    );
    assert.match(
      warnings,
      /^selvage: .*modles: unknown setting/m,
      'shown although no log was up to give it a priority',
    );
    configure(['clothes']);
    await ready();
    await Promise.all(clients);
  });

  it('reads credentials that only the service manager can', async () => {
    const announced = async () => {
      const journal = await machine.run('journalctl', '-u', 'selvage', '-o', 'cat', '--no-pager');
      return journal.match(/"msg":"agent ready"/g)?.length;
    };
    const before_ = await announced();
    write('/etc/selvage/credentials/level', 'silent\n');
    await machine.run('chmod', '0400', '/etc/selvage/credentials/level');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
    configure(['clothes'], 'log: { level: "${credential:level}" }\n');
    await restartWith('credentials', 'LoadCredential=level:/etc/selvage/credentials/level');
    assert.equal(await announced(), before_, 'the level of the credential holds');
  });

  it('is uninstalled without its configuration, state and the changes to its unit', async () => {
    const done = await machine.run(...SELVAGE, 'service', 'uninstall');
    for (const kept of ['/etc/selvage', '/var/lib/selvage', '/etc/systemd/system/selvage.service.d']) {
      assert.match(done, new RegExp(`^keep ${kept} `, 'm'));
      assert.ok(existsSync(machine.path(kept)));
    }
    assert.equal(await machine.property('selvage.service', 'ActiveState'), 'inactive');
    assert.equal(existsSync(machine.path(SOCKET)), false);
    assert.match(readFileSync(machine.path(CONFIG), 'utf8'), /clothes/);
    assert.equal((await machine.exec('systemctl', 'cat', 'selvage.service')).code, 1);
  });
});
