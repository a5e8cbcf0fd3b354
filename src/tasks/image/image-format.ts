/** Formats of images that are decoded. */
export type ImageFormat = 'jpeg' | 'png' | 'webp';

/** Media types of those formats; `application/octet-stream` leaves it to the bytes. */
export const IMAGE_MEDIA_TYPES = [
  'image/jpeg',
  'image/png',
  'image/webp',
  'application/octet-stream',
] as const;

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG_START = [0xff, 0xd8, 0xff];
const RIFF = [0x52, 0x49, 0x46, 0x46];
const WEBP = [0x57, 0x45, 0x42, 0x50];

/** The format by the first bytes (PNG 1.2 section 3.1, JPEG B.1.1.3 SOI and a marker, WebP's RIFF header), or undefined. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  if (hasAt(bytes, 0, JPEG_START)) return 'jpeg';
  if (hasAt(bytes, 0, PNG_SIGNATURE)) return 'png';
  if (hasAt(bytes, 0, RIFF) && hasAt(bytes, 8, WEBP)) return 'webp';
  return undefined;
}

function hasAt(bytes: Uint8Array, offset: number, expected: readonly number[]): boolean {
  return expected.every((byte, index) => bytes[offset + index] === byte);
}
