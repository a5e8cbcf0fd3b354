import { beginChild } from '../../lib/child/child-main.ts';
import type { Frame } from '../../lib/child/frame.ts';
import { SyncChannel } from '../../lib/child/sync-channel.ts';
import { toSelvageError } from '../../lib/errors.ts';
import { decodeImage, loadSharp, type OpenImage } from '../image/decode-image.ts';
import { type DecodeImage, KIND } from './messages.ts';

/** The kernel ends a decoder before a runner (500): it can be started again without loading a model. */
const OOM_SCORE_ADJ = 700;
const NOTHING = new Uint8Array(0);

beginChild({ oomScoreAdj: OOM_SCORE_ADJ });
const channel = new SyncChannel();
await serve();
process.exit(0);

/** Answers one request after the other until the agent is gone. */
async function serve(): Promise<void> {
  const open = await loadSharp().catch((error: unknown) => {
    channel.writeJson(KIND.UNAVAILABLE, 0, toSelvageError(error));
  });
  if (open === undefined) return;
  channel.write(KIND.READY, 0, NOTHING);
  for (let frame = channel.read(); frame !== undefined; frame = channel.read()) {
    const { slot } = frame;
    const tensor = await decode(open, frame).catch((error: unknown) => {
      channel.writeJson(KIND.FAILED, slot, toSelvageError(error));
    });
    if (tensor !== undefined) channel.write(KIND.DECODED, slot, NOTHING, [tensor]);
  }
}

async function decode(open: OpenImage, frame: Frame): Promise<Uint8Array> {
  if (frame.kind !== KIND.DECODE_IMAGE) throw new TypeError(`unexpected frame of kind ${frame.kind}`);
  const { spec, maxPixels, encodedBytes } = JSON.parse(frame.header.toString()) as DecodeImage;
  return decodeImage(open, frame.data.subarray(0, encodedBytes), spec, maxPixels);
}
