import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import { errnoOf, reasonOf, SelvageError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { YoungGarbage } from '../lib/young-garbage.ts';
import { BufferPool, ByteBudget } from './body-buffers.ts';
import { Connection } from './connection.ts';
import { Exchange, type ExchangeContext } from './exchange.ts';
import { strangerOf } from './loopback-host.ts';
import { type Route, RouteTable } from './routes.ts';
import { type BoundUnixSocket, listenUnix, type UnixSocketOptions } from './socket.ts';

/** Bounds on what clients can take: `server.http.limits` of the configuration. */
export type HttpLimits = Config['server']['http']['limits'];

/** What an HTTP server serves, and within which bounds. */
export interface HttpServerOptions {
  readonly routes: readonly Route[];
  readonly limits: HttpLimits;
  readonly log: Log;
}

/** A TCP address to listen on; port 0 takes a free one. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** Most bytes a request's line and headers may have together. */
const MAX_HEAD_BYTES = 16 * 1024;
/** Large request buffers kept for the next request. */
const POOL_BYTES = 4 * 1024 * 1024;

/**
 * An HTTP/1.1 server for a route table, on any number of listeners (Unix sockets, inherited sockets, loopback TCP)
 * that share its limits.
 */
export class HttpServer {
  readonly #limits: HttpLimits;
  readonly #context: ExchangeContext & { draining: boolean };
  readonly #servers = new Set<Server>();
  readonly #unixSockets: BoundUnixSocket[] = [];
  readonly #connections = new Map<Socket, Connection>();
  #closing: Promise<void> | undefined;

  constructor(options: HttpServerOptions) {
    this.#limits = options.limits;
    this.#context = {
      routes: new RouteTable(options.routes),
      bodies: {
        budget: new ByteBudget(options.limits.inFlightBytes),
        pool: new BufferPool(POOL_BYTES),
        garbage: new YoungGarbage(),
      },
      log: options.log,
      draining: false,
    };
  }

  /** Connections open now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Bytes of request bodies held now. */
  get bodyBytes(): number {
    return this.#context.bodies.budget.usedBytes;
  }

  /** Listens on a Unix socket; any Host header is accepted there. Errors: see `listenUnix`. */
  async listenUnix(options: UnixSocketOptions): Promise<void> {
    const server = this.#createServer(false);
    this.#unixSockets.push(await listenUnix(server, options));
    this.#keep(server);
  }

  /** Listens on an inherited listening Unix socket (see `listenFds`), whose path is somebody else's to care for. */
  async listenFd(fd: number): Promise<void> {
    const server = this.#createServer(false);
    await listening(server, { fd }, `file descriptor ${fd}`);
    this.#keep(server);
  }

  /**
   * Listens on loopback TCP and returns the address with the port taken. Requests whose Host is not a loopback name
   * are refused: a web page that points its own name here must not reach the models. Errors: SOCKET_IN_USE,
   * SOCKET_PATH.
   */
  async listenTcp({ host, port }: TcpAddress): Promise<TcpAddress> {
    const server = this.#createServer(true);
    await listening(server, { host, port }, `${host}:${port}`);
    this.#keep(server);
    return { host, port: (server.address() as AddressInfo).port };
  }

  /**
   * Stops: takes no new connections, ends those that idle, lets requests under way finish for `drainTimeoutMs`, then
   * cuts them off. Resolves when every connection is closed; a second call joins the first.
   */
  close(drainTimeoutMs: number): Promise<void> {
    this.#closing ??= this.#drain(drainTimeoutMs);
    return this.#closing;
  }

  async #drain(drainTimeoutMs: number): Promise<void> {
    this.#context.draining = true;
    const servers = [...this.#servers];
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    await Promise.all(this.#unixSockets.map((socket) => socket.remove()));
    for (const server of servers) server.closeIdleConnections();
    for (const connection of this.#connections.values()) connection.closeIfSilent();
    const cutOff = setTimeout(() => {
      for (const socket of this.#connections.keys()) socket.destroy();
    }, drainTimeoutMs);
    await Promise.all(closed);
    await Promise.all([...this.#connections.keys()].map((socket) => once(socket, 'close')));
    clearTimeout(cutOff);
  }

  #createServer(loopbackOnly: boolean): Server {
    const { headerTimeoutMs, requestTimeoutMs, idleTimeoutMs, maxConnections } = this.#limits;
    const server = createServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: Math.min(headerTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      // How often the two timeouts above are looked at.
      connectionsCheckingInterval: Math.min(1000, Math.ceil(headerTimeoutMs / 4)),
      requireHostHeader: false,
    });
    server.maxConnections = maxConnections;
    // Only a client that takes no bytes of its answer comes to this; see `Connection.stalled`.
    server.timeout = requestTimeoutMs;
    server.on('connection', (socket) => this.#onConnection(socket));
    server.on('request', (request, response) => this.#onRequest(request, response, loopbackOnly, false));
    server.on('checkContinue', (request, response) => this.#onRequest(request, response, loopbackOnly, true));
    server.on('timeout', (socket) => this.#connections.get(socket)?.stalled());
    server.on('clientError', (error, socket) => this.#onClientError(error, socket as Socket));
    return server;
  }

  #keep(server: Server): void {
    this.#servers.add(server);
    server.on('error', (err) => this.#context.log.error({ err }, 'a listener failed'));
    if (this.#closing !== undefined) server.close();
  }

  #onConnection(socket: Socket): void {
    const connection = new Connection(socket);
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      connection.closed();
    });
  }

  #onRequest(
    request: IncomingMessage,
    response: ServerResponse,
    loopbackOnly: boolean,
    awaitsContinue: boolean,
  ): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return void request.socket.destroy();
    connection.begun();
    const exchange = new Exchange(this.#context, connection, request, response, awaitsContinue);
    const stranger = loopbackOnly ? strangerOf(request) : undefined;
    if (stranger === undefined) void exchange.run();
    else exchange.refuse(SelvageError.of('HOST_REFUSED', { host: stranger.slice(0, 120) }));
  }

  #onClientError(error: Error, socket: Socket): void {
    const connection = this.#connections.get(socket);
    const errno = errnoOf(error);
    if (connection === undefined || errno === 'ECONNRESET' || errno === 'EPIPE') socket.destroy();
    else connection.broken(this.#clientFault(errno, error, connection));
  }

  #clientFault(errno: string | undefined, error: Error, connection: Connection): SelvageError {
    if (errno === 'HPE_HEADER_OVERFLOW') {
      return SelvageError.of('HEADERS_TOO_LARGE', { limitBytes: MAX_HEAD_BYTES }, error);
    }
    if (errno === 'ERR_HTTP_REQUEST_TIMEOUT') {
      const { headerTimeoutMs, requestTimeoutMs } = this.#limits;
      const headIsThere = connection.open.size > 0;
      const timeoutMs = headIsThere ? requestTimeoutMs : Math.min(headerTimeoutMs, requestTimeoutMs);
      return SelvageError.of('REQUEST_TIMEOUT', { timeoutMs }, error);
    }
    return SelvageError.of('REQUEST_MALFORMED', { what: 'HTTP', problem: reasonOf(error) }, error);
  }
}

function listening(server: Server, where: { fd: number } | TcpAddress, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      const inUse = errnoOf(error) === 'EADDRINUSE';
      const params = { path: name, problem: reasonOf(error) };
      reject(
        inUse
          ? SelvageError.of('SOCKET_IN_USE', params, error)
          : SelvageError.of('SOCKET_PATH', params, error),
      );
    };
    server.once('error', failed);
    server.listen(where, () => {
      server.off('error', failed);
      resolve();
    });
  });
}
