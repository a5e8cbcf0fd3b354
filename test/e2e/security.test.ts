import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packageRoot } from '../../src/lib/paths.ts';
import { tinyModel } from '../models.ts';
import { AgentHome } from './agent-home.ts';
import { AgentProcess } from './agent-process.ts';
import { ask } from './http-client.ts';
import { until } from './until.ts';

const EXAMPLES = join(packageRoot, 'examples');

/** Secrets that cannot be found by chance: one the configuration uses, one that only lies in the environment. */
const USED = 'used-secret-4711-bfdc';
const UNUSED = 'unused-secret-0815-cafe';

describe('security', () => {
  const home = new AgentHome();
  let agent: AgentProcess;

  before(async () => {
    home.write('tiny.onnx', tinyModel());
    home.configure(
      {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own references.
        secretive: { source: '${env:SELVAGE_E2E_USED}/tiny.onnx' },
        tiny: { source: 'tiny.onnx' },
        clothes: {
          source: join(EXAMPLES, 'models/fashion-mnist-dscnn.onnx'),
          task: { type: 'image-classification' },
        },
      },
      { log: { level: 'trace', repeatWindowMs: 0 } },
    );
    agent = await AgentProcess.start(home, {
      env: { SELVAGE_E2E_USED: USED, SELVAGE_E2E_UNUSED: UNUSED },
    });
    // So that the process that decodes images is there too.
    const body = readFileSync(join(EXAMPLES, 'images/bag.png'));
    const answer = await agent.ask('/predict/clothes', { headers: { 'Content-Type': 'image/png' }, body });
    assert.equal(answer.status, 200, answer.text);
  });
  after(async () => {
    await agent.stop();
    home.remove();
  });

  it('listens on nothing but its two Unix sockets', () => {
    const inodes = socketInodes(agent.pid);
    for (const table of ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6']) {
      assert.deepEqual(
        rows(table).filter((fields) => inodes.has(fields[9] ?? '')),
        [],
        table,
      );
    }
    // proc_net(5) has no manual for unix: Num RefCount Protocol Flags Type St Inode Path; flag 0x10000 is listening.
    const listening = rows('unix').filter(
      (fields) => inodes.has(fields[6] ?? '') && fields[3] === '00010000',
    );
    assert.equal(listening.length, 2);
  });

  it('lets its group use the inference socket and nobody but its owner administrate', () => {
    assert.equal(statSync(home.socket).mode & 0o777, 0o660);
    assert.equal(statSync(home.adminSocket).mode & 0o777, 0o600);
    const { uid } = statSync(home.adminSocket);
    assert.equal(uid, process.getuid?.());
  });

  it('keeps its state from others', () => {
    assert.equal(statSync(home.stateDir).mode & 0o007, 0);
  });

  it('gives its children no secrets, and lets the kernel take them first', async () => {
    const children = await until(
      'three children',
      () => agent.children(),
      (pids) => pids.length >= 3,
    );
    for (const pid of children) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      assert.doesNotMatch(environment, /secret/i);
      assert.match(environment, /ORT_DISABLE_TELEMETRY=1/);
      assert.doesNotMatch(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /secret-/);
      assert.ok(Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8')) >= 500);
      const sockets = [...socketInodes(pid)];
      const paths = rows('unix').filter(
        (fields) => sockets.includes(fields[6] ?? '') && fields[7] !== undefined,
      );
      assert.deepEqual(paths, [], 'a child has a listener of the agent');
    }
  });

  it('shows secrets nowhere', async () => {
    const answers = [
      await agent.admin('/status'),
      await agent.admin('/models'),
      await agent.admin('/jobs'),
      await agent.reload(),
      await agent.ask('/v2/repository/index', { method: 'POST' }),
      await agent.ask('/v2/models/secretive'),
      await agent.ask('/v2/models/secretive/config'),
      await agent.infer('secretive', []),
      await agent.admin('/v2/repository/models/secretive/load', { method: 'POST' }),
      await agent.ask('/metrics'),
    ];
    for (const { text } of answers) assert.ok(!text.includes(USED), text);
    assert.ok(
      !agent.output.includes(USED),
      agent.output.split('\n').find((line) => line.includes(USED)),
    );
    assert.ok(!agent.output.includes(UNUSED));
    assert.match(agent.output, /variant cannot be used/, 'there was something to hide');
    for (const name of readdirSync(home.stateDir, { recursive: true, encoding: 'utf8' })) {
      const path = join(home.stateDir, name);
      if (statSync(path).isFile()) assert.ok(!readFileSync(path).includes(USED), path);
    }
  });

  it('serves loopback TCP only where that is configured, to loopback names only', async (t) => {
    const other = new AgentHome();
    t.after(() => other.remove());
    const server = {
      http: { socket: 'selvage.sock', tcp: { port: 0 } },
      admin: { socket: 'admin.sock' },
    };
    other.configure({}, { server });
    const open = await AgentProcess.start(other);
    t.after(() => open.stop());
    const { listeners } = await open.status();
    const url = listeners.find((listener) => listener.startsWith('http://127.0.0.1:'));
    assert.ok(url, `${listeners}`);
    assert.equal((await fetch(`${url}/v2/health/ready`)).status, 200);
    assert.equal((await fetch(`${url}/status`)).status, 404);
    const inodes = socketInodes(open.pid);
    const tcp = rows('tcp').filter((fields) => inodes.has(fields[9] ?? '') && fields[3] === '0A');
    assert.equal(tcp.length, 1);
    assert.match(tcp[0]?.[1] ?? '', /^0100007F:/);
    const anyHost = await ask(other.socket, '/v2/health/ready', { headers: { host: 'example.com' } });
    assert.equal(anyHost.status, 200);
  });
});

/** Inodes of the sockets a process has open. */
function socketInodes(pid: number): Set<string> {
  const inodes = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
  return new Set(inodes);
}

/** Rows of a table of /proc/net as fields. */
function rows(table: string): string[][] {
  const [, ...lines] = readFileSync(`/proc/net/${table}`, 'latin1').trim().split('\n');
  return lines.map((line) => line.trim().split(/\s+/));
}
