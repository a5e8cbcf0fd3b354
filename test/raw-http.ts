import { connect, type Socket } from 'node:net';

/** A response as it came over the wire. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A connection that sends exactly the bytes it is given, and takes responses with a Content-Length apart. */
export class RawConnection {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  constructor(where: string | { host: string; port: number }) {
    this.socket = typeof where === 'string' ? connect(where) : connect(where);
    this.socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.#ended = true;
        this.#wake();
        resolve();
      });
    });
  }

  send(...parts: (string | Uint8Array)[]): void {
    for (const part of parts) this.socket.write(part);
  }

  /** The next response; rejects when the connection ends before it is whole. `bodiless` for the answer to HEAD. */
  async next({ bodiless = false } = {}): Promise<RawResponse> {
    for (;;) {
      const response = this.#take(bodiless);
      if (response !== undefined) return response;
      if (this.#ended)
        throw new Error(`connection ended after: ${JSON.stringify(this.#received.toString('latin1'))}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** What has come in and was not taken yet. */
  get rest(): string {
    return this.#received.toString('latin1');
  }

  end(): void {
    this.socket.destroy();
  }

  #take(bodiless: boolean): RawResponse | undefined {
    const headBytes = this.#received.indexOf('\r\n\r\n');
    if (headBytes < 0) return undefined;
    const [first = '', ...lines] = this.#received.toString('latin1', 0, headBytes).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const status = Number(first.split(' ')[1]);
    const bodyBytes = bodiless || status === 100 ? 0 : Number(headers['content-length']);
    const end = headBytes + 4 + bodyBytes;
    if (this.#received.byteLength < end) return undefined;
    const body = this.#received.subarray(headBytes + 4, end);
    this.#received = this.#received.subarray(end);
    return { status, headers, body };
  }
}

/** What `exchange` sends. */
export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string | Uint8Array;
}

/** The bytes of a request; Content-Length is added where there is a body and no such header. */
export function requestBytes({ method, path, headers = {}, body }: RawRequest): Buffer {
  const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
  const all: Record<string, string | number> = { host: 'localhost', ...headers };
  if (body !== undefined && all['content-length'] === undefined && all['transfer-encoding'] === undefined) {
    all['content-length'] = bytes.byteLength;
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const verb = method ?? (body === undefined ? 'GET' : 'POST');
  return Buffer.concat([Buffer.from(`${verb} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), bytes]);
}

/** One request on a connection of its own. */
export async function exchange(
  where: string | { host: string; port: number },
  request: RawRequest,
): Promise<RawResponse> {
  const connection = new RawConnection(where);
  try {
    connection.send(requestBytes(request));
    return await connection.next({ bodiless: request.method === 'HEAD' });
  } finally {
    connection.end();
  }
}
