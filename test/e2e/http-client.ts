import { type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';

/** What to ask over a Unix socket. */
export interface Question {
  /** By default GET, or POST where there is a body. */
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Sent as it is, or as JSON where it is neither text nor bytes. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Keeps connections open between questions. */
  readonly agent?: Agent;
}

/** An answer, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON; throws where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely and fail on what is not there.
  readonly json: any;
}

const TIMEOUT_MS = 60_000;

/** Asks over a Unix socket, on a connection of its own unless `agent` keeps one. Rejects where no answer comes. */
export function ask(socketPath: string, path: string, question: Question = {}): Promise<Answer> {
  const { body, headers = {}, signal, agent } = question;
  const payload =
    body === undefined || typeof body === 'string' || body instanceof Uint8Array
      ? body
      : JSON.stringify(body);
  const method = question.method ?? (payload === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        path,
        method,
        headers,
        agent: agent ?? false,
        timeout: TIMEOUT_MS,
        ...(signal && { signal }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers: received } = response;
          resolve(answerOf(status, received, Buffer.concat(chunks)));
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer to ${path} within ${TIMEOUT_MS} ms`)));
    outgoing.end(payload);
  });
}

function answerOf(status: number, headers: IncomingHttpHeaders, body: Buffer): Answer {
  return {
    status,
    headers,
    body,
    get text() {
      return body.toString();
    },
    get json() {
      return JSON.parse(body.toString());
    },
  };
}
