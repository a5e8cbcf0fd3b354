import type { IncomingMessage, ServerResponse } from 'node:http';
import { SelvageError, toSelvageError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { CallOptions } from '../serving/service.ts';
import type { Connection } from './connection.ts';
import { errorReply } from './http-errors.ts';
import { type BodyLimit, BodyReader, type BodyResources } from './read-body.ts';
import { bodyBytes, type Reply } from './reply.ts';
import { nextRequestId } from './request-id.ts';
import { type RouteTable, splitTarget } from './routes.ts';

/** What every exchange of a server works with. */
export interface ExchangeContext {
  readonly routes: RouteTable;
  readonly bodies: BodyResources;
  readonly log: Log;
  /** Whether the server is closing, so that connections end with the answer under way. */
  readonly draining: boolean;
}

/**
 * One request and its answer: receiving the body, then with the handler, then sending, then done. The client may
 * be gone at any of these points.
 */
export class Exchange {
  readonly requestId: string;
  readonly #context: ExchangeContext;
  readonly #connection: Connection;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #query = '';
  #body: BodyReader | undefined;
  #awaitsContinue: boolean;
  #state: 'handling' | 'sending' | 'done' = 'handling';
  #gone = false;
  /** Whether the handler came to a regular end: after a fault somebody may still hold on to the body. */
  #bodyIsFree = false;

  constructor(
    context: ExchangeContext,
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
  ) {
    this.#context = context;
    this.#connection = connection;
    this.#request = request;
    this.#response = response;
    this.#awaitsContinue = awaitsContinue;
    this.requestId = nextRequestId(request.headers['x-request-id']);
    connection.open.add(this);
  }

  /** Whether an answer is on its way out. */
  get sending(): boolean {
    return this.#state === 'sending';
  }

  /** A request header, undefined where it is absent. */
  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }

  /** The value of a query parameter, undefined where it is absent. */
  query(name: string): string | undefined {
    return this.#query === '' ? undefined : (new URLSearchParams(this.#query).get(name) ?? undefined);
  }

  /** The options of a call made for this exchange. */
  callOptions(timeoutMs?: number): CallOptions {
    return { signal: this.#connection.signal, timeoutMs, requestId: this.requestId };
  }

  /** The whole body; it is valid until the answer is sent. Errors: see `BodyReader.read`. */
  readBody(limit: BodyLimit): Promise<Buffer> {
    this.#body = new BodyReader(this.#request, this.#context.bodies);
    const body = this.#body.read(limit);
    if (this.#awaitsContinue && this.#body.isReading) {
      this.#awaitsContinue = false;
      this.#response.writeContinue();
    }
    return body;
  }

  /** Counts the body as `sizeBytes` from here on, because it was decompressed too. Throws OVERLOADED. */
  recountBody(sizeBytes: number): void {
    if (this.#body?.recount(sizeBytes) !== false) return;
    throw SelvageError.of('OVERLOADED', { limitBytes: this.#context.bodies.budget.limitBytes });
  }

  /** Finds the route, runs its handler, answers. Never rejects. */
  async run(): Promise<void> {
    let reply: Reply;
    try {
      const { path, query } = splitTarget(this.#request.url ?? '/');
      this.#query = query;
      const { route, params } = this.#context.routes.match(this.#request.method ?? 'GET', path);
      reply = await route.handle(this, params);
      this.#bodyIsFree = true;
    } catch (thrown) {
      reply = this.#replyTo(thrown);
    }
    if (this.#gone) this.#finish();
    else this.#send(reply);
  }

  /** Answers without asking the routes. */
  refuse(error: SelvageError): void {
    this.#send(errorReply(error));
  }

  /** Ends the reading of the body with an error, which becomes the answer; false where no body is being read. */
  failBody(error: SelvageError): boolean {
    if (this.#body?.isReading !== true) return false;
    this.#response.shouldKeepAlive = false;
    return this.#body.fail(error);
  }

  /** The connection is closed. */
  clientGone(): void {
    this.#gone = true;
    this.#body?.fail(SelvageError.of('CANCELLED', {}));
    if (this.#state === 'sending') this.#finish();
  }

  #replyTo(thrown: unknown): Reply {
    const error = toSelvageError(thrown);
    if (error.code === 'INTERNAL') {
      const { method, url } = this.#request;
      this.#context.log.error({ err: error, requestId: this.requestId, method, url }, 'a request failed');
    }
    if (error.code !== 'METHOD_NOT_ALLOWED') return errorReply(error);
    const { path } = splitTarget(this.#request.url ?? '/');
    return errorReply(error, ['Allow', this.#context.routes.allowed(path).join(', ')]);
  }

  #send(reply: Reply): void {
    const response = this.#response;
    const headers = ['Content-Type', reply.contentType, 'Content-Length', String(bodyBytes(reply.body))];
    headers.push('X-Request-Id', this.requestId, ...reply.headers);
    // A client that still waits for 100 Continue may or may not send its body now: the connection cannot go on.
    const last = this.#context.draining && this.#connection.isLast(this);
    if (last || this.#awaitsContinue || !response.shouldKeepAlive) {
      headers.push('Connection', 'close');
    }
    response.sendDate = false;
    this.#state = 'sending';
    try {
      response.writeHead(reply.status, headers);
      this.#end(reply.body);
    } catch (thrown) {
      this.#context.log.error({ err: thrown, requestId: this.requestId }, 'an answer could not be sent');
      this.#request.socket.destroy();
    }
  }

  #end(body: Reply['body']): void {
    const whole = typeof body === 'string' || body instanceof Uint8Array;
    if (whole) {
      this.#response.end(body, this.#finish);
      return;
    }
    this.#response.cork();
    for (const piece of body) this.#response.write(piece);
    this.#response.end(this.#finish);
  }

  readonly #finish = (): void => {
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#body?.release(this.#bodyIsFree && !this.#gone);
    this.#connection.finished(this, this.#request.complete, this.#context.draining);
  };
}
