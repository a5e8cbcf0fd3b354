import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { floatNpy } from '../../test/numpy-files.ts';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { packageRoot } from '../lib/paths.ts';

const MAIN = join(packageRoot, 'bin/selvage.js');
const MODEL = join(packageRoot, 'examples/models/fashion-mnist-dscnn.onnx');

function workplace(t: TestContext): { folder: string; data: string; out: string } {
  const folder = temporaryDirectory(t);
  const data = join(folder, 'x.npy');
  const values = Array.from({ length: 60 * 784 }, (_, at) =>
    Math.abs(Math.sin(at * 0.37 + Math.floor(at / 784))),
  );
  writeFileSync(data, floatNpy([60, 1, 28, 28], values));
  return { folder, data, out: join(folder, 'out') };
}

function start(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, 'compress', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  return { child, ended: once(child, 'exit'), stdout: text(child.stdout) };
}

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { child, ended, stdout } = start(...args);
  const stderr = text(child.stderr);
  const [code] = (await ended) as [number];
  return { code, stdout: await stdout, stderr: await stderr };
}

describe('selvage compress', () => {
  it('prints one JSON object and nothing else on standard output', async (t) => {
    const { data, out } = workplace(t);
    const { code, stdout } = await run(MODEL, '--data', data, '--out', out, '--methods', 'fp16', '--json');
    const report = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(code, 0);
    assert.deepEqual(Object.keys(report), ['model', 'float', 'variants', 'seconds', 'peakRssBytes']);
    const [variant] = report['variants'] as Record<string, unknown>[];
    assert.deepEqual(Object.keys(variant ?? {}), [
      'id',
      'recipe',
      'file',
      'status',
      'reason',
      'sizeBytes',
      'agreement',
      'snrDb',
      'speed',
    ]);
  });

  it('shows a table, and ends well where nothing is better than float', async (t) => {
    const { data, out } = workplace(t);
    const { code, stdout, stderr } = await run(MODEL, '--data', data, '--out', out, '--methods', 'simplify');
    assert.equal(code, 0);
    assert.match(stdout, /^VARIANT +SIZE +SPEED +ACCURACY +AGREEMENT +VERDICT\nfloat +36\.9 KiB/);
    assert.match(stdout, /simplify.*refused/);
    assert.match(stdout, /Nothing better than the float model/);
    assert.match(stderr, /^reading the model\n/);
  });

  it('stops at SIGINT and leaves no half file', async (t) => {
    const { data, out } = workplace(t);
    const { child, ended, stdout } = start(MODEL, '--data', data, '--out', out);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      if (!stderr.includes('scoring') && chunk.includes('scoring')) child.kill('SIGINT');
      stderr += chunk;
    });
    const [code] = (await ended) as [number];
    assert.equal(code, 75);
    assert.equal(await stdout, '');
    assert.match(stderr, /cancelled/);
    const files = readdirSync(out, { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      files.filter((name) => name.endsWith('.tmp')),
      [],
    );
    assert.equal(existsSync(join(out, 'manifest.json')), false);
  });

  it('says what is wrong with its options', async (t) => {
    const { folder, data, out } = workplace(t);
    const task = join(folder, 'task.yaml');
    writeFileSync(task, 'type: image-classification\nsise: 28\n');
    const config = join(folder, 'selvage.yaml');
    writeFileSync(config, 'models: {}\n');
    const cases: readonly [string[], number, RegExp][] = [
      [[MODEL, '--data', data], 64, /--out/],
      [
        [MODEL, '--data', data, '--out', out, '--methods', 'int8'],
        64,
        /no 'int8'; there are simplify, int8-static/,
      ],
      [[MODEL, '--data', data, '--out', out, '--budget', 'soon'], 64, /--budget: expected a number from 0/],
      [[MODEL, '--data', data, '--out', out, '--max-accuracy-drop', '5'], 64, /from 0 to 1, found '5'/],
      [[MODEL, '--data', folder, '--out', out, '--task', task], 78, /task\.yaml.*2.*sise/s],
      [['clothes', '--data', data, '--out', out, '--config', config], 66, /no model 'clothes'/],
    ];
    for (const [args, expected, message] of cases) {
      const { code, stdout, stderr } = await run(...args);
      assert.deepEqual([code, stdout], [expected, ''], args.join(' '));
      assert.match(stderr, message);
    }
    assert.equal(existsSync(out), false);
  });
});
