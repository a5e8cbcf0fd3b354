import { fstatSync } from 'node:fs';
import type { Log } from './log.ts';

/** Tells the service manager how the agent is, as sd_notify(3) describes. Never throws, never waits. */
export interface Notifier {
  /** The agent serves; ends the start (or the reload) for the manager. */
  ready(status: string): void;
  /** A reload has begun; `ready` ends it. */
  reloading(): void;
  /** The agent has begun to stop. */
  stopping(status: string): void;
  /** One line for `systemctl status`. */
  status(status: string): void;
  /** The agent is alive: to be called at least every `watchdogIntervalMs`. */
  watchdog(): void;
  /** The start, reload or stop under way needs this much more time from now. */
  extendTimeout(timeoutMs: number): void;
}

const SILENT: Notifier = {
  ready() {},
  reloading() {},
  stopping() {},
  status() {},
  watchdog() {},
  extendTimeout() {},
};

/**
 * Makes a notifier for the service manager named by NOTIFY_SOCKET; without one (or where its socket cannot be used,
 * which is logged) a notifier that does nothing. Only then is the native library loaded that can send datagrams on
 * Unix sockets, which Node cannot.
 */
export async function createNotifier(env: NodeJS.ProcessEnv, log: Log): Promise<Notifier> {
  const path = env['NOTIFY_SOCKET'];
  if (path === undefined || path === '') return SILENT;
  try {
    return notifierOver(new DatagramSender(path, await loadLibc(), log));
  } catch (thrown) {
    log.warn({ err: thrown }, 'cannot notify the service manager');
    return SILENT;
  }
}

/**
 * How often `Notifier.watchdog` has to be called, in milliseconds: half of what the service manager allows
 * (WATCHDOG_USEC), as sd_watchdog_enabled(3) recommends; undefined where it does not watch this process.
 */
export function watchdogIntervalMs(env: NodeJS.ProcessEnv, pid: number = process.pid): number | undefined {
  const timeoutUsec = Number(env['WATCHDOG_USEC']);
  const watchedPid = env['WATCHDOG_PID'];
  if (watchedPid !== undefined && watchedPid !== String(pid)) return undefined;
  if (!Number.isSafeInteger(timeoutUsec) || timeoutUsec <= 0) return undefined;
  return Math.max(1, Math.floor(timeoutUsec / 2000));
}

/** Whether standard output goes straight to the journal (JOURNAL_STREAM names its device and inode). */
export function stdoutIsJournal(env: NodeJS.ProcessEnv): boolean {
  const stream = env['JOURNAL_STREAM'];
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(1, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

function notifierOver(sender: DatagramSender): Notifier {
  return {
    ready: (status) => sender.send(`READY=1\nSTATUS=${oneLine(status)}`),
    reloading: () => sender.send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: (status) => sender.send(`STOPPING=1\nSTATUS=${oneLine(status)}`),
    status: (status) => sender.send(`STATUS=${oneLine(status)}`),
    watchdog: () => sender.send('WATCHDOG=1'),
    extendTimeout: (timeoutMs) => sender.send(`EXTEND_TIMEOUT_USEC=${Math.round(timeoutMs * 1000)}`),
  };
}

/** A line break would begin another assignment. */
function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').slice(0, 500);
}

// Linux: the same on every architecture Node 20 runs on.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MAX_PATH_BYTES = 107;

const RETRY_MS = 50;
const MAX_WAITING = 32;

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(fd: number, data: Buffer, size: number, flags: number, address: Buffer, addressSize: number): number;
  /** Errno of the last call. */
  errno(): number;
  readonly EAGAIN: number;
}

async function loadLibc(): Promise<Libc> {
  const { default: koffi } = await import('koffi');
  // Node itself is linked with the C library: no file name to guess.
  const libc = koffi.load(null);
  return {
    socket: libc.func('int socket(int, int, int)'),
    sendto: libc.func('long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)'),
    errno: () => koffi.errno(),
    EAGAIN: koffi.os.errno['EAGAIN'] ?? 11,
  };
}

/** Sends datagrams to one Unix socket, in order; what a full queue does not take is tried again for a while. */
class DatagramSender {
  readonly #libc: Libc;
  readonly #log: Log;
  readonly #fd: number;
  readonly #address: Buffer;
  readonly #waiting: string[] = [];

  constructor(path: string, libc: Libc, log: Log) {
    this.#libc = libc;
    this.#log = log;
    this.#address = unixAddress(path);
    this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw new Error(`socket: errno ${libc.errno()}`);
  }

  send(message: string): void {
    if (this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(message);
    if (this.#waiting.length === 1) this.#sendWaiting();
  }

  #sendWaiting(): void {
    for (let message = this.#waiting[0]; message !== undefined; message = this.#waiting[0]) {
      const errno = this.#sendNow(Buffer.from(message));
      if (errno === this.#libc.EAGAIN) {
        setTimeout(() => this.#sendWaiting(), RETRY_MS).unref();
        return;
      }
      if (errno !== 0) this.#log.warn({ errno }, 'cannot notify the service manager');
      this.#waiting.shift();
    }
  }

  /** The errno, 0 when it was sent. */
  #sendNow(data: Buffer): number {
    const { sendto, errno } = this.#libc;
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const sent = Number(sendto(this.#fd, data, data.length, flags, this.#address, this.#address.length));
    return sent < 0 ? errno() : 0;
  }
}

/** A `sockaddr_un`: the family, then the path; a leading `@` stands for the zero byte of an abstract socket. */
function unixAddress(path: string): Buffer {
  if (!/^[/@]/.test(path)) throw new Error(`NOTIFY_SOCKET is neither a path nor an abstract socket: ${path}`);
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path);
  if (name.length > MAX_PATH_BYTES) throw new Error(`NOTIFY_SOCKET is longer than ${MAX_PATH_BYTES} bytes`);
  const family = new Uint8Array(new Uint16Array([AF_UNIX]).buffer);
  return Buffer.concat([family, name]);
}
