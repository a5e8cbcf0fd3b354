import type { Cache } from '../hardware-report.ts';
import { parseByteSize } from '../kernel-values.ts';
import { found, none, type Outcome } from '../outcome.ts';
import { listMatching, type RootFiles, readCpuList, readInteger, readLine } from '../root-files.ts';

const SYSTEM = '/sys/devices/system/cpu';

const TYPES: Readonly<Record<string, Cache['type']>> = {
  Data: 'data',
  Instruction: 'instruction',
  Unified: 'unified',
};

/** Reads the CPU's caches; many Arm device trees do not describe them. */
export async function collectCaches(files: RootFiles): Promise<Outcome<readonly Cache[]>> {
  const kinds = new Map<string, { cache: Omit<Cache, 'count'>; instances: Set<string> }>();
  for (const cpu of await listMatching(files, SYSTEM, /^cpu\d+$/)) {
    for (const index of await listMatching(files, `${SYSTEM}/${cpu}/cache`, /^index\d+$/)) {
      const path = `${SYSTEM}/${cpu}/cache/${index}`;
      const cache = await readCache(files, path);
      if (cache === undefined) continue;
      const kind = Object.values(cache).join('|');
      const instances = kinds.get(kind)?.instances ?? new Set();
      instances.add((await readCpuList(files, `${path}/shared_cpu_list`))?.join() ?? cpu);
      kinds.set(kind, { cache, instances });
    }
  }
  const caches = [...kinds.values()].map(({ cache, instances }) => ({ ...cache, count: instances.size }));
  caches.sort((a, b) => a.level - b.level || a.type.localeCompare(b.type) || a.sizeBytes - b.sizeBytes);
  return caches.length === 0 ? none : found(caches);
}

async function readCache(files: RootFiles, path: string): Promise<Omit<Cache, 'count'> | undefined> {
  const level = await readInteger(files, `${path}/level`);
  const type = TYPES[(await readLine(files, `${path}/type`)) ?? ''];
  const sizeBytes = parseByteSize((await readLine(files, `${path}/size`)) ?? '');
  const shared = await readCpuList(files, `${path}/shared_cpu_list`);
  if (level === undefined || type === undefined || sizeBytes === undefined || sizeBytes === 0)
    return undefined;
  return { level, type, sizeBytes, sharedByCpus: shared?.length ?? 1 };
}
