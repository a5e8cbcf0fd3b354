import { write as writeAsync, writeSync } from 'node:fs';
import { errnoOf } from './errors.ts';

const MAX_QUEUED_CHARS = 1024 * 1024;
const MAX_WRITE_CHARS = 64 * 1024;
const BUSY_RETRY_MS = 20;

/** Takes whole lines, newline included. */
export interface LineDestination {
  write(line: string): void;
  /** Resolves once everything written so far has left the process, or cannot. */
  flush(): Promise<void>;
  /** Lines given up since the start, because the reader was too slow or gone. */
  readonly dropped: number;
}

/**
 * Writes lines to a file descriptor without ever waiting for its reader: at most one write is under way (on a
 * thread of the pool), at most 1 MiB waits behind it, and what comes beyond that is dropped and counted. What still
 * waits when the process exits is written then, synchronously. A reader that is gone (EPIPE) ends the writing, not
 * the process.
 */
export class LineWriter implements LineDestination {
  readonly #fd: number;
  #queue: string[] = [];
  #queuedChars = 0;
  #busy = false;
  #closed = false;
  #flushesAtExit = false;
  #dropped = 0;
  #waiters: Array<() => void> = [];

  constructor(fd: number) {
    this.#fd = fd;
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#closed || this.#queuedChars + line.length > MAX_QUEUED_CHARS) {
      this.#dropped += 1;
      return;
    }
    if (!this.#flushesAtExit) {
      this.#flushesAtExit = true;
      process.on('exit', () => this.#writeRest());
    }
    this.#queue.push(line);
    this.#queuedChars += line.length;
    if (!this.#busy) this.#writeNext();
  }

  flush(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #writeNext(): void {
    const lines = this.#take();
    if (lines.length === 0) {
      this.#busy = false;
      for (const resolve of this.#waiters.splice(0)) resolve();
      return;
    }
    this.#busy = true;
    this.#writeChunk(Buffer.from(lines.join('')), lines.length);
  }

  #writeChunk(chunk: Buffer, lines: number): void {
    writeAsync(this.#fd, chunk, (error, written) => {
      if (error === null && written < chunk.length) {
        this.#writeChunk(chunk.subarray(written), lines);
      } else if (errnoOf(error) === 'EAGAIN') {
        setTimeout(() => this.#writeChunk(chunk, lines), BUSY_RETRY_MS);
      } else {
        if (error !== null) this.#dropped += lines;
        if (errnoOf(error) === 'EPIPE') this.#close();
        this.#writeNext();
      }
    });
  }

  /** Lines for one write: as many as fit, at least one if there is one. */
  #take(): string[] {
    let chars = 0;
    const end = this.#queue.findIndex((line, index) => {
      chars += line.length;
      return index > 0 && chars > MAX_WRITE_CHARS;
    });
    const taken = this.#queue.splice(0, end === -1 ? this.#queue.length : end);
    for (const line of taken) this.#queuedChars -= line.length;
    return taken;
  }

  #close(): void {
    this.#closed = true;
    this.#dropped += this.#queue.length;
    this.#queue = [];
    this.#queuedChars = 0;
  }

  /** Node finishes the write under way before the process ends; this adds what waits behind it. */
  #writeRest(): void {
    let rest = Buffer.from(this.#queue.join(''));
    this.#queue = [];
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#fd, rest));
    } catch {
      // The reader is gone or does not keep up, and there is nobody left to tell.
    }
  }
}
