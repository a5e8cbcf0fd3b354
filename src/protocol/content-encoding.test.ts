import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { SelvageError } from '../lib/errors.ts';
import { chooseEncoding, compressBody, decodeBody } from './content-encoding.ts';

const limit = { limitBytes: 100_000, kind: 'JSON' };
const body = Buffer.from(JSON.stringify({ inputs: [1, 2, 3] }));

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof SelvageError && error.code === expected;
}

describe('decodeBody', () => {
  for (const [encoding, compressed] of [
    [undefined, body],
    ['', body],
    ['identity', body],
    ['gzip', zlib.gzipSync(body)],
    ['GZip ', zlib.gzipSync(body)],
    ['deflate', zlib.deflateSync(body)],
    ['deflate', zlib.deflateRawSync(body)],
  ] as const) {
    it(`decodes ${encoding ?? 'no encoding'}`, async () => {
      assert.deepEqual(await decodeBody(compressed, encoding, limit), body);
    });
  }

  it('stops a bomb at the limit', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(50_000_000));
    assert.ok(bomb.byteLength < limit.limitBytes);
    await assert.rejects(decodeBody(bomb, 'gzip', limit), (error) => {
      assert.ok(code('BODY_TOO_LARGE')(error));
      assert.match((error as Error).message, /the JSON body is over the limit of 100000 bytes/);
      return true;
    });
  });

  it('takes a body of exactly the limit', async () => {
    const whole = Buffer.alloc(limit.limitBytes, 1);
    assert.deepEqual(await decodeBody(zlib.gzipSync(whole), 'gzip', limit), whole);
    const more = zlib.gzipSync(Buffer.alloc(limit.limitBytes + 1, 1));
    await assert.rejects(decodeBody(more, 'gzip', limit), code('BODY_TOO_LARGE'));
  });

  for (const [what, encoding, damaged] of [
    ['truncated gzip', 'gzip', zlib.gzipSync(body).subarray(0, 20)],
    ['a gzip body that is none', 'gzip', body],
    ['truncated deflate', 'deflate', zlib.deflateSync(body).subarray(0, 10)],
    ['an empty gzip body', 'gzip', Buffer.alloc(0)],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(decodeBody(damaged, encoding, limit), code('REQUEST_MALFORMED'));
    });
  }

  for (const encoding of ['br', 'zstd', 'gzip, gzip', 'x'.repeat(10_000)]) {
    it(`refuses the encoding ${encoding.slice(0, 20)}`, async () => {
      await assert.rejects(decodeBody(body, encoding, limit), (error) => {
        assert.ok(code('CONTENT_ENCODING_UNSUPPORTED')(error));
        assert.ok((error as Error).message.length < 200);
        return true;
      });
    });
  }
});

describe('chooseEncoding', () => {
  for (const [header, chosen] of [
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['GZIP', 'gzip'],
    ['gzip;q=0', undefined],
    ['gzip;q=0.5', 'gzip'],
    ['gzip; q=1.0, identity; q=0.5', 'gzip'],
    ['identity, gzip;q=0.5', undefined],
    ['gzip;q=banana', undefined],
    ['br', undefined],
    ['*', undefined],
    ['gzip, deflate', undefined],
    ['gzip, deflate, br, zstd', undefined],
    ['gzip, deflate;q=0.5, identity;q=0', 'gzip'],
    ['gzip;q=0.1, deflate;q=0.5, *;q=0', 'deflate'],
    ['br, identity;q=0', undefined],
  ] as const) {
    it(`${header ?? 'no header'} → ${chosen ?? 'none'}`, () => {
      assert.equal(chooseEncoding(header, 100_000), chosen);
    });
  }

  it('leaves small bodies as they are', () => {
    assert.equal(chooseEncoding('gzip', 1023), undefined);
    assert.equal(chooseEncoding('gzip', 1024), 'gzip');
  });
});

describe('compressBody', () => {
  it('compresses a body in pieces to what the decoder of the request takes', async () => {
    const pieces = [Buffer.from('a'.repeat(3000)), Buffer.from('b'.repeat(3000))];
    for (const encoding of ['gzip', 'deflate'] as const) {
      const compressed = await compressBody(pieces, encoding);
      assert.ok(compressed.byteLength < 200);
      assert.deepEqual(await decodeBody(compressed, encoding, limit), Buffer.concat(pieces));
    }
  });
});
