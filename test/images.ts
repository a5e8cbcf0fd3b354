import sharp, { type Sharp } from 'sharp';

/** A pixel, 0..255 each. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Raw RGB pixels of an image made by a function of x and y. */
export function paint(width: number, height: number, colour: (x: number, y: number) => Rgb): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels.set(colour(x, y), (y * width + x) * 3);
  }
  return pixels;
}

/** An image to encode, made by a function of x and y. */
export function picture(width: number, height: number, colour: (x: number, y: number) => Rgb): Sharp {
  return sharp(paint(width, height, colour), { raw: { width, height, channels: 3 } });
}

/** Something with structure everywhere, so that damage shows: stripes and a gradient, the same every time. */
export function texture(width: number, height: number): Sharp {
  return picture(width, height, (x, y) => [(x * 7 + y * 3) & 255, (x * y) & 255, (x ^ y) & 255]);
}
