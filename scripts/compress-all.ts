/**
 * Compresses every model of the assets with the methods that fit and prints what became of each: the acceptance run.
 *
 *     npm run build && node dist/scripts/compress-all.js OUT [--only TEXT] [--budget SECONDS]
 *
 * Labelled data is used where there is some; for the other models seeded noise in the shape of their inputs stands in,
 * which shows that their variants can be made and run, and says nothing of their accuracy in use.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { CompressReport, CompressRequest } from '../src/catalogue/compress/job-messages.ts';
import { METHODS } from '../src/catalogue/compress/recipe.ts';
import { runCompress } from '../src/catalogue/compress/run-compress.ts';
import { imageClassificationSchema } from '../src/config/tasks/image-classification.ts';
import { toSelvageError } from '../src/lib/errors.ts';
import { seededRandom } from '../src/lib/random.ts';
import { assetsDir } from '../test/assets.ts';
import { npyFile, zipFile } from '../test/numpy-files.ts';

type Source = Pick<CompressRequest, 'data' | 'labels' | 'task'>;

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, budget: { type: 'string', default: '0' } },
});
if (assetsDir === undefined || positionals[0] === undefined) throw new Error('needs the assets and a folder');
const assets = assetsDir;
const out = resolve(positionals[0]);
mkdirSync(join(out, 'data'), { recursive: true });

/** Data by model, in the order of the run. */
const SOURCES: Readonly<Record<string, () => Source>> = {
  'mobilenet_v2_1.0_224': imagenet,
  'mobilenet_v1_0.25_128': imagenet,
  'mobilenet_v1_0.5_160': imagenet,
  'mobilenet_v1_0.75_192': imagenet,
  'cifar10-resnet20': () => images('cifar10', 32, 3, cifarPixel),
  'cifar10-resnet20-extdata': () => images('cifar10', 32, 3, cifarPixel),
  'cifar10-resnet56': () => images('cifar10', 32, 3, cifarPixel),
  'mlperf-tiny-resnet8-cifar10': () => images('cifar10', 32, 3, (pixel) => pixel, 'raw'),
  'fashion-mnist-cnn-teacher': () => images('fashion-mnist', 28, 1, (pixel) => pixel / 255),
  'fashion-mnist-dscnn': () => images('fashion-mnist', 28, 1, (pixel) => pixel / 255),
  'fashion-mnist-lstm': () => images('fashion-mnist', 28, 0, (pixel) => pixel / 255, 'rows'),
  'mnist-cntk': () => images('mnist', 28, 1, (pixel) => pixel),
  'clinc150-transformer-small': intents,
  'clinc150-bilstm': intents,
  FastestDet: () => noise({ 'input.1': [3, 352, 352] }),
  'ch_ppocr_mobile_v2.0_cls_infer': () => noise({ x: [3, 48, 192] }),
  'mlperf-tiny-ad01-autoencoder': () => noise({ input: [640] }),
  'mlperf-tiny-kws-dscnn': () => noise({ input: [1, 49, 10] }),
  silero_vad_v5: speech,
  'ultraface-RFB-320': () => noise({ input: [3, 240, 320] }),
};

function imagenet(): Source {
  const data = join(assets, 'data/imagenet-sample');
  const task = imageClassificationSchema.parse({
    type: 'image-classification',
    cropFraction: 0.875,
    mean: [127.5],
    std: [127.5],
    labelOffset: -1,
  });
  return { data, labels: join(data, 'labels.csv'), task };
}

/** Labelled images as an array: channels first where there are any, else rows. */
function images(
  set: string,
  side: number,
  channels: number,
  pixelValue: (pixel: number, channel: number) => number,
  kind = '',
): Source {
  const folder = join(assets, 'data', set);
  const pixels = readFileSync(join(folder, 'test.images.u8'));
  const labels = readFileSync(join(folder, 'test.labels.u8'));
  const plane = side * side;
  const size = plane * Math.max(1, channels);
  const values = new Float32Array(pixels.length);
  for (let at = 0; at < pixels.length; at++) {
    const [image, within] = [Math.floor(at / size), at % size];
    const channel = channels === 0 ? 0 : within % channels;
    const place = channels === 0 ? within : channel * plane + Math.floor(within / channels);
    values[image * size + place] = pixelValue(pixels[at] ?? 0, channel);
  }
  const shape = [labels.length, ...(channels === 0 ? [] : [channels]), side, side];
  const data = join(out, 'data', `${set}${kind}.npz`);
  const y = BigInt64Array.from(labels, BigInt);
  const arrays = [
    { name: 'x.npy', data: npyFile('<f4', shape, values) },
    { name: 'labels.npy', data: npyFile('<i8', [labels.length], y) },
  ];
  writeFileSync(data, zipFile(arrays));
  return { data };
}

