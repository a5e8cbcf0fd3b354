import { reasonOf, SelvageError } from '../lib/errors.ts';
import { collectAccelerators } from './collectors/accelerators.ts';
import { collectBoard } from './collectors/board.ts';
import { collectCaches } from './collectors/caches.ts';
import { collectCpu } from './collectors/cpu.ts';
import { collectGpus } from './collectors/gpus.ts';
import { collectMemory } from './collectors/memory.ts';
import { collectOperatingSystem } from './collectors/operating-system.ts';
import { collectPowerMode } from './collectors/power-mode.ts';
import { collectPowerRails } from './collectors/power-rails.ts';
import { collectStorage } from './collectors/storage.ts';
import { collectTemperatures } from './collectors/temperatures.ts';
import { collectThrottling } from './collectors/throttling.ts';
import type { HardwareReport, Unreadable } from './hardware-report.ts';
import { failed, type Outcome } from './outcome.ts';
import { type RootFiles, rootFiles } from './root-files.ts';

/** What to look at, and how long. */
export interface ProbeOptions {
  /** Directory to take for `/`: a copy of a machine's files, or the machine itself mounted into a container. */
  readonly root?: string;
  /** Where to read instead of below `root`, for tests of what no file can do. */
  readonly files?: RootFiles;
  /** Rejects with CANCELLED when aborted. */
  readonly signal?: AbortSignal;
  /** Time each part may take, in milliseconds; a part that takes longer is `failed`, the others are kept. */
  readonly partTimeoutMs?: number;
}

type Collector<Data> = (files: RootFiles) => Promise<Outcome<Data>>;

const PART_TIMEOUT_MS = 5000;

/** Most unreadable files that a report lists. */
const MAX_UNREADABLE = 64;

/** Looks at the machine, every part by itself: what is missing or broken in one never spoils another. */
export async function probe(options: ProbeOptions = {}): Promise<HardwareReport> {
  const { root = '/', files = rootFiles(root), signal, partTimeoutMs = PART_TIMEOUT_MS } = options;
  const unreadable = new Map<string, Unreadable>();
  const run = <Data>(collect: Collector<Data>): Promise<Outcome<Data>> =>
    collectPart(collect, files, unreadable, { signal, timeoutMs: partTimeoutMs });

  const parts = {
    board: run(collectBoard),
    cpu: run(collectCpu),
    caches: run(collectCaches),
    memory: run(collectMemory),
    gpus: run(collectGpus),
    accelerators: run(collectAccelerators),
    temperatures: run(collectTemperatures),
    throttling: run(collectThrottling),
    powerRails: run(collectPowerRails),
    powerMode: run(collectPowerMode),
    storage: run(collectStorage),
    os: run(collectOperatingSystem),
  };
  const report = {
    board: await parts.board,
    cpu: await parts.cpu,
    caches: await parts.caches,
    memory: await parts.memory,
    gpus: await parts.gpus,
    accelerators: await parts.accelerators,
    temperatures: await parts.temperatures,
    throttling: await parts.throttling,
    powerRails: await parts.powerRails,
    powerMode: await parts.powerMode,
    storage: await parts.storage,
    os: await parts.os,
  };
  if (signal?.aborted) throw SelvageError.of('CANCELLED', {}, signal.reason);
  return { ...report, unreadable: [...unreadable.values()].sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/** Runs one collector to its end or its time limit; after that its reads fail, so that it stops soon. */
async function collectPart<Data>(
  collect: Collector<Data>,
  files: RootFiles,
  unreadable: Map<string, Unreadable>,
  { signal, timeoutMs }: Limits,
): Promise<Outcome<Data>> {
  let over: string | undefined;
  let end = (_reason: string): void => {};
  const ended = new Promise<Outcome<never>>((resolve) => {
    end = (reason) => {
      over = reason;
      resolve(failed(reason));
    };
  });
  const abort = (): void => end('cancelled');
  const timer = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  try {
    const watched = watchedFiles(files, unreadable, () => over);
    return await Promise.race([collect(watched), ended]);
  } catch (error) {
    return failed(reasonOf(error));
  } finally {
    over ??= 'the part has ended';
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** The same files, noting each one that cannot be read, and none any more once the part is over. */
function watchedFiles(
  files: RootFiles,
  unreadable: Map<string, Unreadable>,
  over: () => string | undefined,
): RootFiles {
  const watch = async <Data>(path: string, look: () => Promise<Outcome<Data>>): Promise<Outcome<Data>> => {
    const before = over();
    if (before !== undefined) return failed(before);
    const outcome = await look();
    if (outcome.status === 'failed' && over() === undefined && unreadable.size < MAX_UNREADABLE) {
      unreadable.set(path, { path, reason: outcome.reason });
    }
    return outcome;
  };
  return {
    live: files.live,
    read: (path, limitBytes) => watch(path, () => files.read(path, limitBytes)),
    list: (path) => watch(path, () => files.list(path)),
    exists: async (path) => over() === undefined && (await files.exists(path)),
    space: (path) => watch(path, () => files.space(path)),
  };
}
