import { constants } from 'node:fs';
import { access, lstat, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { errnoInWords } from '../../lib/errno.ts';
import { errnoOf } from '../../lib/errors.ts';
import { type Check, type CheckResult, failure, ok, warning } from './check.ts';

/** `sockaddr_un.sun_path` holds 108 bytes with the closing NUL (unix(7)). */
const MAX_PATH_BYTES = 107;

const CONNECT_TIMEOUT_MS = 2000;

/** Checks where the sockets of the configuration go. */
export const checkSockets: Check = async ({ config }) => {
  if (config instanceof Error) return [];
  const { http, admin } = config.config.server;
  return [
    await checkSocket('inference socket', http.socket),
    await checkSocket('admin socket', admin.socket),
  ];
};

/** Checks one path: its length, its directory, and what lies there. */
export async function checkSocket(check: string, path: string): Promise<CheckResult> {
  const lengthBytes = Buffer.byteLength(path);
  if (lengthBytes > MAX_PATH_BYTES) {
    const found = `${path} has ${lengthBytes} bytes`;
    return failure(
      check,
      found,
      `Choose a path of at most ${MAX_PATH_BYTES} bytes: the kernel takes no longer one.`,
    );
  }
  return (await checkDirectory(check, dirname(path))) ?? checkEntry(check, path);
}

async function checkDirectory(check: string, directory: string): Promise<CheckResult | undefined> {
  try {
    if (!(await stat(directory)).isDirectory()) {
      return failure(check, `${directory} is not a directory`, 'Choose a path in a directory.');
    }
    await access(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' && directory.startsWith('/run/')) {
      const advice = `systemd makes it when it starts the service; in the foreground run \`mkdir -p ${directory}\` before.`;
      return warning(check, `${directory} does not exist`, advice);
    }
    if (errno === 'ENOENT')
      return failure(check, `${directory} does not exist`, `Run \`mkdir -p ${directory}\`.`);
    const advice = `Make ${directory} writable for the user that runs Selvage, or run this check as that user.`;
    return failure(check, `${directory}: ${errnoInWords(error)}`, advice);
  }
}

async function checkEntry(check: string, path: string): Promise<CheckResult> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry === undefined) return ok(check, `${path} is free`);
  if (!entry.isSocket()) {
    return failure(
      check,
      `${path} is not a socket`,
      'Move it away, or choose another path; Selvage does not remove it.',
    );
  }
  const state = await connectTo(path);
  if (state === 'refused')
    return ok(check, `${path} is left from an earlier run; the next start replaces it`);
  if (state === 'live') return ok(check, `${path}: an agent listens there`);
  return warning(check, `${path}: ${state}`, 'Run this check as the user that runs Selvage.');
}

/** `live`, `refused` where nobody listens, or why it cannot be told. */
function connectTo(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (state: string): void => {
      socket.destroy();
      resolve(state);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => end('live'));
    socket.once('connect', () => end('live'));
    socket.once('error', (error) => {
      const errno = errnoOf(error);
      if (errno === 'ECONNREFUSED' || errno === 'ENOENT') end('refused');
      // A full backlog: somebody listens and does not keep up.
      else end(errno === 'EAGAIN' ? 'live' : errnoInWords(error));
    });
  });
}