function cifarPixel(pixel: number, channel: number): number {
  const mean = [0.485, 0.456, 0.406][channel] ?? 0;
  return (pixel / 255 - mean) / ([0.229, 0.224, 0.225][channel] ?? 1);
}

/** Sentences as token ids, each of its own length. */
function intents(): Source {
  const folder = join(assets, 'data/clinc150');
  const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const { val } = read('clinc150.json') as { val: [string, string][] };
  const vocabulary = read('vocab.json') as {
    vocab: string[];
    labels: string[];
    max_len: number;
    unk_id: number;
  };
  const ids = new Map(vocabulary.vocab.map((word, id) => [word, id]));
  const lines = val.flatMap(([text, label]) => {
    const words = (text.toLowerCase().match(/[a-z0-9']+/g) ?? []).slice(0, vocabulary.max_len);
    if (words.length === 0) return [];
    const tokens = words.map((word) => ids.get(word) ?? vocabulary.unk_id);
    const input = { name: 'input_ids', datatype: 'INT64', shape: [1, tokens.length], data: tokens };
    return [JSON.stringify({ inputs: [input], label: vocabulary.labels.indexOf(label) })];
  });
  return jsonLines('intents', lines);
}

/** Frames of noise with a state of zeros, as the first frame of a recording has. */
function speech(): Source {
  const random = seededRandom(1);
  const state = Array<number>(256).fill(0);
  const lines = Array.from({ length: 200 }, () => {
    const frame = Array.from({ length: 512 }, () => (random() - 0.5) * 0.4);
    const inputs = [
      { name: 'input', datatype: 'FP32', shape: [1, 512], data: frame },
      { name: 'state', datatype: 'FP32', shape: [2, 1, 128], data: state },
      { name: 'sr', datatype: 'INT64', shape: [], data: [16_000] },
    ];
    return JSON.stringify({ inputs });
  });
  return jsonLines('speech', lines);
}

function jsonLines(name: string, lines: readonly string[]): Source {
  const data = join(out, 'data', `${name}.jsonl`);
  writeFileSync(data, `${lines.join('\n')}\n`);
  return { data };
}

function noise(shapes: Readonly<Record<string, readonly number[]>>): Source {
  const random = seededRandom(1);
  const samples = 60;
  const arrays = Object.entries(shapes).map(([name, shape]) => {
    const size = samples * shape.reduce((product, dimension) => product * dimension, 1);
    const values = Float32Array.from({ length: size }, () => random() * 2 - 1);
    return { name: `${name}.npy`, data: npyFile('<f4', [samples, ...shape], values) };
  });
  const data = join(out, 'data', `noise-${Object.keys(shapes).join('-')}-${arrays[0]?.data.length}.npz`);
  writeFileSync(data, zipFile(arrays));
  return { data };
}

function line(model: string, report: CompressReport): void {
  const accuracy = report.float.accuracy === undefined ? '' : `, accuracy ${percent(report.float.accuracy)}`;
  console.log(
    `\n${model}: ${report.float.sizeBytes} bytes${accuracy}; ${report.seconds.toFixed(1)} s, ${Math.round(report.peakRssBytes / 2 ** 20)} MiB`,
  );
  for (const { id, status, sizeBytes, speed, accuracy, agreement, snrDb, reason, file } of report.variants) {
    if (file === null) {
      console.log(`  ${id}: not made: ${reason}`);
      continue;
    }
    const times =
      speed === null ? '' : `${speed.median.toFixed(2)}× (${speed.low.toFixed(2)}–${speed.high.toFixed(2)})`;
    const figures = [
      times,
      `${((100 * sizeBytes) / report.float.sizeBytes).toFixed(0)} % size`,
      accuracy === undefined ? '' : `accuracy ${percent(accuracy)}`,
      agreement === undefined ? '' : `agreement ${percent(agreement)}`,
      snrDb === null ? '' : `${snrDb.toFixed(1)} dB`,
    ];
    const shown = figures.filter((text) => text !== '').join(', ');
    console.log(`  ${id}: ${status}, ${shown}${status === 'refused' ? `: ${reason}` : ''}`);
  }
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

for (const [name, source] of Object.entries(SOURCES)) {
  if (!name.includes(options.only)) continue;

  const request: CompressRequest = {
    model: join(assets, 'models', `${name}.onnx`),
    ...source(),
    methods: METHODS,
    maxAccuracyDrop: 0.01,
    budgetSeconds: Number(options.budget),
    seed: 0,
    out: join(out, name),
  };
  try {
    line(basename(request.model), (await runCompress(request)).report);
  } catch (thrown) {
    const error = toSelvageError(thrown);
    console.log(`\n${basename(request.model)}: ${error.code}: ${error.message}`);
  }
}
