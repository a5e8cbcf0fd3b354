import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/lib/paths.ts';

/** Every line of a `sh` block of the README. */
const COMMANDS = [
  ...readFileSync(join(packageRoot, 'README.md'), 'utf8').matchAll(/```sh\n(.*?)```/gs),
].flatMap((block) => (block[1] ?? '').trim().split('\n'));

/** The tests of this file run inside `npm test`'s twin, after an install: these two cannot run inside themselves. */
const START = 'npm ci && npm start';
const TEST = 'npm ci && npm test';

const SERVE = 'node bin/selvage.js serve --config examples/selvage.yaml';
const READY_MS = 60_000;

describe('the commands of the README', () => {
  let directory: string;
  const started: ChildProcess[] = [];

  before(async () => {
    // A copy, so that the state and sockets the examples make do not lie in the checkout.
    directory = await mkdtemp(join(tmpdir(), 'selvage-readme-'));
    for (const name of ['bin', 'dist', 'examples', 'config', 'package.json']) {
      await cp(join(packageRoot, name), join(directory, name), { recursive: true });
    }
    await symlink(join(packageRoot, 'node_modules'), join(directory, 'node_modules'));
    await rm(join(directory, 'examples/.selvage'), { recursive: true, force: true });
  });

  after(async () => {
    for (const child of started) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
    }
    await rm(directory, { recursive: true, force: true });
  });

  async function sh(command: string): Promise<string> {
    const { stdout } = await promisify(execFile)('bash', ['-euc', command], {
      cwd: directory,
      timeout: READY_MS,
    });
    return stdout;
  }

  async function inBackground(command: string, socket: string): Promise<void> {
    const [file = '', ...args] = command.split(' ');
    started.push(spawn(file, args, { cwd: directory, stdio: 'ignore' }));
    const deadline = Date.now() + READY_MS;
    const ready = `curl --silent --fail --unix-socket ${socket} http://localhost/v2/health/ready`;
    while (!existsSync(join(directory, socket)) || !(await sh(ready).then(Boolean, () => false))) {
      assert.ok(Date.now() < deadline, `${command} was not ready in time`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it('are all known to this test', () => {
    const known = [START, TEST, SERVE];
    const rest = COMMANDS.filter((command) => !known.includes(command));
    assert.ok(known.every((command) => COMMANDS.includes(command)));
    assert.ok(rest.length >= 8, 'the README lost its commands');
    for (const command of rest) assert.match(command, /^(curl --unix-socket|node bin\/selvage\.js) /);
  });

  it(`${START} serves the example model, and the curl it prints answers`, async () => {
    // What `npm start` runs after its build, which is done by now.
    const scripts = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    assert.equal(scripts.scripts['start'], 'npm run --silent demo');
    const demo = (scripts.scripts['demo'] ?? '').split(' && ').at(-1) ?? '';
    assert.match(demo, /^node bin\/selvage\.js demo$/);
    await inBackground(demo, '.selvage/selvage.sock');
    const curls = COMMANDS.filter((command) => command.includes(' .selvage/'));
    assert.equal(curls.length, 1);
    for (const command of curls) assert.match(await sh(command), /"predictions":\[\{"label":"Ankle boot"/);
  });

  it('serve, and what is asked of the running agent', async () => {
    await inBackground(SERVE, 'examples/.selvage/selvage.sock');
    const asking = COMMANDS.filter((command) => command.includes('examples/.selvage/'));
    assert.equal(asking.length, 4);
    for (const command of asking) assert.match(await sh(command), /clothes|Sandal/, command);
  });

  for (const command of COMMANDS.filter((one) => one.startsWith('node ') && !one.includes('.selvage/'))) {
    if (command === SERVE) continue;
    it(command, async () => {
      assert.notEqual(await sh(command), '');
    });
  }
});
