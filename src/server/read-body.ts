import type { IncomingMessage } from 'node:http';
import { SelvageError } from '../lib/errors.ts';
import type { YoungGarbage } from '../lib/young-garbage.ts';
import type { BufferPool, ByteBudget } from './body-buffers.ts';

/** What a server's bodies share. */
export interface BodyResources {
  readonly budget: ByteBudget;
  readonly pool: BufferPool;
  /** Where the chunks that bodies arrive in go. */
  readonly garbage: YoungGarbage;
}

/** How much of which kind of body a route takes. */
export interface BodyLimit {
  /** What the body is called in an error: JSON, binary, media. */
  readonly kind: string;
  readonly limitBytes: number;
}

/** Buffer for a body without a length, at first. */
const FIRST_BYTES = 16 * 1024;
/** Up to here a body that names its length gets its whole buffer at once. */
const TRUSTED_BYTES = 1024 * 1024;
/** A body that fills its buffer gets one this many times larger: memory that is not written costs nothing. */
const GROWTH = 8;

/**
 * Reads the body of one request into one buffer. Memory is taken when the first bytes are there, and a large one
 * only as bytes arrive; what counts against the budget is what was received. Once it failed, the rest of the body
 * is read and dropped, so that a client that writes before it reads still gets its answer.
 */
export class BodyReader {
  readonly #request: IncomingMessage;
  readonly #resources: BodyResources;
  /** Bytes the client announced; undefined for a chunked body. */
  #announcedBytes: number | undefined;
  #limit: BodyLimit = { kind: '', limitBytes: 0 };
  #buffer: Buffer | undefined;
  #length = 0;
  #settle: { resolve: (body: Buffer) => void; reject: (error: SelvageError) => void } | undefined;

  constructor(request: IncomingMessage, resources: BodyResources) {
    this.#request = request;
    this.#resources = resources;
  }

  /**
   * The whole body, valid until `release`. Throws BODY_TOO_LARGE, OVERLOADED when the bytes of all bodies are too
   * many, and whatever `fail` was given.
   */
  read(limit: BodyLimit): Promise<Buffer> {
    const { headers } = this.#request;
    const announced = headers['content-length'];
    if (announced === undefined && headers['transfer-encoding'] === undefined) return Promise.resolve(EMPTY);
    this.#limit = limit;
    this.#announcedBytes = announced === undefined ? undefined : Number(announced);
    if (this.#announcedBytes === 0) return Promise.resolve(EMPTY);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      const sizeBytes = this.#announcedBytes ?? 0;
      if (sizeBytes > limit.limitBytes) this.fail(this.#tooLarge());
      else if (!this.#resources.budget.fits(sizeBytes)) this.fail(this.#overloaded());
      else this.#listen();
    });
  }

  /** Whether the body is still being received. */
  get isReading(): boolean {
    return this.#settle !== undefined;
  }

  /** Ends a read that is under way with an error; false where none is. */
  fail(error: SelvageError): boolean {
    if (this.#settle === undefined) return false;
    const { reject } = this.#settle;
    this.#settle = undefined;
    this.release(true);
    reject(error);
    return true;
  }

  /** Replaces what the body counts in the budget, such as when it was decompressed; false where it does not fit. */
  recount(sizeBytes: number): boolean {
    const { budget } = this.#resources;
    budget.give(this.#length);
    const taken = budget.take(sizeBytes);
    this.#length = taken ? sizeBytes : 0;
    return taken;
  }

  /** Gives the memory back; it is used again only with `reuse`: when nothing reads the body any more. */
  release(reuse: boolean): void {
    this.#resources.budget.give(this.#length);
    this.#length = 0;
    if (reuse && this.#buffer !== undefined) this.#resources.pool.give(this.#buffer);
    this.#buffer = undefined;
  }

  #listen(): void {
    this.#request.on('data', this.#onData);
    if (this.#announcedBytes === undefined) this.#request.on('end', this.#onEnd);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#resources.garbage.add(chunk.byteLength);
    if (this.#settle === undefined) return;
    const end = this.#length + chunk.byteLength;
    if (end > (this.#announcedBytes ?? this.#limit.limitBytes)) {
      this.fail(this.#tooLarge());
      return;
    }
    if (!this.#resources.budget.take(chunk.byteLength)) {
      this.fail(this.#overloaded());
      return;
    }
    if (this.#buffer === undefined || end > this.#buffer.byteLength) this.#grow(end);
    this.#buffer?.set(chunk, this.#length);
    this.#length = end;
    if (end === this.#announcedBytes) this.#onEnd();
  };

  readonly #onEnd = (): void => {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve(this.#buffer?.subarray(0, this.#length) ?? EMPTY);
  };

  #grow(neededBytes: number): void {
    const { pool } = this.#resources;
    const most = this.#announcedBytes ?? this.#limit.limitBytes;
    const first = this.#announcedBytes === undefined ? FIRST_BYTES : TRUSTED_BYTES;
    const wanted = this.#buffer === undefined ? first : this.#buffer.byteLength * GROWTH;
    const larger = pool.take(Math.min(Math.max(wanted, neededBytes), most));
    if (this.#buffer !== undefined) {
      larger.set(this.#buffer.subarray(0, this.#length));
      pool.give(this.#buffer);
    }
    this.#buffer = larger;
  }

  #tooLarge(): SelvageError {
    return SelvageError.of('BODY_TOO_LARGE', { ...this.#limit });
  }

  #overloaded(): SelvageError {
    return SelvageError.of('OVERLOADED', { limitBytes: this.#resources.budget.limitBytes });
  }
}

const EMPTY = Buffer.alloc(0);
