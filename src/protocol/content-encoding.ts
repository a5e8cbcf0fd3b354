import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { errnoOf, reasonOf, SelvageError } from '../lib/errors.ts';
import { describe, malformed } from '../lib/json-document.ts';

/** The codings of HTTP that bodies may have, in and out. */
export type ContentEncoding = 'gzip' | 'deflate';

/** What the decoded body may be. */
export interface DecodeLimit {
  readonly limitBytes: number;
  /** The kind of body for the error message: JSON, binary, … */
  readonly kind: string;
}

/** Below this, a compressed body is hardly smaller and costs the time all the same. */
const MIN_COMPRESS_BYTES = 1024;

const gunzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const inflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflate);
const inflateRaw = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);
const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);
const deflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.deflate);

/**
 * The body of a request with this Content-Encoding header, decompressed off the event loop and never beyond the
 * limit. `deflate` is zlib's format (RFC 9110), or bare deflate as some clients have it. Throws
 * CONTENT_ENCODING_UNSUPPORTED, BODY_TOO_LARGE, or REQUEST_MALFORMED where the data are damaged.
 */
export async function decodeBody(
  body: Buffer,
  encoding: string | undefined,
  limit: DecodeLimit,
): Promise<Buffer> {
  const decompress = decompressorOf(encoding, body);
  if (decompress === undefined) return body;
  try {
    return await decompress(body, { maxOutputLength: limit.limitBytes });
  } catch (error) {
    if (errnoOf(error) === 'ERR_BUFFER_TOO_LARGE')
      throw SelvageError.of('BODY_TOO_LARGE', { ...limit }, error);
    throw malformed('request body', `not valid ${encoding} data: ${reasonOf(error)}`, error);
  }
}

/**
 * The coding for a response of this size, undefined for none. Compression costs more than a local socket gains, so
 * it is done for clients that ask for it: the header names one coding and prefers it to `identity`, or it refuses
 * `identity`. A header that lists several codings is what HTTP libraries send of their own accord: it says what they
 * can read.
 */
export function chooseEncoding(
  acceptEncoding: string | undefined,
  sizeBytes: number,
): ContentEncoding | undefined {
  if (acceptEncoding === undefined) return undefined;
  const weights = parseAcceptEncoding(acceptEncoding);
  const identity = weights.get('identity') ?? weights.get('*');
  const refusesIdentity = identity === 0;
  if (!refusesIdentity && sizeBytes < MIN_COMPRESS_BYTES) return undefined;
  weights.delete('identity');
  if (!refusesIdentity && weights.size !== 1) return undefined;
  const gzipWeight = weights.get('gzip') ?? 0;
  const deflateWeight = weights.get('deflate') ?? 0;
  const best = Math.max(gzipWeight, deflateWeight);
  if (best === 0 || best < (identity ?? 0)) return undefined;
  return gzipWeight === best ? 'gzip' : 'deflate';
}

/** Compresses a response body off the event loop, for speed rather than size. */
export async function compressBody(body: Buffer | Buffer[], encoding: ContentEncoding): Promise<Buffer> {
  const whole = Array.isArray(body) ? Buffer.concat(body) : body;
  const options = { level: zlib.constants.Z_BEST_SPEED };
  return encoding === 'gzip' ? gzip(whole, options) : deflate(whole, options);
}

function decompressorOf(encoding: string | undefined, body: Buffer): typeof gunzip | undefined {
  switch (encoding?.trim().toLowerCase() ?? '') {
    case '':
    case 'identity':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return gunzip;
    case 'deflate':
      // A zlib stream begins with the method 8 in the low half of its first byte (RFC 1950).
      return ((body[0] ?? 8) & 0x0f) === 8 ? inflate : inflateRaw;
    default:
      throw SelvageError.of('CONTENT_ENCODING_UNSUPPORTED', {
        found: describe(encoding),
        expected: 'gzip, deflate, identity',
      });
  }
}

/** Weight (0..1) by coding, of RFC 9110's `coding;q=weight, …`; parts that are not of that form are left out. */
function parseAcceptEncoding(header: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const part of header.slice(0, 1024).split(',')) {
    const [coding = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    if (coding !== '' && weight >= 0 && weight <= 1) weights.set(coding, weight);
  }
  return weights;
}
