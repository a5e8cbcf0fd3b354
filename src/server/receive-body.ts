import { decodeBody } from '../protocol/content-encoding.ts';
import type { Exchange } from './exchange.ts';
import type { HttpLimits } from './http.ts';
import type { BodyLimit } from './read-body.ts';
import { Turns } from './turns.ts';

/** The kinds of request body, each with its own limit. */
export type BodyKind = 'JSON' | 'binary' | 'media';

/** Bodies decompressed at one time: their size is known, and counts against the budget, only afterwards. */
const MAX_DECOMPRESSING = 2;

/** Receives request bodies within the limits of the configuration, compressed or not. */
export class BodyReceiver {
  readonly limits: Readonly<Record<BodyKind, BodyLimit>>;
  readonly #decompressing = new Turns(MAX_DECOMPRESSING);

  constructor({ jsonBodyBytes, binaryBodyBytes, mediaBodyBytes }: HttpLimits) {
    this.limits = {
      JSON: { kind: 'JSON', limitBytes: jsonBodyBytes },
      binary: { kind: 'binary', limitBytes: binaryBodyBytes },
      media: { kind: 'media', limitBytes: mediaBodyBytes },
    };
  }

  /** The decompressed body; the limit holds before and after. Errors: see `Exchange.readBody` and `decodeBody`. */
  async receive(exchange: Exchange, kind: BodyKind): Promise<Buffer> {
    const limit = this.limits[kind];
    const received = await exchange.readBody(limit);
    const encoding = exchange.header('content-encoding');
    if (encoding === undefined) return received;
    return this.#decompressing.run(async () => {
      const body = await decodeBody(received, encoding, limit);
      if (body !== received) exchange.recountBody(received.byteLength + body.byteLength);
      return body;
    });
  }
}
