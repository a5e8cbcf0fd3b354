import { armCore, armVendor, normalizedFeatures } from '../cpu-parts.ts';
import type { Cpu, CpuCluster } from '../hardware-report.ts';
import { cleanText, parseCpuList, parseFields } from '../kernel-values.ts';
import { dataOf, failed, found, none, type Outcome } from '../outcome.ts';
import { listMatching, type RootFiles, readCpuList, readInteger, readLine, readText } from '../root-files.ts';

const SYSTEM = '/sys/devices/system/cpu';

/** One block of /proc/cpuinfo. */
export interface Processor {
  readonly cpu: number;
  readonly model: string | undefined;
  readonly vendor: string | undefined;
  readonly partId: string | undefined;
  /** The kernel's names of its features. */
  readonly flags: ReadonlySet<string>;
  /** `package:core` on x86, where the kernel tells. */
  readonly core: string | undefined;
}

interface FrequencyPolicy {
  readonly cpus: readonly number[];
  readonly minMhz: number | undefined;
  readonly maxMhz: number | undefined;
  readonly limitMhz: number | undefined;
  readonly governor: string | undefined;
}

/** Reads the processor from /proc/cpuinfo, its frequencies and its topology. */
export async function collectCpu(files: RootFiles): Promise<Outcome<Cpu>> {
  const cpuinfo = await readText(files, '/proc/cpuinfo', 4 * 1024 * 1024);
  if (cpuinfo.status !== 'ok') return cpuinfo;
  const processors = parseCpuinfo(cpuinfo.data);
  if (processors.length === 0) {
    return cpuinfo.data.trim() === '' ? none : failed('/proc/cpuinfo names no processor');
  }
  const clusters = await clustersOf(files, processors);
  const fastest = clusters.reduce((best, one) => ((one.maxMhz ?? 0) > (best.maxMhz ?? 0) ? one : best));
  const status = parseFields(dataOf(await readText(files, '/proc/self/status')) ?? '', ':');
  const cores = new Set(processors.map((one) => one.core));
  return found({
    model: fastest.model,
    vendor: processors[0]?.vendor,
    architecture: await architectureOf(files, processors),
    logicalCores: processors.length,
    allowedCpus: parseCpuList(status.get('Cpus_allowed_list') ?? ''),
    physicalCores: cores.has(undefined) ? armCores(processors) : cores.size,
    clusters,
    features: normalizedFeatures(commonFlags(processors)),
  });
}

/** The processors of /proc/cpuinfo, of an Arm or an x86 kernel. */
export function parseCpuinfo(text: string): Processor[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => parseFields(block, ':'))
    .filter((fields) => /^\d{1,4}$/.test(fields.get('processor') ?? ''))
    .map((fields) => (fields.has('CPU implementer') ? armProcessor(fields) : x86Processor(fields)));
}

function armProcessor(fields: Map<string, string>): Processor {
  const implementer = (fields.get('CPU implementer') ?? '').toLowerCase();
  const partId = cleanText(`${implementer}:${(fields.get('CPU part') ?? '').toLowerCase()}`, 24);
  return {
    cpu: Number(fields.get('processor')),
    model: (partId && armCore(partId)) ?? cleanText(fields.get('model name')) ?? partId,
    vendor: armVendor(implementer),
    partId,
    flags: new Set(fields.get('Features')?.split(/\s+/)),
    core: undefined,
  };
}

function x86Processor(fields: Map<string, string>): Processor {
  const vendorId = fields.get('vendor_id') ?? '';
  const ids = [vendorId, fields.get('cpu family'), fields.get('model'), fields.get('stepping')];
  const physical = fields.get('physical id');
  const core = fields.get('core id');
  return {
    cpu: Number(fields.get('processor')),
    model: cleanText(fields.get('model name')),
    vendor: { GenuineIntel: 'Intel', AuthenticAMD: 'AMD' }[vendorId] ?? cleanText(vendorId),
    partId: vendorId === '' ? undefined : cleanText(ids.map((id) => id ?? '').join(':')),
    flags: new Set(fields.get('flags')?.split(/\s+/)),
    core: physical === undefined || core === undefined ? undefined : `${physical}:${core}`,
  };
}

