import type { Sharp, SharpOptions } from 'sharp';
import { reasonOf, SelvageError } from '../../lib/errors.ts';
import { encodePixels } from './encode-pixels.ts';
import { type ImageFormat, imageFormatOf } from './image-format.ts';
import type { ImageSpec } from './image-spec.ts';

/** Opens an encoded image, as the default export of sharp does. */
export type OpenImage = (encoded: Uint8Array, options: SharpOptions) => Sharp;

/** Black shows where `contain` leaves borders and where the image is transparent. */
const BACKGROUND = { r: 0, g: 0, b: 0 };

const FORMAT_NAMES = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP' } as const;

/**
 * Loads sharp so that it decodes JPEG, PNG and WebP only, on one thread, without a cache. Throws MEDIA_UNAVAILABLE
 * where the optional package is not installed or has no binary for this machine.
 */
export async function loadSharp(): Promise<OpenImage> {
  const { default: sharp } = await import('sharp').catch((error: unknown) => {
    throw SelvageError.of(
      'MEDIA_UNAVAILABLE',
      { reason: `sharp cannot be loaded: ${firstLine(error)}` },
      error,
    );
  });
  sharp.cache(false);
  sharp.concurrency(1);
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({
    operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'],
  });
  return sharp;
}

/**
 * Decodes an image of at most `maxPixels` pixels into the tensor bytes of `spec`: turned upright by its EXIF
 * orientation, flattened onto black, converted to sRGB with 8 bits a channel, fitted with a linear kernel.
 * Throws MEDIA_UNREADABLE.
 */
export async function decodeImage(
  open: OpenImage,
  encoded: Uint8Array,
  spec: ImageSpec,
  maxPixels: number,
): Promise<Uint8Array> {
  const format = imageFormatOf(encoded);
  if (format === undefined) throw unreadable('it is neither JPEG, PNG nor WebP');
  try {
    await checkSize(open, encoded, spec, maxPixels);
    const image = open(encoded, {
      failOn: strictnessFor(format),
      limitInputPixels: maxPixels,
      sequentialRead: true,
      autoOrient: true,
    });
    const pixels = await fitted(image.flatten({ background: BACKGROUND }).toColourspace('srgb'), spec)
      .raw({ depth: 'uchar' })
      .toBuffer();
    if (pixels.length !== spec.width * spec.height * 3)
      throw new RangeError(`${pixels.length} bytes of pixels`);
    return encodePixels(pixels, spec);
  } catch (error) {
    if (error instanceof SelvageError) throw error;
    throw unreadable(`its ${FORMAT_NAMES[format]} data cannot be decoded: ${faultOf(error)}`, error);
  }
}

/**
 * What makes a decoder give up: libjpeg reports corrupt data as a warning only, while libpng and libwebp report it as
 * an error and warn of harmless things such as an odd colour profile.
 */
function strictnessFor(format: ImageFormat): 'warning' | 'error' {
  return format === 'jpeg' ? 'warning' : 'error';
}

/** Refuses by the header, before any pixel is decoded. */
async function checkSize(
  open: OpenImage,
  encoded: Uint8Array,
  spec: ImageSpec,
  maxPixels: number,
): Promise<void> {
  const { width, height, autoOrient } = await open(encoded, { limitInputPixels: false }).metadata();
  if (width * height > maxPixels) {
    throw unreadable(`its ${width} x ${height} pixels are over the limit of ${maxPixels} (media.maxPixels)`);
  }
  if (spec.resize === 'none' && (autoOrient.width !== spec.width || autoOrient.height !== spec.height)) {
    throw unreadable(
      `it is ${autoOrient.width} x ${autoOrient.height} pixels, expected ${spec.width} x ${spec.height} (task.resize is none)`,
    );
  }
}

function fitted(image: Sharp, spec: ImageSpec): Sharp {
  const { width, height, cropFraction } = spec;
  // Shrinking in the decoder is inexact by up to a pixel: accuracy was measured without it.
  const options = { kernel: 'linear', fastShrinkOnLoad: false } as const;
  switch (spec.resize) {
    case 'none':
      return image;
    case 'stretch':
      return image.resize(width, height, { ...options, fit: 'fill' });
    case 'contain':
      return image.resize(width, height, { ...options, fit: 'contain', background: BACKGROUND });
    case 'cover': {
      const coverWidth = Math.round(width / cropFraction);
      const coverHeight = Math.round(height / cropFraction);
      return image.resize(coverWidth, coverHeight, { ...options, fit: 'cover', position: 'centre' }).extract({
        left: Math.floor((coverWidth - width) / 2),
        top: Math.floor((coverHeight - height) / 2),
        width,
        height,
      });
    }
  }
}

function unreadable(reason: string, cause?: unknown): SelvageError {
  return SelvageError.of('MEDIA_UNREADABLE', { kind: 'image', reason }, cause);
}

/** The decoder's own words, without the names of its parts. */
function faultOf(error: unknown): string {
  return (
    firstLine(error)
      .replace(/^Input buffer has corrupt header:?\s*/, '')
      .replace(/^(VipsJpeg|vipspng|webp2vips|webp): /, '') || 'corrupt header'
  );
}

function firstLine(error: unknown): string {
  return reasonOf(error instanceof Error ? error.message.split('\n')[0] : error);
}
