import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { packageRoot } from '../lib/paths.ts';
import { bytesOf, typedView } from '../tensor/tensor.ts';
import { describeRuntime } from './describe-runtime.ts';
import { Runner, RunnerEnded, RunnerRefused } from './runner.ts';

const MODEL = join(packageRoot, 'examples/models/fashion-mnist-dscnn.onnx');

function image(value: number): { index: number; datatype: 'FP32'; dims: number[]; data: Uint8Array } {
  return {
    index: 0,
    datatype: 'FP32',
    dims: [1, 1, 28, 28],
    data: bytesOf(new Float32Array(784).fill(value)),
  };
}

describe('Runner', () => {
  const runners: Runner[] = [];
  const start = (): Runner => {
    const runner = new Runner();
    runners.push(runner);
    return runner;
  };
  after(() => {
    for (const runner of runners) runner.kill('test ended');
  });

  it('loads a model, says its signature and answers runs in order', async () => {
    const runner = start();
    const info = await runner.load({ path: MODEL, threads: 1 });
    assert.deepEqual(info.signature.inputs, [{ name: 'input', datatype: 'FP32', shape: [-1, 1, 28, 28] }]);
    assert.equal(info.batchable, true);
    const frames = await Promise.all([
      runner.run([
        { inputs: [image(0)], outputs: [] },
        { inputs: [image(1)], outputs: [0] },
      ]),
      runner.run([{ inputs: [image(0)], outputs: [] }]),
    ]);
    const [[zero, one], [again]] = frames as [[unknown, unknown], [unknown]];
    const logits = [zero, one, again].map((result) => {
      const { outputs } = result as { outputs: { data: Uint8Array; dims: number[] }[] };
      assert.deepEqual(outputs[0]?.dims, [1, 10]);
      return [...typedView('FP32', outputs[0]?.data ?? new Uint8Array())];
    });
    assert.deepEqual(logits[0], logits[2]);
    assert.notDeepEqual(logits[0], logits[1]);
    await runner.canary();
    assert.equal((await runner.bench(5, 1000)).length, 5);
  });

  it('says in the runtime’s words why a run failed, and goes on', async () => {
    const runner = start();
    await runner.load({ path: MODEL, threads: 1 });
    const wrong = { ...image(0), dims: [1, 1, 14, 56] };
    const [bad, good] = await runner.run([
      { inputs: [wrong], outputs: [] },
      { inputs: [image(0)], outputs: [] },
    ]);
    assert.equal(bad?.ok, false);
    assert.match(bad?.ok === false ? bad.reason : '', /invalid dimensions/i);
    assert.equal(good?.ok, true);
  });

  it('refuses a file that is no model', async () => {
    const runner = start();
    await assert.rejects(runner.load({ path: join(packageRoot, 'package.json'), threads: 1 }), RunnerRefused);
  });

  it('rejects what is under way when the child dies', async () => {
    const runner = start();
    await runner.load({ path: MODEL, threads: 1 });
    const pending = runner.run([{ inputs: [image(0)], outputs: [] }]);
    const ended = new Promise((resolve) => {
      runner.onEnd = resolve;
    });
    runner.kill('killed by the test');
    await Promise.all([pending.catch(() => {}), ended]);
    await assert.rejects(runner.run([]), RunnerEnded);
  });
});

describe('describeRuntime', () => {
  it('names the version and the CPU provider', async () => {
    const { version, providers } = await describeRuntime();
    assert.match(version, /^1\.\d+\.\d+/);
    assert.ok(providers.includes('cpu'));
  });
});