/** The Arm cores that Selvage meets run one thread each. */
function armCores(processors: readonly Processor[]): number | undefined {
  return processors.every((one) => one.partId?.startsWith('0x')) ? processors.length : undefined;
}

function commonFlags(processors: readonly Processor[]): Set<string> {
  const [first, ...others] = processors.map((one) => one.flags);
  return new Set([...(first ?? [])].filter((flag) => others.every((flags) => flags.has(flag))));
}

async function architectureOf(
  files: RootFiles,
  processors: readonly Processor[],
): Promise<Cpu['architecture']> {
  const names = { aarch64: 'arm64', x86_64: 'x64', i686: 'ia32', armv7l: 'arm', riscv64: 'riscv64' } as const;
  const named = await readLine(files, '/proc/sys/kernel/arch');
  if (named !== undefined && named in names) return names[named as keyof typeof names];
  const flags = commonFlags(processors);
  if (flags.has('asimd')) return 'arm64';
  if (flags.has('lm')) return 'x64';
  if (flags.has('neon') || flags.has('vfp')) return 'arm';
  return flags.has('fpu') ? 'ia32' : undefined;
}

async function clustersOf(files: RootFiles, processors: readonly Processor[]): Promise<CpuCluster[]> {
  const policies = await readPolicies(files);
  const groups = new Map<
    string,
    { processor: Processor; policy: FrequencyPolicy | undefined; cpus: number[] }
  >();
  for (const processor of processors) {
    const policy = policies.get(processor.cpu);
    const key = [
      processor.partId,
      await readLine(files, `${SYSTEM}/cpu${processor.cpu}/topology/physical_package_id`),
      // On x86 neighbouring cores form small clusters that mean nothing here.
      processor.core === undefined ? await clusterId(files, processor.cpu) : '',
      policy?.minMhz,
      policy?.maxMhz,
      policy?.limitMhz,
      policy?.governor,
    ].join('|');
    const group = groups.get(key) ?? { processor, policy, cpus: [] };
    group.cpus.push(processor.cpu);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ processor, policy, cpus }) => ({
    model: processor.model,
    partId: processor.partId,
    cpus,
    minMhz: policy?.minMhz,
    maxMhz: policy?.maxMhz,
    limitMhz: policy?.limitMhz,
    governor: policy?.governor,
  }));
}

function clusterId(files: RootFiles, cpu: number): Promise<string | undefined> {
  return readLine(files, `${SYSTEM}/cpu${cpu}/topology/cluster_id`);
}

/** cpufreq by CPU; frequencies in its files are kHz. */
async function readPolicies(files: RootFiles): Promise<Map<number, FrequencyPolicy>> {
  const byCpu = new Map<number, FrequencyPolicy>();
  for (const name of await listMatching(files, `${SYSTEM}/cpufreq`, /^policy\d+$/)) {
    const path = `${SYSTEM}/cpufreq/${name}`;
    const maxMhz = await readMhz(files, `${path}/cpuinfo_max_freq`);
    const scalingMhz = await readMhz(files, `${path}/scaling_max_freq`);
    const policy = {
      cpus: (await readCpuList(files, `${path}/related_cpus`)) ?? [Number(name.slice('policy'.length))],
      minMhz: await readMhz(files, `${path}/cpuinfo_min_freq`),
      maxMhz,
      limitMhz: scalingMhz !== undefined && scalingMhz < (maxMhz ?? 0) ? scalingMhz : undefined,
      governor: await readLine(files, `${path}/scaling_governor`),
    };
    for (const cpu of policy.cpus) byCpu.set(cpu, policy);
  }
  return byCpu;
}

async function readMhz(files: RootFiles, path: string): Promise<number | undefined> {
  const khz = await readInteger(files, path);
  return khz === undefined || khz <= 0 ? undefined : Math.round(khz / 1000);
}
