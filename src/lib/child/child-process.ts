import { type ChildProcess as NodeChild, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { align8, encodeHead, type Frame, FrameReader, paddedLength } from './frame.ts';
import { isShared, readArea, SharedMemory, writeArea } from './shared-memory.ts';

/** How to start a child. */
export interface ChildOptions {
  /** URL of the child's main module. */
  readonly module: URL;
  /** Added to the small environment every child gets. */
  readonly env?: Readonly<Record<string, string>>;
  /** Share memory with the child, for frames that often hold more than some ten kilobytes. */
  readonly shareMemory?: boolean;
  readonly onFrame: (frame: Frame) => void;
  /** Called once, when the child has ended and all its frames were handed out. */
  readonly onExit: (reason: string) => void;
  /** Called per line the child writes to standard error (bounded). */
  readonly onStderr?: ((line: string) => void) | undefined;
}

/** Node flags of children: they run little JavaScript, so a small young generation and no worker threads do. */
const NODE_FLAGS = [
  '--max-semi-space-size=1',
  '--v8-pool-size=0',
  '--single-threaded-gc',
  '--optimize-for-size',
  '--no-warnings',
];

/** Below this size a frame is copied into one buffer: one write is cheaper than a vector of them. */
const COPY_LIMIT_BYTES = 16 * 1024;

const STDERR_LINES_MAX = 1000;
const STDERR_LINE_BYTES_MAX = 4096;
const ZEROS = Buffer.alloc(8);

/**
 * A child process with a frame socket. It gets a small environment of its own (no secrets), is the first to go when
 * memory runs out (see `child-main.ts`), and ends by itself when the agent does, since its socket closes.
 */
export class ChildProcess {
  readonly #process: NodeChild;
  readonly #socket: Socket;
  readonly #memory: SharedMemory | undefined;
  #exitReason: string | undefined;
  #killReason: string | undefined;

  constructor(options: ChildOptions) {
    this.#memory = options.shareMemory ? SharedMemory.create() : undefined;
    this.#process = spawn(process.execPath, [...NODE_FLAGS, fileURLToPath(options.module)], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', this.#memory?.fd ?? 'ignore'],
      env: { ...baseEnvironment(), ...options.env },
    });
    // The fourth stdio entry is declared as a pipe above, which Node makes a duplex socket.
    this.#socket = this.#process.stdio[3] as Socket;
    this.#listen(options);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get ended(): boolean {
    return this.#exitReason !== undefined;
  }

  /** Sends a question. `data` must not change until the answer is there. Does nothing once the child has ended. */
  send(kind: number, header: Uint8Array, data: readonly Uint8Array[] = []): void {
    if (this.#socket.destroyed) return;
    const dataBytes = paddedLength(data);
    const slot = this.#memory?.acquire() ?? 0;
    const memory = this.#memory;
    const shared =
      memory !== undefined && isShared(slot, dataBytes) && writeArea(memory.fd, slot, 'question', data);
    const inline = shared ? 0 : dataBytes;
    if (inline <= COPY_LIMIT_BYTES) {
      const frame = encodeHead({ kind, slot, dataBytes, shared }, header, inline);
      if (!shared) copyParts(frame, frame.length - inline, data);
      this.#socket.write(frame);
      return;
    }
    this.#socket.cork();
    this.#socket.write(encodeHead({ kind, slot, dataBytes, shared }, header));
    for (const part of data) {
      this.#socket.write(part);
      const padding = align8(part.byteLength) - part.byteLength;
      if (padding > 0) this.#socket.write(ZEROS.subarray(0, padding));
    }
    this.#socket.uncork();
  }

  /** Sends a question whose header is JSON. */
  sendJson(kind: number, value: unknown): void {
    this.send(kind, Buffer.from(JSON.stringify(value)));
  }

  /** Ends the child at once; `reason` is what `onExit` then says. */
  kill(reason: string): void {
    this.#killReason ??= reason;
    this.#process.kill('SIGKILL');
  }

  #listen(options: ChildOptions): void {
    const reader = new FrameReader(
      (frame) => {
        this.#memory?.release(frame.slot);
        options.onFrame(frame);
      },
      (slot, dataBytes) => this.#readShared(slot, dataBytes),
    );
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.kill(`sent what is not a frame: ${String(error)}`);
      }
    });
    this.#socket.on('error', () => {}); // EPIPE and ECONNRESET say what `close` says too.
    this.#process.on('error', (error) => {
      this.#killReason ??= `could not be started: ${error.message}`;
      if (this.#process.pid === undefined) this.#end(options, this.#killReason);
    });
    this.#process.on('close', (code, signal) => {
      this.#end(options, this.#killReason ?? (signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    if (this.#process.stderr !== null) forEachLine(this.#process.stderr, options.onStderr ?? (() => {}));
  }

  #readShared(slot: number, dataBytes: number): Buffer {
    if (this.#memory === undefined) throw new RangeError('no memory is shared with this child');
    const data = Buffer.allocUnsafeSlow(dataBytes);
    readArea(this.#memory.fd, slot, 'answer', data, dataBytes);
    return data;
  }

  #end(options: ChildOptions, reason: string): void {
    if (this.#exitReason !== undefined) return;
    this.#exitReason = reason;
    this.#socket.destroy();
    this.#memory?.close();
    options.onExit(reason);
  }
}

function copyParts(target: Buffer, start: number, data: readonly Uint8Array[]): void {
  let offset = start;
  for (const part of data) {
    target.set(part, offset);
    offset += align8(part.byteLength);
  }
}

/** What a child needs of the environment; above all no secrets. */
function baseEnvironment(): Record<string, string> {
  const keep = [
    'PATH',
    'HOME',
    'LANG',
    'TZ',
    'TMPDIR',
    'LD_LIBRARY_PATH',
    'LD_PRELOAD',
    'NODE_EXTRA_CA_CERTS',
  ];
  const kept = keep.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(kept),
    // Versions 1.29 and newer report usage unless this is set before the library loads.
    ORT_DISABLE_TELEMETRY: '1',
    // Larger allocations come from mmap, so that freeing them gives the memory back.
    MALLOC_MMAP_THRESHOLD_: '131072',
    MALLOC_TRIM_THRESHOLD_: '65536',
    MALLOC_ARENA_MAX: '1',
    UV_THREADPOOL_SIZE: '1',
  };
}

function forEachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  let lines = 0;
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = (parts.pop() ?? '').slice(0, STDERR_LINE_BYTES_MAX);
    for (const line of parts) {
      lines += 1;
      if (lines <= STDERR_LINES_MAX && line.trim() !== '') onLine(line.slice(0, STDERR_LINE_BYTES_MAX));
    }
  });
  stream.on('end', () => {
    if (rest.trim() !== '') onLine(rest);
  });
}
