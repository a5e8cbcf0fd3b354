import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { buildModel } from '../../src/graph/build-model.ts';
import { TensorProtoSchema } from '../../src/graph/gen/onnx_pb.ts';
import { encodeModel } from '../../src/graph/write-model.ts';
import { packageRoot } from '../../src/lib/paths.ts';
import { tinyModel, tinyOutput } from '../models.ts';
import { AgentHome } from './agent-home.ts';
import { AgentProcess } from './agent-process.ts';
import { until } from './until.ts';

const EXAMPLES = join(packageRoot, 'examples');
/** A file read sooner than this after it was written may have been changed again unseen: it is read once more. */
const RACY_MS = 2100;

const TINY_INPUT = { name: 'input', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };

async function serves(agent: AgentProcess, model: string): Promise<void> {
  const { status, text, json } = await agent.infer(model, [TINY_INPUT]);
  assert.equal(status, 200, text);
  assert.deepEqual(json.outputs[0].data, tinyOutput([1, 2, 3, 4]));
}

/** From x to y through these nodes; `spec` as for `buildModel`. */
function fourNumbers(spec: Partial<Parameters<typeof buildModel>[0]>): Uint8Array {
  return encodeModel(
    buildModel({
      inputs: [{ name: 'x', datatype: 'FP32', dims: [4] }],
      outputs: [{ name: 'y', datatype: 'FP32', dims: [4] }],
      nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }],
      ...spec,
    }),
  );
}

function withWeightsAt(location: string): Uint8Array {
  const weights = create(TensorProtoSchema, {
    name: 'w',
    dataType: 1,
    dims: [4n],
    dataLocation: 1,
    externalData: [{ key: 'location', value: location }],
  });
  return fourNumbers({
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
    initializers: [weights],
  });
}

describe('model files that cannot serve', () => {
  const home = new AgentHome();
  let agent: AgentProcess;

  const cycle = fourNumbers({
    nodes: [
      { op: 'Add', name: 'first', inputs: ['x', 'b'], outputs: ['a'] },
      { op: 'Relu', name: 'second', inputs: ['a'], outputs: ['b'] },
      { op: 'Relu', name: 'third', inputs: ['b'], outputs: ['y'] },
    ],
  });
  const refusals: readonly [name: string, content: Uint8Array | undefined, reason: RegExp][] = [
    ['empty', new Uint8Array(0), /empty\.onnx: .*empty|0 bytes/],
    ['truncated', tinyModel().subarray(0, 100), /truncated\.onnx: /],
    ['picture', readFileSync(join(EXAMPLES, 'images/ankle-boot-large.jpg')), /picture\.onnx: .*JPEG/],
    ['text', Buffer.from('models:\n  m: {}\n'), /text\.onnx: /],
    ['cyclic', cycle, /cyclic\.onnx: .*cycle/],
    ['outside', withWeightsAt('../secret.bin'), /outside\.onnx: .*secret\.bin/],
    ['absolute', withWeightsAt('/etc/passwd'), /absolute\.onnx: .*passwd/],
    ['weightless', withWeightsAt('weights.bin'), /weights\.bin/],
    ['future', fourNumbers({ opset: 999 }), /future\.onnx: .*999/],
    ['unheard', fourNumbers({ nodes: [{ op: 'Frobnicate', inputs: ['x'], outputs: ['y'] }] }), /Frobnicate/],
    ['missing', undefined, /there is no file .*missing\.onnx/],
    ['folder', undefined, /folder\.onnx cannot be read: it is not a regular file/],
  ];

  before(async () => {
    const models: Record<string, object> = { tiny: { source: 'models/tiny.onnx' } };
    home.write('models/tiny.onnx', tinyModel());
    home.write('secret.bin', new Uint8Array(16));
    for (const [name, content] of refusals) {
      if (content !== undefined) home.write(`models/${name}.onnx`, content);
      models[name] = { source: `models/${name}.onnx` };
    }
    mkdirSync(home.path('models/folder.onnx'));
    models['misfit'] = { source: 'models/tiny.onnx', task: { type: 'image-classification' } };
    home.configure(models);
    agent = await AgentProcess.start(home);
  });
  after(async () => {
    await agent.stop();
    home.remove();
  });

  for (const [name, , reason] of [
    ...refusals,
    ['misfit', undefined, /task of model 'misfit' does not fit/] as const,
  ]) {
    it(`are refused with a reason: ${name}`, async () => {
      const model = await agent.model(name);
      assert.equal(model.state, 'refused', model.reason);
      assert.match(model.reason, reason);
      const index = await agent.ask('/v2/repository/index', { method: 'POST' });
      const entry = index.json.find((one: { name: string }) => one.name === name);
      assert.deepEqual([entry.state, entry.reason], ['UNAVAILABLE', model.reason]);
      const answer = await agent.infer(name, [TINY_INPUT]);
      assert.equal(answer.status, 503, answer.text);
      assert.ok(answer.json.error.includes(model.reason), answer.text);
    });
  }

  it('keep neither the others from serving nor the agent from being ready', async () => {
    assert.equal((await agent.ask('/v2/health/ready')).status, 200);
    await serves(agent, 'tiny');
    const ready = await agent.ask('/v2/repository/index', { body: { ready: true } });
    assert.deepEqual(
      ready.json.map(({ name }: { name: string }) => name),
      ['tiny'],
    );
  });

  it('are looked at again when an administrator loads them', async () => {
    const refused = await agent.admin('/v2/repository/models/missing/load', { method: 'POST' });
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.json.error, /there is no file/);
    home.write('models/missing.onnx', tinyModel());
    const loaded = await agent.admin('/v2/repository/models/missing/load', { method: 'POST' });
    assert.equal(loaded.status, 200, loaded.text);
    await serves(agent, 'missing');
  });

  it('leave no process and no half file behind', async () => {
    const pids = [await agent.runnerPid('tiny'), await agent.runnerPid('missing')];
    await until(
      'other children are gone',
      () => agent.children(),
      (children) => children.length === pids.length,
    );
    assert.deepEqual(agent.children().sort(), pids.sort());
  });
});

