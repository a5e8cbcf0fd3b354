import { SelvageError, toSelvageError } from '../errors.ts';
import { beginChild } from './child-main.ts';
import { ChildProcess } from './child-process.ts';
import { SyncChannel } from './sync-channel.ts';

/** Kinds of frames between the agent and a job. */
const INPUT = 1;
const PROGRESS = 2;
const RESULT = 3;
const FAILURE = 4;

/** Niceness of jobs: they only take what serving leaves. */
const JOB_NICE = 10;

/** How far a job is. */
export interface JobProgress {
  /** 0..1 */
  readonly fraction: number;
  readonly message: string;
}

/** Options of `runJob`. */
export interface JobOptions {
  /** Kills the job when aborted. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  readonly onProgress?: ((progress: JobProgress) => void) | undefined;
  readonly onStderr?: ((line: string) => void) | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/**
 * Runs a module that calls `serveJob` in a child process of its own and resolves with its result.
 * Rejects with the job's error, CANCELLED when aborted, DEADLINE-like INTERNAL when it takes too long or dies.
 */
export function runJob<Input, Output>(module: URL, input: Input, options: JobOptions = {}): Promise<Output> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) {
      reject(SelvageError.of('CANCELLED', {}));
      return;
    }
    let outcome: (() => void) | undefined;
    const child = new ChildProcess({
      module,
      env: options.env ?? {},
      onStderr: options.onStderr,
      onFrame: ({ kind, header }) => {
        const message: unknown = JSON.parse(header.toString());
        if (kind === PROGRESS) options.onProgress?.(message as JobProgress);
        else if (kind === RESULT) outcome = () => resolve(message as Output);
        else if (kind === FAILURE) {
          outcome = () =>
            reject(SelvageError.revive(message as { code: string; message: string; hint: string }));
        }
      },
      onExit: (reason) => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', cancel);
        if (options.signal?.aborted) reject(SelvageError.of('CANCELLED', {}));
        else if (outcome !== undefined) outcome();
        else reject(SelvageError.of('JOB_DIED', { job: jobName(module), reason }));
      },
    });
    const cancel = () => child.kill('cancelled');
    options.signal?.addEventListener('abort', cancel, { once: true });
    const timer = setTimeout(
      () => child.kill(`took longer than ${options.timeoutMs} ms`),
      options.timeoutMs ?? 0x7fff_ffff,
    );
    child.sendJson(INPUT, input);
  });
}

/** The child's side of `runJob`: takes the input, works, answers, ends. */
export async function serveJob<Input, Output>(
  work: (input: Input, report: (fraction: number, message: string) => void) => Promise<Output>,
  conduct = { nice: JOB_NICE },
): Promise<void> {
  beginChild(conduct);
  const channel = new SyncChannel();
  const frame = channel.read();
  if (frame === undefined) process.exit(0);
  const input = JSON.parse(frame.header.toString()) as Input;
  try {
    const result = await work(input, (fraction, message) =>
      channel.writeJson(PROGRESS, 0, { fraction, message }),
    );
    channel.writeJson(RESULT, 0, result ?? null);
  } catch (error) {
    channel.writeJson(FAILURE, 0, toSelvageError(error));
  }
  process.exit(0);
}

function jobName(module: URL): string {
  return module.pathname.replace(/^.*\//, '').replace(/\.[jt]s$/, '');
}
