import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { withCode } from '../../../test/contract/task-contract.ts';
import { identityModel } from '../../../test/models.ts';
import { floatNpy, npyFile, zipFile } from '../../../test/numpy-files.ts';
import { runMounted, skipWithoutMounts } from '../../../test/program.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import { packageRoot } from '../../lib/paths.ts';
import { seededRandom } from '../../lib/random.ts';
import { Runner } from '../../runtime/runner.ts';
import type { CompressRequest } from './job-messages.ts';
import { METHODS } from './recipe.ts';
import { runCompress } from './run-compress.ts';

const MODELS = join(packageRoot, 'examples/models');
const DSCNN = join(MODELS, 'fashion-mnist-dscnn.onnx');
const TEACHER = join(MODELS, 'fashion-mnist-cnn-teacher.onnx');
const SAMPLES = 120;
const PIXELS = 28 * 28;

/** Patches of light on dark: not clothes, but values such as images have. */
function images(): number[] {
  const random = seededRandom(7);
  return Array.from({ length: SAMPLES }, () => {
    const [x, y, size] = [random() * 28, random() * 28, 4 + random() * 10];
    return Array.from({ length: PIXELS }, (_, at) => {
      const distance = Math.hypot((at % 28) - x, Math.floor(at / 28) - y);
      return Math.max(0, 1 - distance / size) * (0.5 + random() / 2);
    });
  }).flat();
}

/** Data for the examples in a file; the labels are what the teacher says. */
async function dataFile(folder: string, labels: readonly number[] | undefined): Promise<string> {
  const path = join(folder, 'data.npz');
  const arrays = [{ name: 'input.npy', data: floatNpy([SAMPLES, 1, 28, 28], images()) }];
  if (labels !== undefined) {
    arrays.push({
      name: 'labels.npy',
      data: npyFile('<i8', [SAMPLES], BigInt64Array.from(labels.map(BigInt))),
    });
  }
  writeFileSync(path, zipFile(arrays));
  return path;
}

/** The teacher's classes for `images()`. */
async function teacherLabels(t: TestContext): Promise<number[]> {
  const runner = new Runner();
  t.after(() => runner.kill('test ended'));
  await runner.load({ path: TEACHER, threads: 1 });
  const all = Float32Array.from(images());
  const runs = Array.from({ length: SAMPLES }, (_, index) => ({
    inputs: [
      {
        index: 0,
        datatype: 'FP32' as const,
        dims: [1, 1, 28, 28],
        data: new Uint8Array(all.slice(index * PIXELS, (index + 1) * PIXELS).buffer),
      },
    ],
    outputs: [],
  }));
  return (await runner.run(runs)).map((result) => {
    assert.ok(result.ok);
    const scores = new Float32Array(Uint8Array.from(result.outputs[0]?.data ?? []).buffer);
    return scores.indexOf(Math.max(...scores));
  });
}

async function request(t: TestContext, more: Partial<CompressRequest> = {}): Promise<CompressRequest> {
  const folder = temporaryDirectory(t);
  return {
    model: DSCNN,
    data: await dataFile(folder, undefined),
    methods: ['int8-static'],
    maxAccuracyDrop: 0.2,
    budgetSeconds: 0,
    seed: 0,
    out: join(folder, 'out'),
    ...more,
  };
}

/** All files below a folder, with their contents. */
function filesBelow(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return new Map(
    names.flatMap((name) => {
      try {
        return [[name, readFileSync(join(folder, name)).toString('base64')] as const];
      } catch {
        return [];
      }
    }),
  );
}

