import { beginChild } from '../../lib/child/child-main.ts';
import type { Frame } from '../../lib/child/frame.ts';
import { SyncChannel } from '../../lib/child/sync-channel.ts';
import { toSelvageError } from '../../lib/errors.ts';
import { decodeImage, loadSharp, type OpenImage } from '../image/decode-image.ts';
import {
  DECODE_IMAGE,
  DECODED,
  type DecodeImageHeader,
  FAILED,
  READY,
  UNAVAILABLE,
} from './media-frames.ts';

const NO_HEADER = new Uint8Array(0);

beginChild({ oomScoreAdj: 800 });
const channel = new SyncChannel();
await serve();
process.exit(0);

/** Answers one request after the other until the agent is gone. */
async function serve(): Promise<void> {
  const open = await loadSharp().catch((error: unknown) => {
    channel.writeJson(UNAVAILABLE, 0, toSelvageError(error));
  });
  if (open === undefined) return;
  channel.write(READY, 0, NO_HEADER);
  for (let frame = channel.read(); frame !== undefined; frame = channel.read()) {
    await answer(open, frame);
  }
}

async function answer(open: OpenImage, frame: Frame): Promise<void> {
  let tensor: Uint8Array;
  try {
    if (frame.kind !== DECODE_IMAGE) throw new TypeError(`unexpected frame of kind ${frame.kind}`);
    const { spec, maxPixels } = JSON.parse(frame.header.toString()) as DecodeImageHeader;
    tensor = await decodeImage(open, frame.data, spec, maxPixels);
  } catch (error) {
    channel.writeJson(FAILED, frame.tag, toSelvageError(error));
    return;
  }
  channel.write(DECODED, frame.tag, NO_HEADER, [tensor]);
}
