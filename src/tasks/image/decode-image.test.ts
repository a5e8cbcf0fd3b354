import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { assetsDir, skipWithoutAssets } from '../../../test/assets.ts';
import { withCode } from '../../../test/contract/task-contract.ts';
import { paint, picture, type Rgb, texture } from '../../../test/images.ts';
import { typedView } from '../../tensor/tensor.ts';
import { decodeImage, loadSharp, type OpenImage } from './decode-image.ts';
import type { ImageSpec } from './image-spec.ts';

const RED: Rgb = [255, 0, 0];
const GREEN: Rgb = [0, 255, 0];
const BLUE: Rgb = [0, 0, 255];
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** Pixels as they are, one byte each, height x width x RGB. */
const RAW: ImageSpec = {
  width: 10,
  height: 10,
  resize: 'none',
  cropFraction: 1,
  channels: 'rgb',
  layout: 'nhwc',
  datatype: 'UINT8',
  mean: [0, 0, 0],
  std: [1, 1, 1],
};
const MAX_PIXELS = 1_000_000;

let open: OpenImage;
before(async () => {
  open = await loadSharp();
});

function decode(encoded: Uint8Array, changes: Partial<ImageSpec> = {}, maxPixels = MAX_PIXELS) {
  return decodeImage(open, encoded, { ...RAW, ...changes }, maxPixels);
}

/** A function that reads pixels of raw RGB bytes. */
function pixelsOf(raw: Uint8Array, width = 10): (x: number, y: number) => Rgb {
  return (x, y) => {
    const [red = -1, green = -1, blue = -1] = raw.subarray((y * width + x) * 3);
    return [red, green, blue];
  };
}

function assertNear(found: Uint8Array, expected: Uint8Array, tolerance: number): void {
  assert.equal(found.length, expected.length);
  for (const [index, value] of found.entries()) {
    const other = expected[index] ?? -1;
    assert.ok(Math.abs(value - other) <= tolerance, `${value} at ${index}, expected ${other}`);
  }
}

describe('decodeImage: fitting', () => {
  it('stretches', async () => {
    const image = picture(40, 20, (x) => (x < 20 ? RED : BLUE));
    const at = pixelsOf(await decode(await image.png().toBuffer(), { resize: 'stretch' }));
    for (const y of [0, 5, 9]) {
      for (const x of [0, 1, 2, 3]) assert.deepEqual(at(x, y), RED);
      for (const x of [6, 7, 8, 9]) assert.deepEqual(at(x, y), BLUE);
    }
  });

  it('covers, and cuts what is over on both sides', async () => {
    const wide = picture(40, 20, (x) => (x < 10 ? RED : x < 30 ? GREEN : BLUE));
    const tall = picture(20, 40, (_, y) => (y < 10 ? RED : y < 30 ? GREEN : BLUE));
    for (const image of [wide, tall]) {
      const at = pixelsOf(await decode(await image.png().toBuffer(), { resize: 'cover' }));
      for (let i = 1; i < 9; i += 1) assert.deepEqual(at(i, 9 - i), GREEN);
    }
  });

  it('cuts the centre of what it covered when only a fraction is wanted', async () => {
    const inside = (value: number) => value >= 5 && value < 15;
    const image = picture(20, 20, (x, y) => (inside(x) && inside(y) ? GREEN : RED));
    const raw = await decode(await image.png().toBuffer(), { resize: 'cover', cropFraction: 0.5 });
    assert.deepEqual(raw, Uint8Array.from(paint(10, 10, () => GREEN)));
  });

  it('fits inside with black borders', async () => {
    const image = picture(40, 20, () => WHITE);
    const at = pixelsOf(await decode(await image.png().toBuffer(), { resize: 'contain' }));
    for (const x of [0, 5, 9]) {
      for (const y of [0, 1, 8, 9]) assert.deepEqual(at(x, y), BLACK);
      for (const y of [4, 5]) assert.deepEqual(at(x, y), WHITE);
    }
  });

  it('leaves the exact size alone and refuses every other when it must not resize', async () => {
    const image = texture(10, 10);
    const expected = await image.clone().raw().toBuffer();
    assert.deepEqual(await decode(await image.clone().png().toBuffer()), Uint8Array.from(expected));
    await assert.rejects(
      decode(await texture(10, 11).png().toBuffer()),
      withCode('MEDIA_UNREADABLE', 'it is 10 x 11 pixels, expected 10 x 10'),
    );
  });

  it('enlarges small images and takes odd proportions', async () => {
    const dot = await picture(1, 1, () => RED)
      .png()
      .toBuffer();
    const strip = await picture(1, 60_000, () => RED)
      .jpeg()
      .toBuffer();
    for (const encoded of [dot, strip]) {
      for (const resize of ['stretch', 'cover'] as const) {
        assertNear(
          await decode(encoded, { resize }),
          paint(10, 10, () => RED),
          2,
        );
      }
    }
    await assert.rejects(
      decode(
        await picture(1, 500_000, () => RED)
          .png()
          .toBuffer(),
        { resize: 'cover', width: 640, height: 640 },
      ),
      withCode('MEDIA_UNREADABLE', 'its PNG data cannot be decoded'),
    );
  });
});