describe('runCompress', () => {
  it('makes every form of a model, measures it on samples of its own, and writes a manifest', async (t) => {
    const labels = await teacherLabels(t);
    const folder = temporaryDirectory(t);
    const data = await dataFile(folder, labels);
    const wanted = await request(t, { model: TEACHER, data, methods: METHODS });
    const messages: string[] = [];
    const fractions: number[] = [];
    const { report } = await runCompress(wanted, {
      onProgress: ({ fraction, message }) => {
        fractions.push(fraction);
        messages.push(message);
      },
    });
    assert.equal(report.model, TEACHER);
    assert.deepEqual(report.float, { file: TEACHER, sizeBytes: readFileSync(TEACHER).length, accuracy: 1 });
    assert.deepEqual(
      report.variants.map(({ recipe }) => recipe.method),
      [...METHODS],
    );
    const [simplified, ...variants] = report.variants;
    assert.match(simplified?.reason ?? '', /nothing to work on/, 'the model is simple already');
    for (const { id, file, status, sizeBytes, accuracy, agreement, snrDb, speed, reason } of variants) {
      assert.ok(file !== null, `${id}: ${reason}`);
      assert.equal(readFileSync(file).length, sizeBytes);
      // The labels are the float model's own answers.
      assert.equal(accuracy, agreement);
      assert.ok((agreement ?? 0) > 0.8, `${id}: ${agreement}`);
      assert.ok((snrDb ?? 0) > 10, `${id}: ${snrDb} dB`);
      assert.ok(speed !== null && speed.low <= speed.median && speed.median <= speed.high);
      assert.equal(file.includes('/refused/'), status === 'refused');
    }
    const [int8] = variants;
    assert.ok((int8?.sizeBytes ?? Number.NaN) < report.float.sizeBytes / 3);
    assert.ok(report.seconds > 0 && report.peakRssBytes > 10_000_000);
    assert.ok(fractions.every((fraction, index) => index === 0 || fraction >= (fractions[index - 1] ?? 0)));
    assert.ok(messages.includes('simplifying the model'));

    const manifest = JSON.parse(readFileSync(join(wanted.out, 'manifest.json'), 'utf8'));
    assert.deepEqual([manifest.data.calibration, manifest.data.validation, manifest.data.test], [30, 0, 90]);
    assert.equal(join(wanted.out, manifest.variants[1].file), int8?.file);
    assert.equal(existsSync(join(wanted.out, '.work')), false, 'nothing is left of the work');
  });

  it('makes the same bytes of the same input and seed', async (t) => {
    const one = await request(t, { methods: METHODS });
    const other = { ...one, out: join(temporaryDirectory(t), 'out') };
    await runCompress(one);
    await runCompress(other);
    const [first, second] = [filesBelow(one.out), filesBelow(other.out)];
    first.delete('manifest.json');
    second.delete('manifest.json');
    assert.ok(first.size >= 4);
    // Which variants are accepted hangs on their speed; what is in them does not.
    const byName = (files: Map<string, string>) =>
      new Map([...files].map(([name, bytes]) => [name.replace('refused/', ''), bytes] as const).sort());
    assert.deepEqual(byName(first), byName(second));
  });

  it('goes on where it was killed', async (t) => {
    const wanted = await request(t, { model: TEACHER, methods: METHODS });
    const plain = { ...wanted, out: join(temporaryDirectory(t), 'out') };
    await runCompress(plain);
    for (const word of [
      /^simplifying/,
      /^int8-static.*: scoring/,
      /^int8-dynamic: making/,
      /^fp16: timing/,
    ]) {
      const abort = new AbortController();
      const killed = runCompress(wanted, {
        signal: abort.signal,
        onProgress: ({ message }) => {
          if (word.test(message)) abort.abort();
        },
      });
      await assert.rejects(killed, withCode('CANCELLED', 'cancelled'));
      for (const name of filesBelow(wanted.out).keys()) assert.doesNotMatch(name, /\.tmp$/);
    }
    const seen: string[] = [];
    const { report } = await runCompress(wanted, { onProgress: ({ message }) => seen.push(message) });
    assert.equal(report.variants.length, METHODS.length);
    assert.ok(!seen.some((message) => /^int8-static.*: scoring/.test(message)), 'it was measured before');
    assert.ok(seen.includes('fp16: timing'));
    const names = (folder: string) =>
      [...filesBelow(folder).keys()].map((name) => name.replace('refused/', ''));
    assert.deepEqual(names(wanted.out).sort(), names(plain.out).sort());
    for (const [name, bytes] of filesBelow(plain.out)) {
      const same = filesBelow(wanted.out).get(name);
      if (name.endsWith('.onnx') && same !== undefined) assert.equal(same, bytes, name);
    }
  });

  it('refuses a variant that loses more than allowed, and keeps it apart', async (t) => {
    const { report } = await runCompress(await request(t, { maxAccuracyDrop: 0, methods: ['int8-static'] }));
    const [variant] = report.variants;
    assert.ok((variant?.agreement ?? 1) < 1);
    assert.equal(variant?.status, 'refused');
    assert.match(variant?.reason ?? '', /best class differs/);
    assert.match(variant?.file ?? '', /\/refused\/int8-static-[a-z-]+\.onnx$/);
  });

  it('says why a recipe has nothing to work on, and that nothing is better', async (t) => {
    const folder = temporaryDirectory(t);
    const model = join(folder, 'identity.onnx');
    writeFileSync(model, identityModel('FP32', ['n', 4]));
    const data = join(folder, 'x.npy');
    writeFileSync(
      data,
      floatNpy(
        [40, 4],
        Array.from({ length: 160 }, (_, index) => index),
      ),
    );
    const { report } = await runCompress(await request(t, { model, data, methods: METHODS }));
    for (const { status, file, reason } of report.variants) {
      assert.equal(status, 'refused');
      assert.equal(file, null);
      assert.match(reason ?? '', /nothing to work on/);
    }
    assert.equal(report.variants.length, METHODS.length);
  });

  it('searches within a budget', async (t) => {
    const { report } = await runCompress(await request(t, { budgetSeconds: 4 }));
    assert.ok(report.variants.length >= 1 && report.variants.length <= 3);
    assert.equal(new Set(report.variants.map(({ id }) => id)).size, report.variants.length);
  });

  it('removes the variants of an earlier job that this one does not make', async (t) => {
    const wanted = await request(t, { methods: ['fp16', 'weights-int8'] });
    await runCompress(wanted);
    writeFileSync(join(wanted.out, 'notes.txt'), 'mine');
    const { report } = await runCompress({ ...wanted, methods: ['fp16'] });
    const files = [...filesBelow(wanted.out).keys()].filter((name) => name !== 'refused');
    const relative = (report.variants[0]?.file ?? '').slice(wanted.out.length + 1);
    assert.deepEqual(files.sort(), [relative, 'manifest.json', 'notes.txt'].sort());
  });

  it('refuses bad input and leaves nothing', async (t) => {
    const good = await request(t);
    const folder = temporaryDirectory(t);
    const file = (name: string, bytes: Uint8Array | string): string => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const cases: readonly [Partial<CompressRequest>, Parameters<typeof withCode>][] = [
      [{ model: file('a.onnx', 'not a model') }, ['MODEL_FILE_INVALID', 'not']],
      [{ model: file('b.onnx', readFileSync(DSCNN).subarray(0, 20_000)) }, ['MODEL_FILE_INVALID', 'b.onnx']],
      [{ model: join(folder, 'none.onnx') }, ['FILE_UNREADABLE', 'no such file']],
      [{ data: join(folder, 'none.npz') }, ['FILE_UNREADABLE', 'none.npz']],
      [{ data: file('c.npy', floatNpy([3, 5], Array(15).fill(1))) }, ['DATA_MISMATCH', 'input']],
      [
        { data: file('d.npy', floatNpy([9, 1, 28, 28], Array(9 * PIXELS).fill(1))) },
        ['DATA_INVALID', 'the same'],
      ],
      [{ data: file('e.npy', floatNpy([1, 1, 28, 28], Array(PIXELS).fill(1))) }, ['DATA_EMPTY', 'too few']],
      [{ labels: file('f.txt', `${'10\n'.repeat(SAMPLES)}`) }, ['LABELS_INVALID', '10']],
      [{ labels: file('g.txt', '1\n2\n') }, ['LABELS_INVALID', '2 labels']],
      [{ data: MODELS }, ['DATA_EMPTY', 'no JPEG']],
      [{ data: join(packageRoot, 'examples/images') }, ['DATA_INVALID', 'task']],
      [{ out: file('h', 'a file') }, ['FILE_UNWRITABLE', 'h']],
    ];
    for (const [change, expected] of cases) {
      await assert.rejects(
        runCompress({ ...good, ...change }),
        withCode(...expected),
        JSON.stringify(change),
      );
    }
    assert.equal(existsSync(good.out), false);
  });

  it('takes a folder of images through a task', async (t) => {
    const task = { type: 'image-classification', size: 28, channels: 'gray', labelOffset: 0 } as const;
    const rest = { resize: 'cover', cropFraction: 1, topK: 5, scores: 'auto' } as const;
    const data = join(packageRoot, 'examples/images');
    const { report, warnings } = await runCompress(await request(t, { data, task: { ...task, ...rest } }));
    assert.ok((report.variants[0]?.snrDb ?? 0) > 10);
    assert.match(warnings.join('\n'), /only 3 samples for calibration/);
  });

  it('looks for room on the disk first, and survives a disk that fills up', {
    skip: skipWithoutMounts,
  }, async (t) => {
    const wanted = await request(t, { methods: ['int8-static', 'weights-int8'] });
    const path = join(temporaryDirectory(t), 'request.json');
    const mounted = join(temporaryDirectory(t), 'small');
    mkdirSync(mounted);
    writeFileSync(path, JSON.stringify({ ...wanted, out: join(mounted, 'out') }));
    const tooSmall = runMounted(`mount -t tmpfs -o size=2m none ${mounted}`, 'compress-into', path);
    assert.deepEqual((tooSmall as { code: string }).code, 'FILE_UNWRITABLE');
    const fills = `mount -t tmpfs -o size=8m none ${mounted}`;
    const filled = runMounted(fills, 'compress-into', path, 'fill') as { code: string; left: string[] };
    assert.equal(filled.code, 'FILE_UNWRITABLE');
    assert.deepEqual(
      filled.left.filter((name) => name.endsWith('.tmp')),
      [],
    );
    rmSync(path);
  });
});
