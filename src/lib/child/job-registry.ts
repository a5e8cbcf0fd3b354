import type { Clock } from '../clock.ts';
import { SelvageError, toSelvageError } from '../errors.ts';
import type { JobProgress } from './job.ts';

/** Ended jobs that are still listed. */
const REMEMBERED = 50;

/** A job as an administrator sees it. */
export interface JobStatus {
  readonly id: string;
  /** What it does, such as `import`. */
  readonly kind: string;
  /** What it does it to, such as a model's name. */
  readonly subject: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  /** 0..1 */
  readonly progress: number;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number | undefined;
}

/** What a piece of work gets from the registry. */
export interface JobHandle {
  /** Aborted when the job is cancelled or the caller's own signal is. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: JobProgress) => void;
}

interface Entry {
  status: JobStatus;
  readonly abort: AbortController;
}

/** The jobs of the agent, running and recently ended, so that they can be looked at and cancelled. */
export class JobRegistry {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does `work` as a job of its own; resolves or rejects as it does. */
  async run<Result>(
    kind: string,
    subject: string,
    signal: AbortSignal,
    work: (handle: JobHandle) => Promise<Result>,
  ): Promise<Result> {
    const entry = this.#begin(kind, subject);
    const { id } = entry.status;
    try {
      const result = await work({
        signal: AbortSignal.any([signal, entry.abort.signal]),
        onProgress: ({ fraction, message }) => this.#update(id, { progress: fraction, message }),
      });
      this.#end(id, { state: 'done', progress: 1, message: '' });
      return result;
    } catch (thrown) {
      const error = toSelvageError(thrown);
      this.#end(id, { state: error.code === 'CANCELLED' ? 'cancelled' : 'failed', message: error.message });
      throw error;
    }
  }

  list(): JobStatus[] {
    return [...this.#entries.values()].map(({ status }) => status);
  }

  /** Cancels a running job; false where there is none of that id. */
  cancel(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry?.status.state !== 'running') return false;
    entry.abort.abort(SelvageError.of('CANCELLED', {}));
    return true;
  }

  /** Cancels all running jobs. */
  close(): void {
    for (const id of this.#entries.keys()) this.cancel(id);
  }

  #begin(kind: string, subject: string): Entry {
    this.#count += 1;
    const entry: Entry = {
      abort: new AbortController(),
      status: {
        id: String(this.#count),
        kind,
        subject,
        state: 'running',
        progress: 0,
        message: '',
        startedAt: this.#clock.now(),
        endedAt: undefined,
      },
    };
    this.#entries.set(entry.status.id, entry);
    return entry;
  }

  #update(id: string, change: Partial<JobStatus>): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.status = { ...entry.status, ...change };
  }

  #end(id: string, change: Partial<JobStatus>): void {
    this.#update(id, { ...change, endedAt: this.#clock.now() });
    const ended = [...this.#entries.values()].filter(({ status }) => status.state !== 'running');
    for (const { status } of ended.slice(0, -REMEMBERED)) this.#entries.delete(status.id);
  }
}
