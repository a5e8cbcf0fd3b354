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
  const limits = { signal, cancelled: cancellation(signal), timeoutMs: partTimeoutMs };
  const run = <Data>(collect: Collector<Data>): Promise<Outcome<Data>> =>
    collectPart(collect, files, unreadable, limits);

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
  /** Resolves when `signal` is aborted: one listener for all parts. */
  readonly cancelled: Promise<Outcome<never>>;
  readonly timeoutMs: number;
}

function cancellation(signal: AbortSignal | undefined): Promise<Outcome<never>> {
  return new Promise((resolve) => {
    const cancel = (): void => resolve(failed('cancelled'));
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
  });
}

/** Runs one collector to its end or its time limit; after that its reads fail, so that it stops soon. */
async function collectPart<Data>(
  collect: Collector<Data>,
  files: RootFiles,
  unreadable: Map<string, Unreadable>,
  { signal, cancelled, timeoutMs }: Limits,
): Promise<Outcome<Data>> {
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Outcome<never>>((resolve) => {
    timer = setTimeout(() => resolve(failed(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    const watched = watchedFiles(files, unreadable, () => over || signal?.aborted === true);
    return await Promise.race([collect(watched), late, cancelled]);
  } catch (error) {
    return failed(reasonOf(error));
  } finally {
    over = true;
    clearTimeout(timer);
  }
}

/** The same files, noting each one that cannot be read, and none any more once the part is over. */
function watchedFiles(files: RootFiles, unreadable: Map<string, Unreadable>, over: () => boolean): RootFiles {
  const watch = async <Data>(path: string, look: () => Promise<Outcome<Data>>): Promise<Outcome<Data>> => {
    if (over()) return failed('the part has ended');
    const outcome = await look();
    if (outcome.status === 'failed' && !over() && unreadable.size < MAX_UNREADABLE) {
      unreadable.set(path, { path, reason: outcome.reason });
    }
    return outcome;
  };
  return {
    live: files.live,
    read: (path, limitBytes) => watch(path, () => files.read(path, limitBytes)),
    list: (path) => watch(path, () => files.list(path)),
    exists: async (path) => !over() && (await files.exists(path)),
    space: (path) => watch(path, () => files.space(path)),
  };
}
