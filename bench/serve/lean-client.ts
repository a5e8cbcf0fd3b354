import { connect, type Socket } from 'node:net';

/** An answer as it came, with how long it took from the first byte written to the last one read. */
export interface LeanResponse {
  readonly status: number;
  readonly body: Buffer;
  readonly elapsedMs: number;
}

interface Pending {
  readonly startedAt: number;
  readonly resolve: (response: LeanResponse) => void;
  readonly reject: (error: Error) => void;
}

/** Nothing here waits longer than this for a byte. */
const SILENCE_MS = 60_000;

/**
 * HTTP/1.1 over one keep-alive connection, one request at a time, for answers with a Content-Length. It does nothing
 * else, because node:http's own client costs as much as what is measured.
 */
export class LeanClient {
  readonly #socket: Socket;
  #pending: Pending | undefined;
  #failure: Error | undefined;
  /** The head of the answer under way, until it is whole. */
  #head: Buffer | undefined;
  #status = 0;
  #bodyBytes = -1;
  #chunks: Buffer[] = [];
  #received = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error(`no byte within ${SILENCE_MS} ms`)));
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
  }

  /** Connects to a Unix socket; rejects where nobody listens. */
  static connect(path: string): Promise<LeanClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new LeanClient(socket));
      });
    });
  }

  /** Sends a whole request (`requestBytes`) and takes its answer; rejects when the connection ends before. */
  send(request: Uint8Array): Promise<LeanResponse> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#pending = { startedAt: performance.now(), resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const body = this.#bodyBytes < 0 ? this.#takeHead(chunk) : chunk;
    if (body === undefined) return;
    if (body.byteLength > 0) this.#chunks.push(body);
    this.#received += body.byteLength;
    if (this.#received >= this.#bodyBytes) this.#finish();
  }

  /** What follows the head in this chunk; undefined while the head is not whole. */
  #takeHead(chunk: Buffer): Buffer | undefined {
    const head = this.#head === undefined ? chunk : Buffer.concat([this.#head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#head = head;
      return undefined;
    }
    this.#head = undefined;
    const text = head.toString('latin1', 0, end);
    this.#status = Number(text.slice(9, 12));
    // The line break keeps Inference-Header-Content-Length out.
    this.#bodyBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    return head.subarray(end + 4);
  }

  #finish(): void {
    const pending = this.#pending;
    const elapsedMs = performance.now() - (pending?.startedAt ?? 0);
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    this.#pending = undefined;
    this.#bodyBytes = -1;
    this.#chunks = [];
    this.#received = 0;
    pending?.resolve({ status: this.#status, body, elapsedMs });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(this.#failure);
  }
}

/** The bytes of a request with or without a body. */
export function requestBytes(
  method: string,
  path: string,
  body: Uint8Array = new Uint8Array(0),
  headers: Readonly<Record<string, string | number>> = {},
): Buffer {
  const all = { Host: 'localhost', ...headers, 'Content-Length': body.byteLength };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), body]);
}