describe('decodeImage: reference preprocessing', () => {
  /** The ImageNet preprocessing with which the accuracies of common models are measured, in two plain steps. */
  async function reference(encoded: Uint8Array, size: number): Promise<Float32Array> {
    const side = Math.round(size / 0.875);
    const offset = Math.floor((side - size) / 2);
    const resized = await sharp(encoded)
      .toColourspace('srgb')
      .removeAlpha()
      .resize(side, side, { fit: 'cover', position: 'centre', kernel: 'linear', fastShrinkOnLoad: false })
      .raw()
      .toBuffer();
    const values = new Float32Array(3 * size * size);
    for (let y = 0; y < size; y += 1) {
      for (let x = 0; x < size; x += 1) {
        for (let channel = 0; channel < 3; channel += 1) {
          const pixel = resized[((y + offset) * side + x + offset) * 3 + channel] ?? 0;
          values[(channel * size + y) * size + x] = pixel / 127.5 - 1;
        }
      }
    }
    return values;
  }

  async function assertMatches(encoded: Uint8Array, size: number): Promise<void> {
    const expected = await reference(encoded, size);
    const tensor = await decode(encoded, {
      width: size,
      height: size,
      resize: 'cover',
      cropFraction: 0.875,
      layout: 'nchw',
      datatype: 'FP32',
      mean: [127.5, 127.5, 127.5],
      std: [127.5, 127.5, 127.5],
    });
    const found = typedView('FP32', tensor) as Float32Array;
    assert.equal(found.length, expected.length);
    for (const [index, value] of found.entries()) {
      assert.ok(Math.abs(value - (expected[index] ?? Number.NaN)) < 1e-6, `${value} at ${index}`);
    }
  }

  it('is matched on synthetic photographs of all proportions', async () => {
    for (const [width, height] of [
      [500, 375],
      [256, 256],
      [120, 300],
      [1024, 300],
    ] as const) {
      await assertMatches(await texture(width, height).jpeg({ quality: 90 }).toBuffer(), 224);
    }
  });

  it('is matched on ImageNet photographs', { skip: skipWithoutAssets }, async () => {
    const folder = join(assetsDir ?? '', 'data/imagenet-sample/images');
    for (const file of readdirSync(folder).slice(0, 5)) {
      for (const size of [128, 224]) await assertMatches(readFileSync(join(folder, file)), size);
    }
  });

  it('is the pixel over 255 for Fashion-MNIST', async () => {
    const pixels = Buffer.from(Array.from({ length: 28 * 28 }, (_, index) => (index * 31) & 255));
    const png = await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
      .png()
      .toBuffer();
    const spec = { width: 28, height: 28, channels: 'gray', layout: 'nchw', datatype: 'FP32' } as const;
    for (const resize of ['none', 'cover', 'stretch', 'contain'] as const) {
      const tensor = await decode(png, { ...spec, resize, mean: [0], std: [255] });
      assert.deepEqual(
        typedView('FP32', tensor),
        Float32Array.from(pixels, (value) => value / 255),
      );
    }
  });
});

