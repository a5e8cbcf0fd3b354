/**
 * Makes `examples/`: copies the models and writes the sample images. Run it only to change them; they are committed.
 *
 *     npm run build && node dist/scripts/make-examples.js [ASSETS]
 *
 * ASSETS is a directory with `models/fashion-mnist-*.onnx` and `data/fashion-mnist/` (`test.images.u8`: 28 x 28 bytes
 * an image, `test.labels.u8`: one byte a label, `classes.json`); by default the one that the tests use.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { packageRoot } from '../src/lib/paths.ts';
import { assetsDir } from '../test/assets.ts';

const SIDE = 28;
const MODELS = ['fashion-mnist-dscnn.onnx', 'fashion-mnist-cnn-teacher.onnx'];

const assets = process.argv[2] ?? assetsDir;
if (assets === undefined) throw new Error('name the directory of the assets');
const data = join(assets, 'data/fashion-mnist');
const target = join(packageRoot, 'examples');
const classes = JSON.parse(readFileSync(join(data, 'classes.json'), 'utf8')) as string[];
const labels = readFileSync(join(data, 'test.labels.u8'));
const images = readFileSync(join(data, 'test.images.u8'));

mkdirSync(join(target, 'models'), { recursive: true });
mkdirSync(join(target, 'images'), { recursive: true });
for (const model of MODELS) {
  writeFileSync(join(target, 'models', model), readFileSync(join(assets, 'models', model)));
}
writeFileSync(join(target, 'models/fashion-mnist-labels.txt'), `${classes.join('\n')}\n`);
for (const [index, name] of classes.entries()) {
  await write(`${fileName(name)}.png`, firstOf(index).png());
}
// Two of them as cameras send them: JPEG, larger than the model's input, one with the camera turned.
await write('ankle-boot-large.jpg', enlarged(firstOf(classes.indexOf('Ankle boot'))).jpeg({ quality: 90 }));
await write(
  'trouser-sideways.jpg',
  enlarged(firstOf(classes.indexOf('Trouser')))
    .rotate(270)
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 90 }),
);

/** The first test image of a class. */
function firstOf(classIndex: number): Sharp {
  const place = labels.indexOf(classIndex);
  if (place < 0) throw new Error(`no image of class ${classIndex}`);
  const pixels = images.subarray(place * SIDE * SIDE, (place + 1) * SIDE * SIDE);
  return sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 1 } });
}

function enlarged(image: Sharp): Sharp {
  return image.resize(448, 448, { kernel: 'cubic' }).toColourspace('srgb');
}

async function write(name: string, image: Sharp): Promise<void> {
  await image.toFile(join(target, 'images', name));
}

function fileName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}
