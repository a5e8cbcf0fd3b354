import { linkSync, lstatSync, unlinkSync } from 'node:fs';
import { chmod, chown, link, lstat, readFile, stat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, reasonOf, SelvageError } from '../lib/errors.ts';
import { randomName } from '../lib/random-name.ts';

/** Where a Unix socket goes and who may connect to it. */
export interface UnixSocketOptions {
  readonly path: string;
  /** Permission bits, such as 0o660. */
  readonly mode: number;
  /** Owning group by name or number; by default that of the process. */
  readonly group?: string | undefined;
}

/** A bound Unix socket. */
export interface BoundUnixSocket {
  readonly path: string;
  /** Removes the path, unless something else lies there by now. */
  remove(): Promise<void>;
}

/** `sockaddr_un.sun_path` holds 108 bytes with the closing NUL (unix(7)). */
const MAX_PATH_BYTES = 107;
/** A start that meets this many others at one path gives up. */
const MAX_ATTEMPTS = 16;
const PROBE_TIMEOUT_MS = 2000;
const RETRY_MS = 20;
const CLAIM_MS = 5000;

/**
 * Makes `server` listen on a Unix socket at `path`. The socket is bound and listening under a temporary name, gets
 * its mode and group there, and is then linked to `path`: whoever finds it there may use it at once, and of two
 * agents that start together exactly one gets the path. A stale socket (nobody listens) is removed.
 * Errors: SOCKET_IN_USE when a process listens there, SOCKET_PATH for everything else.
 */
export async function listenUnix(server: Server, options: UnixSocketOptions): Promise<BoundUnixSocket> {
  const { path, mode, group } = options;
  const gid = group === undefined ? undefined : await groupId(path, group);
  await checkDirectory(path);
  const temporary = temporaryPath(path);
  await bind(server, temporary, path);
  try {
    if (gid !== undefined) await chown(temporary, -1, gid);
    await chmod(temporary, mode);
    const { dev, ino } = await lstat(temporary);
    await publish(temporary, path);
    return { path, remove: () => removeIfSame(path, dev, ino) };
  } catch (thrown) {
    server.close();
    throw thrown instanceof SelvageError ? thrown : pathError(path, reasonOf(thrown), thrown);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/** Whether a process listens on the Unix socket at `path`; false where the path is stale or gone. */
async function isLive(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    return await new Promise<boolean>((resolve, reject) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', (error) => {
        const errno = errnoOf(error);
        if (errno === 'ECONNREFUSED' || errno === 'ENOENT') resolve(false);
        // A full backlog: somebody listens and does not keep up.
        else if (errno === 'EAGAIN') resolve(true);
        else reject(pathError(path, reasonOf(error), error));
      });
      socket.setTimeout(PROBE_TIMEOUT_MS, () => resolve(true));
    });
  } finally {
    socket.destroy();
  }
}

async function publish(temporary: string, path: string): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      await link(temporary, path);
      return;
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EEXIST') throw thrown;
    }
    await removeStale(path);
  }
  throw pathError(path, 'other processes keep taking the path');
}

/** Removes a stale socket from `path`, or waits for who is about to; throws where a process listens there or it is no socket. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw pathError(path, 'exists and is not a socket; it is left as it is');
  if (await isLive(path)) throw SelvageError.of('SOCKET_IN_USE', { path });
  if (!unlinkInode(path, found.ino)) await sleep(RETRY_MS);
}

/**
 * Removes `path` if it still is the file `ino`. Between a look and an unlink another agent could put its own socket
 * there; so a second link to the file, under a name made of its number, is the right to remove it: one process gets
 * it, and while that name stands no other file has that number. False where another process has that right.
 */
function unlinkInode(path: string, ino: number): boolean {
  const claim = `${path}.${ino}`;
  try {
    linkSync(path, claim);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === 'EEXIST') removeAbandoned(claim);
    else if (errno !== 'ENOENT') {
      throw pathError(path, `a stale socket is there and cannot be removed: ${reasonOf(thrown)}`, thrown);
    }
    return false;
  }
  try {
    if (lstatSync(claim).ino === ino) unlinkSync(path);
  } finally {
    unlinkSync(claim);
  }
  return true;
}

/** A claim is held for some microseconds: one that is old was left by a process killed just then. */
function removeAbandoned(claim: string): void {
  try {
    // Making a link sets this time.
    if (Date.now() - lstatSync(claim).ctimeMs > CLAIM_MS) unlinkSync(claim);
  } catch {
    // Its owner was faster.
  }
}

/** Binds so that nobody else may connect before the mode is set. */
async function bind(server: Server, temporary: string, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error) => reject(pathError(path, reasonOf(error), error));
    server.once('error', failed);
    // `listen` on a path binds before it returns, so the mask holds for nothing else.
    const mask = process.umask(0o177);
    try {
      server.listen({ path: temporary }, () => {
        server.off('error', failed);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

/** A free name beside `path`, showing what it is for where the length allows. */
function temporaryPath(path: string): string {
  const tag = randomName(6);
  const names = [`${path}.${tag}`, join(dirname(path), `.${tag}`)];
  const fitting = names.find((name) => Buffer.byteLength(name) <= MAX_PATH_BYTES);
  if (fitting === undefined) throw pathError(path, 'the directory leaves no room for the name of a socket');
  return fitting;
}

async function checkDirectory(path: string): Promise<void> {
  const length = Buffer.byteLength(path);
  if (length > MAX_PATH_BYTES) {
    throw pathError(path, `the path has ${length} bytes, a Unix socket allows ${MAX_PATH_BYTES}`);
  }
  if (path.includes('\0') || basename(path) === '') throw pathError(path, 'this is not the path of a file');
  const directory = dirname(path);
  const found = await stat(directory).catch((thrown: unknown) => {
    const missing = errnoOf(thrown) === 'ENOENT';
    throw pathError(path, missing ? `there is no directory ${directory}` : reasonOf(thrown), thrown);
  });
  if (!found.isDirectory()) throw pathError(path, `${directory} is not a directory`);
}

/** The number of a group, from /etc/group (group(5)). */
async function groupId(path: string, group: string): Promise<number> {
  if (/^\d{1,9}$/.test(group)) return Number(group);
  const lines = (await readFile('/etc/group', 'utf8').catch(() => '')).split('\n');
  for (const line of lines) {
    const [name, , number] = line.split(':');
    if (name === group && number !== undefined && /^\d+$/.test(number)) return Number(number);
  }
  throw pathError(path, `there is no group '${group}' in /etc/group`);
}

async function removeIfSame(path: string, dev: number, ino: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || found.dev !== dev || found.ino !== ino) return;
  await unlink(path).catch(() => undefined);
}

function pathError(path: string, problem: string, cause?: unknown): SelvageError {
  return SelvageError.of('SOCKET_PATH', { path, problem }, cause);
}
