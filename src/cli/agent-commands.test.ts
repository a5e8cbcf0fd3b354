import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EchoService } from '../../test/echo-service.ts';
import { keepingLog, LIMITS, MODELS, temporaryDirectory } from '../../test/http-fixture.ts';
import { MemoryControl } from '../../test/memory-control.ts';
import { ERROR_TABLE } from '../lib/errors.ts';
import { packageRoot } from '../lib/paths.ts';
import { adminRoutes } from '../server/admin-routes.ts';
import { HttpServer } from '../server/http.ts';
import { inferenceRoutes } from '../server/inference-routes.ts';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a user does. */
function selvage(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const main = join(packageRoot, 'dist/src/main.js');
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, timeout: 20_000 };
    execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

async function agent(t: TestContext) {
  const directory = temporaryDirectory(t);
  const service = new EchoService(
    MODELS.map((model) => ({ ...model, pid: 4711, rssBytes: 3 * 1024 * 1024 })),
  );
  const control = new MemoryControl(service);
  const { log } = keepingLog();
  const inference = inferenceRoutes({ service, version: '0.1.0', limits: LIMITS, metrics: () => '' });
  const servers = { selvage: inference, admin: adminRoutes({ control, service }) };
  for (const [name, routes] of Object.entries(servers)) {
    const server = new HttpServer({ routes, limits: LIMITS, log });
    await server.listenUnix({ path: join(directory, `${name}.sock`), mode: 0o600 });
    t.after(() => server.close(0));
  }
  const env = {
    SELVAGE_SOCKET: join(directory, 'selvage.sock'),
    SELVAGE_ADMIN_SOCKET: join(directory, 'admin.sock'),
  };
  const run = async (...args: string[]) => {
    const outcome = await selvage(args, env);
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome.stdout;
  };
  return { directory, env, control, run };
}

describe('commands that ask a running agent', () => {
  it('models: shows, loads and unloads them', async (t) => {
    const { run, control, env } = await agent(t);
    const table = (await run('models')).split('\n');
    assert.match(table[0] ?? '', /^MODEL +STATE +VARIANT +PID +MEMORY +RESTARTS +REQUESTS +QUEUED +REASON$/);
    assert.match(table[1] ?? '', /^tiny +ready +original +4711 +3 MiB +0 +0 +0$/);
    const [first] = JSON.parse(await run('models', '--json'));
    assert.equal(first.name, 'tiny');
    assert.match(await run('models', 'load', 'tiny'), /'tiny' is loaded/);
    assert.ok(control.loaded.has('tiny'));
    assert.deepEqual(JSON.parse(await run('models', 'unload', 'tiny', '--json')), {
      model: 'tiny',
      action: 'unload',
    });
    assert.ok(!control.loaded.has('tiny'));
    const unknown = await selvage(['models', 'load', 'none'], env);
    assert.equal(unknown.code, ERROR_TABLE.MODEL_NOT_FOUND.exit);
    assert.match(unknown.stderr, /no model 'none'/);
  });

  it('status, jobs and reload: show what the agent says', async (t) => {
    const { run, control, env } = await agent(t);
    const status = await run('status');
    assert.match(status, /^selvage 0\.1\.0, process \d+, ready$/m);
    assert.match(status, /^listening {2}\/run\/selvage\/selvage\.sock$/m);
    assert.match(status, /^tiny +ready/m);
    assert.equal(JSON.parse(await run('status', '--json')).pid, process.pid);

    assert.match(
      await run('jobs'),
      /^j1 +benchmark +clothes +running +50 % +1970-01-01T00:00:00\.001Z +variant 1 of 2$/m,
    );
    assert.match(await run('jobs', 'cancel', 'j1'), /cancelled/);
    assert.equal(JSON.parse(await run('jobs', '--json'))[0].state, 'cancelled');
    const again = await selvage(['jobs', 'cancel', 'j1', '--json'], env);
    assert.equal(again.code, ERROR_TABLE.JOB_NOT_FOUND.exit);
    assert.equal(JSON.parse(again.stderr).error.code, 'JOB_NOT_FOUND');

    assert.equal(await run('reload'), 'The configuration was applied.\nadded: b\nunchanged: a\n');
    control.configProblem = 'selvage.yaml:1:1: models: expected an object';
    const refused = await selvage(['reload'], env);
    assert.equal(refused.code, ERROR_TABLE.CONFIG_INVALID.exit);
    assert.match(refused.stderr, /selvage\.yaml:1:1/);
  });

  it('infer: sends images and requests', async (t) => {
    const { run, directory, env } = await agent(t);
    const image = join(directory, 'photo');
    writeFileSync(image, Buffer.from([0xff, 0xd8, 0xff, 0xff]));
    const table = await run('infer', 'picture', image, '--top-k', '1');
    assert.equal(
      table,
      'LABEL     INDEX  PROBABILITY\nbyte 255    255       0.7500\n\npicture (original), 0.3 ms\n',
    );
    assert.equal(JSON.parse(await run('infer', 'picture', image, '--json')).predictions.length, 2);

    const request = join(directory, 'request.json');
    const tensor = { datatype: 'UINT8', shape: [9], data: [1, 2, 3, 4, 5, 6, 7, 8, 9] };
    writeFileSync(request, JSON.stringify({ inputs: [{ name: 'b', ...tensor }] }));
    assert.match(await run('infer', 'bytes', request), /^b_out +UINT8 +\[9\] +1 2 3 4 5 6 7 8 … \(9\)$/m);
    assert.equal(JSON.parse(await run('infer', 'bytes', request, '--json')).outputs[0].name, 'b_out');
    writeFileSync(request, JSON.stringify({ inputs: [{ name: 'p', ...tensor }] }));
    assert.match(await run('infer', 'picture', request, '--top-k', '1'), /byte 1 /);

    const codes = async (...args: string[]) => (await selvage(['infer', ...args], env)).code;
    assert.equal(await codes('picture', join(directory, 'none')), ERROR_TABLE.FILE_UNREADABLE.exit);
    assert.equal(await codes('none', image), ERROR_TABLE.MODEL_NOT_FOUND.exit);
    assert.equal(await codes('tiny', image), ERROR_TABLE.TASK_MISSING.exit);
    writeFileSync(
      request,
      JSON.stringify({ parameters: { binary_data_output: true }, inputs: [{ name: 'b', ...tensor }] }),
    );
    assert.equal(await codes('bytes', request), ERROR_TABLE.USAGE.exit);
  });

  it('say why no agent answers', async (t) => {
    const directory = temporaryDirectory(t);
    const socket = join(directory, 's');
    const reason = async (path: string) => {
      const { code, stderr } = await selvage(['status', '--socket', path]);
      assert.equal(code, ERROR_TABLE.AGENT_UNREACHABLE.exit);
      assert.match(stderr, /no agent answers at .*\n +Start it with/);
      return stderr;
    };
    assert.match(await reason(socket), /no such socket/);
    writeFileSync(join(directory, 'file'), '');
    assert.match(await reason(join(directory, 'file')), /this is not a socket/);
    const stranger = createServer((_, response) => response.writeHead(404).end('no'));
    await new Promise<void>((resolve) => stranger.listen({ path: socket }, resolve));
    t.after(() => stranger.close());
    assert.match(await reason(socket), /is no agent \(it answered 404\)/);
  });
});