describe('variants of a model', () => {
  it('are measured once, the fastest serves, and those that cannot are left out', async (t) => {
    const home = new AgentHome();
    t.after(() => home.remove());
    home.write('broken.onnx', tinyModel().subarray(0, 100));
    home.configure({
      clothes: {
        variants: {
          large: { source: join(EXAMPLES, 'models/fashion-mnist-cnn-teacher.onnx') },
          small: { source: join(EXAMPLES, 'models/fashion-mnist-dscnn.onnx') },
          broken: { source: 'broken.onnx' },
        },
      },
    });
    const agent = await AgentProcess.start(home);
    t.after(() => agent.stop());
    const [choice] = await agent.untilLogged('fastest variant chosen');
    assert.match(String(choice?.['reason']), /^(small|large) \d+\.\d+ ms, (small|large) \d+\.\d+ ms$/);
    const model = await agent.model('clothes');
    assert.equal(model.variant, choice?.['variant']);
    assert.ok(String(choice?.['reason']).startsWith(`${model.variant} `));
    const [broken] = await agent.untilLogged('variant cannot be used');
    assert.equal(broken?.['variant'], 'broken');
    assert.deepEqual(await jobsOf(agent), ['import', 'import', 'import', 'measure']);
    await agent.stop();

    const again = await AgentProcess.start(home);
    t.after(() => again.stop());
    assert.equal((await again.model('clothes')).variant, model.variant);
    assert.deepEqual(await jobsOf(again), ['import'], 'only the broken file is looked at again');
    const [sameChoice] = await again.untilLogged('fastest variant chosen');
    assert.equal(sameChoice?.['reason'], choice?.['reason']);
  });

  it('refuse the model where none can serve', async (t) => {
    const home = new AgentHome();
    t.after(() => home.remove());
    home.write('broken.onnx', tinyModel().subarray(0, 100));
    home.configure({
      m: { variants: { a: { source: 'broken.onnx' }, b: { source: 'missing.onnx' } } },
    });
    const agent = await AgentProcess.start(home);
    t.after(() => agent.stop());
    const { state, reason } = await agent.model('m');
    assert.equal(state, 'refused');
    assert.match(reason, /broken\.onnx/);
  });
});

describe('models imported before', () => {
  it('are not read again', async (t) => {
    const home = new AgentHome();
    t.after(() => home.remove());
    home.write('tiny.onnx', tinyModel());
    home.configure({ tiny: { source: 'tiny.onnx' }, same: { source: 'tiny.onnx' } });
    await sleep(RACY_MS);
    const first = await AgentProcess.start(home);
    t.after(() => first.stop());
    await serves(first, 'tiny');
    assert.ok(first.logged('model imported').length >= 1);
    await first.stop();

    const second = await AgentProcess.start(home);
    t.after(() => second.stop());
    await serves(second, 'tiny');
    await serves(second, 'same');
    assert.deepEqual(await jobsOf(second), []);
    assert.deepEqual(second.logged('model imported'), []);
  });
});

/** What the agent has had done in jobs, apart from the probe, which it does in its own time. */
async function jobsOf(agent: AgentProcess): Promise<string[]> {
  const { jobs } = (await agent.admin('/jobs')).json as { jobs: { kind: string }[] };
  return jobs.map(({ kind }) => kind).filter((kind) => kind !== 'probe');
}
