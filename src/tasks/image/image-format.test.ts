import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { texture } from '../../../test/images.ts';
import { imageFormatOf } from './image-format.ts';

describe('imageFormatOf', () => {
  it('knows what real encoders write', async () => {
    const image = texture(9, 7);
    assert.equal(imageFormatOf(await image.clone().jpeg().toBuffer()), 'jpeg');
    assert.equal(imageFormatOf(await image.clone().png().toBuffer()), 'png');
    assert.equal(imageFormatOf(await image.clone().webp().toBuffer()), 'webp');
    for (const other of [image.clone().gif(), image.clone().tiff(), image.clone().avif()]) {
      assert.equal(imageFormatOf(await other.toBuffer()), undefined);
    }
  });

  it('takes nothing that is too short or only starts alike', () => {
    assert.equal(imageFormatOf(new Uint8Array(0)), undefined);
    assert.equal(imageFormatOf(Uint8Array.of(0xff, 0xd8)), undefined);
    assert.equal(imageFormatOf(Uint8Array.of(0x89, 0x50, 0x4e, 0x47)), undefined);
    assert.equal(imageFormatOf(Buffer.from('RIFF....WAVEfmt ')), undefined);
  });
});
