import type { MachineBudget } from '../hardware/budget.ts';
import type {
  Accelerator,
  Board,
  Cache,
  Cpu,
  CpuCluster,
  Gpu,
  HardwareReport,
  Memory,
  OperatingSystem,
  PowerRail,
  Storage,
  Temperature,
  ThrottleState,
  Throttling,
} from '../hardware/hardware-report.ts';
import { dataOf, type Outcome } from '../hardware/outcome.ts';
import type { RuntimeDescription } from '../runtime/messages.ts';
import { formatBytes } from './format-bytes.ts';

/** Everything `selvage probe` shows, and its `--json` form. */
export interface ProbeResult {
  readonly hardware: HardwareReport;
  readonly fingerprint: string;
  readonly budget: MachineBudget;
  readonly runtime: Outcome<RuntimeDescription>;
}

const LABEL_WIDTH = 14;

/** The probe for people: a group of lines per part, then what was not found, what failed, and what to know. */
export function probeText({ hardware, fingerprint, budget, runtime }: ProbeResult): string[] {
  const parts: [label: string, part: Outcome<unknown>, lines: string[]][] = [
    part('board', hardware.board, boardLines),
    part('cpu', hardware.cpu, cpuLines),
    part('caches', hardware.caches, cacheLines),
    part('memory', hardware.memory, memoryLines),
    part('gpus', hardware.gpus, (gpus) => gpus.map(gpuLine)),
    part('accelerators', hardware.accelerators, acceleratorLines),
    part('runtime', runtime, runtimeLines),
    part('temperatures', hardware.temperatures, (sensors) => sensors.map(temperatureLine)),
    part('throttling', hardware.throttling, throttlingLines),
    part('power rails', hardware.powerRails, (rails) => rails.map(railLine)),
    part('power mode', hardware.powerMode, ({ id, name, available }) => [
      join([
        name ?? `mode ${id}`,
        others(available.filter((mode) => mode.id !== id).map((mode) => mode.name)),
      ]),
    ]),
    part('storage', hardware.storage, storageLines),
    part('system', hardware.os, systemLines),
  ];
  const missing = parts.filter(([, { status }]) => status === 'none').map(([label]) => label);
  return [
    ...parts.flatMap(([label, , lines]) => group(label, lines)),
    ...group('for models', budgetLines(budget)),
    ...group('fingerprint', [fingerprint]),
    ...group('no data', missing.length === 0 ? [] : [missing.join(', ')]),
    ...group(
      'unreadable',
      hardware.unreadable.map(({ path, reason }) => `${path}: ${reason}`),
    ),
    ...group('note', notes(hardware, runtime)),
  ];
}

function part<Data>(
  label: string,
  outcome: Outcome<Data>,
  describe: (data: Data) => string[],
): [string, Outcome<Data>, string[]] {
  if (outcome.status === 'failed') return [label, outcome, [`could not be read: ${outcome.reason}`]];
  return [label, outcome, outcome.status === 'ok' ? describe(outcome.data) : []];
}

function group(label: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `${(index === 0 ? label : '').padEnd(LABEL_WIDTH)}${line}`);
}

function boardLines(board: Board): string[] {
  const details = [
    board.soc,
    board.revision && `revision ${board.revision}`,
    board.l4tRelease && `L4T ${board.l4tRelease}`,
  ];
  const lines = [join([board.model ?? 'unknown model', ...details])];
  if (board.machineId !== undefined) lines.push(`identity ${board.machineId}`);
  return lines;
}

function cpuLines(cpu: Cpu): string[] {
  const physical = cpu.physicalCores !== undefined && cpu.physicalCores !== cpu.logicalCores;
  return [
    join([
      cpu.model ?? 'unknown model',
      cpu.architecture,
      physical ? `${cpu.physicalCores} cores with ${cpu.logicalCores} threads` : `${cpu.logicalCores} cores`,
    ]),
    ...cpu.clusters.map((cluster) => clusterLine(cluster, cpu.clusters.length > 1)),
    `features: ${cpu.features.join(' ') || 'none of those that matter'}`,
  ].filter((line) => line !== '');
}

