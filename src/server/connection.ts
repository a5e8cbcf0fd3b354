import { setMaxListeners } from 'node:events';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { SelvageError } from '../lib/errors.ts';
import type { Exchange } from './exchange.ts';
import { errorReply } from './http-errors.ts';

/** A client's connection: the exchanges under way on it, several only where the client pipelines. */
export class Connection {
  readonly open = new Set<Exchange>();
  readonly #socket: Socket;
  readonly #controller = new AbortController();
  /** Whether a request was answered before all of it had arrived. */
  #answeredEarly = false;
  /** Whether no further request can come, because the bytes that came are none. */
  #broken = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    // As many calls as the client pipelines may listen.
    setMaxListeners(0, this.#controller.signal);
  }

  /** Aborted when the connection is closed: the client of each of its exchanges is gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether no request came after this one. */
  isLast(exchange: Exchange): boolean {
    return [...this.open].at(-1) === exchange;
  }

  /** A request's head has arrived. */
  begun(): void {
    this.#answeredEarly = false;
  }

  /** An exchange is over; `complete`: its whole request had arrived. */
  finished(exchange: Exchange, complete: boolean, draining: boolean): void {
    this.open.delete(exchange);
    this.#answeredEarly = !complete;
    if ((draining || this.#broken) && this.open.size === 0) this.#socket.destroySoon();
  }

  /** The socket is closed. */
  closed(): void {
    this.#controller.abort(SelvageError.of('CANCELLED', {}));
    for (const exchange of [...this.open]) exchange.clientGone();
  }

  /** The bytes that arrive are no request, or do not arrive in time: answers where that is still possible. */
  broken(error: SelvageError): void {
    this.#broken = true;
    for (const exchange of this.open) if (exchange.failBody(error)) return;
    if (this.open.size > 0) {
      // The requests before these bytes get their answers; the last of them ends the connection.
      this.#socket.pause();
      return;
    }
    if (this.#answeredEarly || !this.#socket.writable) {
      this.#socket.destroy();
      return;
    }
    const { status, contentType, headers, body } = errorReply(error);
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: ${contentType}\r\n`;
    for (let index = 0; index < headers.length; index += 2)
      head += `${headers[index]}: ${headers[index + 1]}\r\n`;
    this.#socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => {
      this.#socket.destroy();
    });
  }

  /** Nothing moved on the socket for long: ends it, unless an answer is still being worked out. */
  stalled(): void {
    for (const exchange of this.open) if (!exchange.sending) return;
    this.#socket.destroy();
  }

  /** Ends the connection where nothing has ever come in on it. */
  closeIfSilent(): void {
    if (this.#socket.bytesRead === 0) this.#socket.destroy();
  }
}
