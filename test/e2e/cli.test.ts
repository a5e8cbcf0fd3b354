import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { agentRequest } from '../../src/cli/agent-client.ts';
import { SelvageError } from '../../src/lib/errors.ts';
import { packageRoot } from '../../src/lib/paths.ts';
import type { PredictResponse } from '../../src/serving/service.ts';

const MAIN = join(packageRoot, 'bin/selvage.js');
const MODEL = join(packageRoot, 'examples/models/fashion-mnist-dscnn.onnx');
const LABELS = join(packageRoot, 'examples/models/fashion-mnist-labels.txt');
const BAG = join(packageRoot, 'examples/images/bag.png');
const READY_MS = 60_000;

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('the command line, with a running agent', () => {
  const directory = mkdtempSync(join(tmpdir(), 'selvage-cli-'));
  const config = join(directory, 'selvage.yaml');
  const env = {
    ...process.env,
    SELVAGE_SOCKET: join(directory, 'selvage.sock'),
    SELVAGE_ADMIN_SOCKET: join(directory, 'admin.sock'),
  };
  let agent: ChildProcess;

  function configure(more: readonly string[]): void {
    const lines = [
      `stateDir: ${join(directory, 'state')}`,
      'server:',
      `  http: { socket: ${env.SELVAGE_SOCKET}, limits: { mediaBodyBytes: 65536 } }`,
      `  admin: { socket: ${env.SELVAGE_ADMIN_SOCKET} }`,
      'models:',
      `  clothes: { source: ${MODEL}, task: { type: image-classification, labels: ${LABELS}, topK: 3 } }`,
      `  tensors: { source: ${MODEL} }`,
    ];
    writeFileSync(config, [...lines, ...more, ''].join('\n'));
  }

  function selvage(args: readonly string[], input: string | Buffer = ''): Promise<Outcome> {
    return new Promise((resolve) => {
      const options = { env, cwd: directory, timeout: READY_MS };
      const child = execFile(process.execPath, [MAIN, ...args], options, (_, stdout, stderr) =>
        resolve({ code: child.exitCode, stdout, stderr }),
      );
      child.stdin?.on('error', () => {}).end(input);
    });
  }

  async function output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await selvage(args);
    assert.deepEqual([code, stderr], [0, ''], args.join(' '));
    return stdout;
  }

  /** A command that fails: its exit code, and its error as JSON and in words. */
  async function failure(...args: string[]) {
    const inWords = await selvage(args);
    const asJson = await selvage([...args, '--json']);
    assert.deepEqual([asJson.code, asJson.stdout, inWords.stdout], [inWords.code, '', '']);
    const { error } = JSON.parse(asJson.stderr) as { error: { code: string; message: string; hint: string } };
    assert.equal(inWords.stderr, `selvage: ${error.message}\n  ${error.hint}\n`);
    assert.doesNotMatch(inWords.stderr, /\{\w+\}/, 'every placeholder is filled in');
    return { exit: inWords.code, ...error };
  }

  before(async () => {
    configure([]);
    const log: string[] = [];
    agent = spawn(process.execPath, [MAIN, 'serve', '--config', config], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    for (const stream of [agent.stdout, agent.stderr]) stream?.on('data', (text) => log.push(String(text)));
    const deadline = Date.now() + READY_MS;
    const ready = () =>
      agentRequest(env.SELVAGE_SOCKET, 'GET', '/v2/health/ready').then(Boolean, () => false);
    while (!(await ready())) {
      assert.ok(agent.exitCode === null && Date.now() < deadline, `the agent is not ready: ${log.join('')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  after(async () => {
    if (agent.exitCode === null) {
      agent.kill('SIGTERM');
      await once(agent, 'exit');
    }
    rmSync(directory, { recursive: true, force: true });
  });

  it('models and status show the models with their processes', async () => {
    const [title = '', clothes = '', tensors = ''] = (await output('models')).split('\n');
    assert.match(title, /^MODEL +STATE +VARIANT +PID +MEMORY +RESTARTS +REQUESTS +QUEUED +REASON$/);
    assert.match(clothes, /^clothes +ready +original +\d+ +[\d.]+ MiB +0 +\d+ +0$/);
    assert.match(tensors, /^tensors +ready/);
    const models = JSON.parse(await output('models', '--json'));
    assert.deepEqual(
      models.map((model: { name: string }) => model.name),
      ['clothes', 'tensors'],
    );
    process.kill(models[0].pid, 0);
    const text = await output('status');
    assert.match(text, new RegExp(`^selvage [\\d.]+, process ${agent.pid}, ready$`, 'm'));
    assert.ok(
      text.includes(config) && text.includes(env.SELVAGE_SOCKET) && text.includes(clothes.slice(0, 20)),
    );
    assert.equal(JSON.parse(await output('status', '--json')).pid, agent.pid);
  });

  it('models unload and load end and start its process', async () => {
    assert.equal(await output('models', 'unload', 'tensors'), "model 'tensors' is unloaded\n");
    assert.match(await output('models'), /^tensors +unloaded +- +- +-/m);
    const request = join(directory, 'request.json');
    writeFileSync(request, '{"inputs":[]}');
    assert.equal((await failure('infer', 'tensors', request)).code, 'MODEL_NOT_READY');
    assert.deepEqual(JSON.parse(await output('models', 'load', 'tensors', '--json')), {
      model: 'tensors',
      action: 'load',
    });
    assert.match(await output('models'), /^tensors +ready/m);
  });

  it('infer answers an image, by path and from standard input', async () => {
    const [title = '', first = '', ...rest] = (await output('infer', 'clothes', BAG)).trimEnd().split('\n');
    assert.match(title, /^LABEL +INDEX +PROBABILITY$/);
    assert.match(first, /^Bag +8 +0\.9\d{3}$/);
    assert.equal(rest.length, 4, 'two more predictions, a blank line and who answered');
    assert.match(rest.at(-1) ?? '', /^clothes \(original\), [\d.]+ ms$/);
    const args = ['infer', 'clothes', '-', '--top-k', '1', '--json'];
    const piped = await selvage(args, readFileSync(BAG));
    const { predictions } = JSON.parse(piped.stdout) as PredictResponse;
    assert.deepEqual([predictions.length, predictions[0]?.label], [1, 'Bag']);
  });

  it('infer answers tensors with tensors, or with predictions where --top-k asks for them', async () => {
    const metadata = (await agentRequest(env.SELVAGE_SOCKET, 'GET', '/v2/models/tensors')).json as {
      inputs: { name: string; shape: number[] }[];
    };
    const [{ name, shape } = { name: '', shape: [] }] = metadata.inputs;
    const whole = shape.map((dimension) => Math.max(dimension, 1));
    const count = whole.reduce((product, dimension) => product * dimension, 1);
    const input = { name, datatype: 'FP32', shape: whole, data: Array(count).fill(0.5) };
    const request = join(directory, 'request.json');
    writeFileSync(request, JSON.stringify({ inputs: [input] }));
    const table = (await output('infer', 'tensors', request)).split('\n');
    assert.match(table[0] ?? '', /^OUTPUT +DATATYPE +SHAPE +DATA$/);
    assert.match(table[1] ?? '', /^\S+ +FP32 +\[1,10\] +(-?[\d.e-]+ ){8}… \(10\)$/);
    const { outputs } = JSON.parse(await output('infer', 'tensors', request, '--json'));
    assert.equal(outputs[0].data.length, 10);
    assert.match(await output('infer', 'clothes', request, '--top-k', '2'), /^LABEL/);
  });

  it('infer says what is wrong with the model, the file or the options', async () => {
    const noise = join(directory, 'noise.jpg');
    writeFileSync(noise, 'no picture');
    const unknown = await failure('infer', 'nothing', BAG);
    assert.deepEqual([unknown.exit, unknown.message], [66, "no model 'nothing'; there are clothes, tensors"]);
    assert.equal((await failure('infer', 'clothes', join(directory, 'none.png'))).exit, 66);
    const unreadable = await failure('infer', 'clothes', noise);
    assert.deepEqual([unreadable.exit, unreadable.code], [65, 'MEDIA_UNREADABLE']);
    const taskless = await failure('infer', 'tensors', BAG);
    assert.deepEqual([taskless.exit, taskless.hint], [65, 'Set models.tensors.task, or send tensors.']);
    assert.equal((await failure('infer', 'clothes')).exit, 64);
    assert.equal((await failure('infer', 'clothes', BAG, '--top-k', '-1')).exit, 64);
  });

  it('learns that a body is refused while it is still sending it', async () => {
    const body = Buffer.alloc(8 * 1024 * 1024);
    for (let time = 0; time < 60; time++) {
      const answer = agentRequest(env.SELVAGE_SOCKET, 'POST', '/predict/clothes', body);
      await assert.rejects(answer, { code: 'BODY_TOO_LARGE' });
    }
  });

  it('jobs lists the imports; one that has ended cannot be cancelled', async () => {
    assert.match(await output('jobs'), /^\d+ +import +clothes +done +100 %/m);
    const jobs = JSON.parse(await output('jobs', '--json'));
    const cancelled = await failure('jobs', 'cancel', jobs[0].id);
    assert.deepEqual([cancelled.exit, cancelled.code], [66, 'JOB_NOT_FOUND']);
  });

  it('reload tells what changed, and refuses a wrong configuration', async () => {
    configure([`  more: { source: ${MODEL} }`]);
    const text = await output('reload');
    assert.match(text, /^added: more$/m);
    assert.match(text, /^unchanged: clothes, tensors$/m);
    assert.match(await output('models'), /^more +ready/m);
    configure(['modles: {}']);
    const refused = await failure('reload');
    assert.deepEqual([refused.exit, refused.code], [78, 'CONFIG_INVALID']);
    assert.match(refused.message, /selvage\.yaml:8:1: modles: unknown setting/);
    assert.match(await output('models'), /^more +ready/m, 'the configuration before is still in effect');
    configure([]);
    assert.deepEqual(JSON.parse(await output('reload', '--json')).removed, ['more']);
  });

  it('says when nobody listens, or not the right one', async () => {
    for (const command of [['status'], ['models'], ['jobs'], ['reload'], ['infer', 'clothes', BAG]]) {
      const { exit, code, message } = await failure(...command, '--socket', join(directory, 'none.sock'));
      assert.deepEqual([exit, code], [69, 'AGENT_UNREACHABLE']);
      assert.match(message, /there is no such socket/);
    }
    const wrong = await failure('models', '--socket', env.SELVAGE_SOCKET);
    assert.equal(wrong.exit, 69);
    assert.match(wrong.message, /its other socket/);
  });

  it('a reader that closes its end early is no error', async () => {
    const command = `"${process.execPath}" "${MAIN}" config schema | head -c 1; echo " \${PIPESTATUS[0]}"`;
    const child = execFile('bash', ['-c', command], { env, timeout: READY_MS });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => (text += piece));
    await once(child, 'close');
    assert.equal(text, '{ 0\n');
  });

  it('the demo answers its samples and ends', async () => {
    const { code, stdout, stderr } = await selvage(['demo', '--once', '--dir', join(directory, 'demo')]);
    assert.deepEqual([code, stderr], [0, ''], stdout);
    assert.match(stdout, /^Model 'clothes' is ready, variant '(small|large)', process \d+\.$/m);
    assert.match(stdout, /^bag\.png +Bag +0\.\d{3} +[\d.]+ ms$/m);
  });

  it('errors have the fields and the exit code of the error table', async () => {
    const { exit, ...error } = await failure('modls');
    assert.deepEqual(SelvageError.revive(error).toJSON(), error);
    assert.equal(exit, SelvageError.revive(error).exitCode);
    const nothing = await selvage([]);
    assert.deepEqual([nothing.code, nothing.stdout], [64, '']);
    assert.match(nothing.stderr, /^Usage: selvage /);
  });
});