function clusterLine(cluster: CpuCluster, several: boolean): string {
  const { minMhz, maxMhz, limitMhz, governor, cpus } = cluster;
  return join([
    several ? `cpus ${ranges(cpus)}${cluster.model === undefined ? '' : ` ${cluster.model}`}` : undefined,
    maxMhz === undefined ? undefined : `${minMhz ?? '?'}–${maxMhz} MHz`,
    limitMhz === undefined ? undefined : `limited to ${limitMhz} MHz`,
    governor && `governor ${governor}`,
  ]);
}

/** `0-3,8` for 0, 1, 2, 3, 8. */
function ranges(numbers: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === number - 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

function cacheLines(caches: readonly Cache[]): string[] {
  const suffix = { data: 'd', instruction: 'i', unified: '' };
  const times = (count: number): string => (count === 1 ? '' : `${count} × `);
  return [
    caches
      .map((one) => `L${one.level}${suffix[one.type]} ${times(one.count)}${formatBytes(one.sizeBytes)}`)
      .join(', '),
  ];
}

function memoryLines(memory: Memory): string[] {
  const { cgroup, pressure } = memory;
  const lines = [
    join([
      memory.totalBytes === undefined ? 'unknown size' : formatBytes(memory.totalBytes),
      memory.availableBytes === undefined ? undefined : `${formatBytes(memory.availableBytes)} available`,
      memory.swapTotalBytes === undefined ? undefined : swap(memory.swapTotalBytes, memory.swapFreeBytes),
    ]),
  ];
  const limits = [
    cgroup?.memoryLimitBytes && `${formatBytes(cgroup.memoryLimitBytes)} of memory`,
    cgroup?.memoryUsedBytes && `${formatBytes(cgroup.memoryUsedBytes)} used`,
    cgroup?.cpuQuotaCores && `${cgroup.cpuQuotaCores} cores`,
  ].filter((limit) => limit);
  if (limits.length > 0) lines.push(`control group (v${cgroup?.version}) limits: ${limits.join(', ')}`);
  if (pressure !== undefined) {
    lines.push(
      `tasks waited for memory ${pressure.some10sPercent} % of 10 s, ${pressure.some60sPercent} % of 60 s`,
    );
  }
  return lines;
}

function swap(totalBytes: number, freeBytes: number | undefined): string {
  if (totalBytes === 0) return 'no swap';
  return `swap ${formatBytes(totalBytes)}${freeBytes === undefined ? '' : ` (${formatBytes(totalBytes - freeBytes)} used)`}`;
}

function gpuLine(gpu: Gpu): string {
  return join([
    gpu.name,
    gpu.memory === 'unified' ? 'shares main memory' : gpu.memoryBytes && formatBytes(gpu.memoryBytes),
    gpu.maxMhz === undefined ? undefined : `${gpu.minMhz ?? '?'}–${gpu.maxMhz} MHz`,
    gpu.loadPercent === undefined ? undefined : `load ${gpu.loadPercent} %`,
    gpu.driver && `driver ${gpu.driver}`,
  ]);
}

function acceleratorLines(accelerators: readonly Accelerator[]): string[] {
  return accelerators.map(({ name, bus, device, driverVersion, temperatureCelsius }) =>
    join([
      name,
      device ??
        (bus === 'pci' ? 'no device node: the driver is missing, or this process may not see it' : undefined),
      driverVersion && `driver ${driverVersion}`,
      temperatureCelsius === undefined ? undefined : `${temperatureCelsius} °C`,
    ]),
  );
}

function runtimeLines({ version, providers }: RuntimeDescription): string[] {
  return [`ONNX Runtime ${version}, execution providers: ${providers.join(', ')}`];
}

function temperatureLine(sensor: Temperature): string {
  const { type, celsius, unavailable, throttleCelsius, criticalCelsius } = sensor;
  return join([
    `${type} ${celsius === undefined ? `unavailable (${unavailable ?? 'no data'})` : `${celsius.toFixed(1)} °C`}`,
    throttleCelsius === undefined ? undefined : `throttles at ${throttleCelsius}`,
    criticalCelsius === undefined ? undefined : `critical at ${criticalCelsius}`,
  ]);
}

function throttlingLines({ now, sinceBoot, causes }: Throttling): string[] {
  return [`now: ${stateText(now)}`, `since boot: ${stateText(sinceBoot)}`, ...causes];
}

function stateText(state: ThrottleState): string {
  const words = {
    underVoltage: 'under-voltage',
    frequencyCapped: 'frequency cap',
    throttled: 'throttling',
    softTemperatureLimit: 'soft temperature limit',
  } as const;
  const known = Object.entries(words).filter(([key]) => state[key as keyof ThrottleState] !== undefined);
  if (known.length === 0) return 'not known';
  const active = known.filter(([key]) => state[key as keyof ThrottleState] === true);
  if (active.length > 0) return active.map(([, word]) => word).join(', ');
  return known.length === 4 ? 'nothing' : `no ${known.map(([, word]) => word).join(', no ')}`;
}

function railLine({ name, millivolts, milliamperes, milliwatts, wholeBoard }: PowerRail): string {
  return join([
    `${name}${wholeBoard ? ' (whole board)' : ''}`,
    milliwatts === undefined ? undefined : `${milliwatts} mW`,
    millivolts === undefined ? undefined : `${millivolts} mV`,
    milliamperes === undefined ? undefined : `${milliamperes} mA`,
  ]);
}

function storageLines({ disks, filesystems }: Storage): string[] {
  return [
    ...disks.map((disk) =>
      join([
        `${disk.name} ${disk.kind}`,
        disk.model,
        disk.sizeBytes === undefined ? undefined : formatBytes(disk.sizeBytes),
        disk.lifeUsedPercent === undefined ? undefined : `up to ${disk.lifeUsedPercent} % of its life used`,
      ]),
    ),
    ...filesystems.map((mount) =>
      join([
        `${mount.mountPoint} ${mount.type} on ${mount.source}`,
        mount.readOnly ? 'read-only' : undefined,
        mount.freeBytes === undefined || mount.sizeBytes === undefined
          ? undefined
          : `${formatBytes(mount.freeBytes)} free of ${formatBytes(mount.sizeBytes)}`,
      ]),
    ),
  ];
}

function systemLines(os: OperatingSystem): string[] {
  return [
    join([
      os.prettyName ?? os.distribution ?? 'unknown distribution',
      os.kernel && `Linux ${os.kernel}`,
      os.libc && `${os.libc.name} ${os.libc.version ?? 'of unknown version'}`,
      os.systemd ? 'systemd' : os.init && `init ${os.init}`,
      os.container && `container: ${os.container}`,
    ]),
  ];
}

function budgetLines(budget: MachineBudget): string[] {
  return [
    budget.memoryBytes === undefined
      ? budget.memoryReason
      : `${formatBytes(budget.memoryBytes)} (${budget.memoryReason})`,
    `${budget.cores} ${budget.cores === 1 ? 'core' : 'cores'} (${budget.coresReason})`,
  ];
}

function notes(hardware: HardwareReport, runtime: Outcome<RuntimeDescription>): string[] {
  const lines: string[] = [];
  const providers = dataOf(runtime)?.providers ?? [];
  if (
    dataOf(hardware.board)?.family === 'jetson' &&
    !providers.some((name) => /^(cuda|tensorrt)$/i.test(name))
  ) {
    lines.push(
      'The GPU is not used: onnxruntime-node is built for the CPU only on arm64.',
      'It takes a build of ONNX Runtime of your own, or a server that has one and speaks the Open Inference Protocol.',
    );
  }
  if ((dataOf(hardware.accelerators) ?? []).length > 0) {
    lines.push('ONNX Runtime does not use the accelerators listed above.');
  }
  return lines;
}

function others(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `others: ${names.join(' ')}`;
}

function join(items: readonly (string | number | undefined)[]): string {
  return items.filter((item) => typeof item === 'string' && item !== '').join(', ');
}