describe('decodeImage: forms of images', () => {
  /** Where the stored pixel (x, y) is in the upright image of 6 x 4 pixels, by EXIF orientation (TIFF 6.0, tag 274). */
  const UPRIGHT: Record<number, (x: number, y: number) => [number, number]> = {
    1: (x, y) => [x, y],
    2: (x, y) => [5 - x, y],
    3: (x, y) => [5 - x, 3 - y],
    4: (x, y) => [x, 3 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [5 - y, x],
    7: (x, y) => [5 - y, 3 - x],
    8: (x, y) => [y, 3 - x],
  };
  const upright = (x: number, y: number): Rgb => [x * 50, y * 80, (x + y) * 28];

  for (const [orientation, position] of Object.entries(UPRIGHT)) {
    it(`turns EXIF orientation ${orientation} upright`, async () => {
      const sideways = Number(orientation) >= 5;
      const stored = picture(sideways ? 4 : 6, sideways ? 6 : 4, (x, y) => upright(...position(x, y)));
      const encoded = await stored
        .webp({ lossless: true })
        .withMetadata({ orientation: Number(orientation) })
        .toBuffer();
      const size = { width: 6, height: 4 };
      assert.deepEqual(await decode(encoded, size), Uint8Array.from(paint(6, 4, upright)));
      assert.deepEqual(
        await decode(encoded, { ...size, resize: 'cover' }),
        Uint8Array.from(paint(6, 4, upright)),
      );
    });
  }

  it('reads JPEG, PNG and WebP, progressive and interlaced too', async () => {
    const expected = await texture(10, 10).raw().toBuffer();
    const smooth = picture(10, 10, (x, y) => [x * 20, y * 20, 128]);
    const smoothExpected = paint(10, 10, (x, y) => [x * 20, y * 20, 128]);
    for (const progressive of [false, true]) {
      const png = await texture(10, 10).png({ progressive }).toBuffer();
      assert.deepEqual(await decode(png), Uint8Array.from(expected));
      const jpeg = await smooth
        .clone()
        .jpeg({ quality: 100, chromaSubsampling: '4:4:4', progressive })
        .toBuffer();
      assertNear(await decode(jpeg), smoothExpected, 4);
    }
    const webp = await texture(10, 10).webp({ lossless: true }).toBuffer();
    assert.deepEqual(await decode(webp), Uint8Array.from(expected));
  });

  it('reads gray, palette and 16-bit images', async () => {
    const gray = paint(10, 10, (x, y) => [x * 20 + y, x * 20 + y, x * 20 + y]);
    const grayPng = await sharp(gray, { raw: { width: 10, height: 10, channels: 3 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    assert.equal((await sharp(grayPng).metadata()).channels, 1);
    assert.deepEqual(await decode(grayPng), Uint8Array.from(gray));

    const wide = await texture(10, 10).toColourspace('rgb16').png().toBuffer();
    assert.equal((await sharp(wide).metadata()).depth, 'ushort');
    assert.deepEqual(await decode(wide), Uint8Array.from(await texture(10, 10).raw().toBuffer()));

    const flag = (x: number): Rgb => (x < 5 ? RED : BLUE);
    const palette = await picture(10, 10, flag).png({ palette: true }).toBuffer();
    assert.equal((await sharp(palette).metadata()).isPalette, true);
    assertNear(await decode(palette), paint(10, 10, flag), 2);
  });

  it('reads CMYK JPEG', async () => {
    const colours = [WHITE, BLACK, RED] as const;
    for (const colour of colours) {
      const cmyk = await picture(10, 10, () => colour)
        .toColourspace('cmyk')
        .jpeg()
        .toBuffer();
      assert.equal((await sharp(cmyk).metadata()).space, 'cmyk');
      const [red, green, blue] = pixelsOf(await decode(cmyk))(5, 5);
      // Printing inks reach neither full black nor full red.
      assert.ok(
        Math.abs(red - colour[0]) < 60 && Math.abs(green - colour[1]) < 70 && Math.abs(blue - colour[2]) < 60,
      );
    }
  });

  it('flattens transparency onto black', async () => {
    const pixels = Buffer.alloc(10 * 10 * 4);
    for (let index = 0; index < 100; index += 1) {
      pixels.set([200, 100, 50, index < 40 ? 255 : index < 70 ? 128 : 0], index * 4);
    }
    const image = sharp(pixels, { raw: { width: 10, height: 10, channels: 4 } });
    for (const encoded of [image.clone().png(), image.clone().webp({ lossless: true, exact: true })]) {
      const at = pixelsOf(await decode(await encoded.toBuffer()));
      assert.deepEqual(at(0, 0), [200, 100, 50]);
      const [red, green, blue] = at(0, 5);
      assert.ok(Math.abs(red - 100) < 3 && Math.abs(green - 50) < 3 && Math.abs(blue - 25) < 3);
      assert.deepEqual(at(0, 9), BLACK);
    }
  });
});

describe('decodeImage: bad media', () => {
  const fails = (encoded: Uint8Array, says = '') =>
    assert.rejects(decode(encoded, { resize: 'cover' }), withCode('MEDIA_UNREADABLE', says));

  it('refuses files that end early, wherever that is', async () => {
    const image = texture(120, 90);
    const files = {
      jpeg: await image.clone().jpeg().toBuffer(),
      progressive: await image.clone().jpeg({ progressive: true }).toBuffer(),
      png: await image.clone().png().toBuffer(),
      interlaced: await image.clone().png({ progressive: true }).toBuffer(),
      webp: await image.clone().webp().toBuffer(),
    };
    for (const [name, file] of Object.entries(files)) {
      // PNG has 12 bytes at its end that carry no pixels.
      for (const length of [3, 12, 40, 100, file.length >> 1, file.length - 60, file.length - 20]) {
        await assert.rejects(
          decode(file.subarray(0, length), { resize: 'cover' }),
          `${name} of ${length} bytes`,
        );
        await fails(file.subarray(0, length));
      }
    }
    await fails(files.jpeg.subarray(0, 2000), 'its JPEG data cannot be decoded: premature end of JPEG image');
  });

  it('refuses damage in the middle where the format lets it be seen', async () => {
    // PNG has checksums. JPEG has none: damage shows only where it breaks the code or the order of its segments.
    const image = texture(120, 90);
    for (const encoded of [
      image.clone().jpeg(),
      image.clone().jpeg({ progressive: true }),
      image.clone().png(),
    ]) {
      const file = await encoded.toBuffer();
      for (const place of [0.4, 0.7]) {
        const damaged = Buffer.from(file);
        damaged.fill(0xff, Math.floor(file.length * place), Math.floor(file.length * place) + 40);
        const changes = { resize: 'cover', width: 112, height: 84 } as const;
        await assert.rejects(decode(damaged, changes), withCode('MEDIA_UNREADABLE', 'cannot be decoded'));
      }
    }
  });

  it('refuses other formats, even those that the decoder could read', async () => {
    const says = 'it is neither JPEG, PNG nor WebP';
    await fails(new Uint8Array(0), says);
    await fails(Buffer.from('this was renamed to cat.jpg'), says);
    await fails(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), says);
    await fails(await texture(9, 9).gif().toBuffer(), says);
    await fails(await texture(9, 9).tiff().toBuffer(), says);
    await assert.rejects(
      sharp(await texture(9, 9).gif().toBuffer())
        .raw()
        .toBuffer(),
      /unsupported image format/,
    );
  });

  it('refuses by the header what is too large', async () => {
    const idat = deflateSync(Buffer.alloc(1000));
    await fails(
      png(30_000, 30_000, idat),
      'its 30000 x 30000 pixels are over the limit of 1000000 (media.maxPixels)',
    );
    await fails(png(2 ** 31 - 1, 2 ** 31 - 1, idat));
    await fails(png(0, 10, idat));
    const bomb = await picture(1100, 1000, () => BLACK)
      .png()
      .toBuffer();
    assert.ok(bomb.length < 20_000);
    await fails(bomb, 'its 1100 x 1000 pixels are over the limit');
    assert.equal((await decode(bomb, { resize: 'cover' }, 1_100_000)).length, 300);
  });

  it('stands data that inflates to far more than the image', async () => {
    const zeros = deflateSync(Buffer.alloc(50_000_000));
    assert.deepEqual(await decode(png(10, 10, zeros)), new Uint8Array(300));
    const text = chunk('zTXt', Buffer.concat([Buffer.from('a\0\0', 'latin1'), zeros]));
    assert.deepEqual(await decode(png(10, 10, deflateSync(Buffer.alloc(310)), text)), new Uint8Array(300));
  });
});

/** A PNG file (PNG 1.2) of 8-bit RGB with this image data, whatever size its header claims. */
function png(width: number, height: number, idat: Buffer, ...before: Buffer[]): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const end = chunk('IEND', Buffer.alloc(0));
  return Buffer.concat([signature, chunk('IHDR', header), ...before, chunk('IDAT', idat), end]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length, 0);
  frame.set(body, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}
