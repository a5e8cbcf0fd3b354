import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** A program of `test/programs` that runs until it ends or is killed. */
export interface RunningProgram {
  readonly pid: number;
  /** Its next line on standard output; rejects when it ends first. */
  nextLine(): Promise<string>;
  /** SIGKILL; resolves to the lines not read yet when it has ended. */
  kill(): Promise<string[]>;
}

/** Why file systems cannot be mounted here, for the `skip` option of a test; false where they can. */
export const skipWithoutMounts: false | string =
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0
    ? false
    : 'needs root and a mount namespace';

/** Starts a program of `test/programs`; it is killed when the test ends. */
export function startProgram(t: TestContext, name: string, ...args: string[]): RunningProgram {
  const child = spawn(process.execPath, [programPath(name), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  return follow(child);
}

/**
 * Runs a program of `test/programs` in a mount namespace of its own, after `mount` (a shell command) has been run
 * there, and returns what it prints as JSON.
 */
export function runMounted(mount: string, name: string, ...args: string[]): unknown {
  const script = `${mount} && exec "$0" "$@"`;
  const command = ['-m', 'sh', '-c', script, process.execPath, programPath(name), ...args];
  const { stdout, stderr, status } = spawnSync('unshare', command, { encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as unknown;
}

function programPath(name: string): string {
  return fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url));
}

function follow(child: ChildProcessByStdio<null, Readable, null>): RunningProgram {
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ended = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    nextLine: async () => {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the program ended with ${child.exitCode ?? child.signalCode}`);
      return value;
    },
    kill: async () => {
      child.kill('SIGKILL');
      const rest: string[] = [];
      for (let next = await lines.next(); next.done !== true; next = await lines.next())
        rest.push(next.value);
      await ended;
      return rest;
    },
  };
}
