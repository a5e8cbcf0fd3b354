import type { Outcome } from './outcome.ts';

/**
 * What the probe found, as plain data that survives JSON. Each part is `ok` with data, `none` (this machine does not
 * have it) or `failed` with the reason. A field that is absent is not known; it is never filled with a guess or 0.
 */
export interface HardwareReport {
  readonly board: Outcome<Board>;
  readonly cpu: Outcome<Cpu>;
  readonly caches: Outcome<readonly Cache[]>;
  readonly memory: Outcome<Memory>;
  readonly gpus: Outcome<readonly Gpu[]>;
  readonly accelerators: Outcome<readonly Accelerator[]>;
  readonly temperatures: Outcome<readonly Temperature[]>;
  readonly throttling: Outcome<Throttling>;
  readonly powerRails: Outcome<readonly PowerRail[]>;
  readonly powerMode: Outcome<PowerMode>;
  readonly storage: Outcome<Storage>;
  readonly os: Outcome<OperatingSystem>;
  /** Files that exist and could not be read, with why; the fields they feed are absent. */
  readonly unreadable: readonly Unreadable[];
}

/** A file that could not be read. */
export interface Unreadable {
  /** Path below the root. */
  readonly path: string;
  /** Name of the system error (`EAGAIN`, `EACCES`, …) or a reason in words. */
  readonly reason: string;
}

/** Which machine this is. */
export interface Board {
  /** As the machine names itself, such as `Raspberry Pi 5 Model B Rev 1.0`. */
  readonly model?: string | undefined;
  readonly vendor?: string | undefined;
  readonly family: 'raspberry-pi' | 'jetson' | 'other';
  /** System on chip from the device tree, such as `bcm2712` or `tegra234`. */
  readonly soc?: string | undefined;
  /** Device-tree `compatible`, most specific first. */
  readonly compatible: readonly string[];
  /** Board revision code of a Raspberry Pi, such as `d04170`. */
  readonly revision?: string | undefined;
  /** Release of NVIDIA's Linux for Tegra, such as `R35.3.1`. */
  readonly l4tRelease?: string | undefined;
  /**
   * Identity of this machine: 32 hex digits, HMAC-SHA256 keyed by the machine id over the serial number, so that it
   * tells cloned disk images apart and cannot be turned back into the serial number. Absent without a machine id.
   */
  readonly machineId?: string | undefined;
}

/** The processor. */
export interface Cpu {
  /** `Cortex-A76`, or the marketing name on x86; of the fastest cluster where there are several. */
  readonly model?: string | undefined;
  readonly vendor?: string | undefined;
  /** Architecture of the kernel, by Node's names. */
  readonly architecture?: 'arm' | 'arm64' | 'x64' | 'ia32' | 'riscv64' | undefined;
  /** CPUs the kernel schedules on (hardware threads that are online). */
  readonly logicalCores: number;
  /** Cores without counting hardware threads, where the kernel tells. */
  readonly physicalCores?: number | undefined;
  /** CPUs this process may run on (affinity mask), by number. */
  readonly allowedCpus?: readonly number[] | undefined;
  /** Groups of like cores, in the order of their first core. */
  readonly clusters: readonly CpuCluster[];
  /** Instruction-set extensions that inference uses and every core has, in the order of `CPU_FEATURES`. */
  readonly features: readonly CpuFeature[];
}

/** Cores of one kind that share a frequency range. */
export interface CpuCluster {
  readonly model?: string | undefined;
  /** Arm implementer and part number in hex, such as `0x41:0xd0b`; `vendor:family:model:stepping` on x86. */
  readonly partId?: string | undefined;
  /** Numbers of the logical CPUs. */
  readonly cpus: readonly number[];
  /** Range of the hardware in MHz. */
  readonly minMhz?: number | undefined;
  readonly maxMhz?: number | undefined;
  /** Upper limit set by a power mode or a person in MHz, where it is below `maxMhz`. */
  readonly limitMhz?: number | undefined;
  /** cpufreq governor, such as `schedutil`. */
  readonly governor?: string | undefined;
}

/** Normalized names of the CPU features that decide which kernels run. */
export type CpuFeature =
  | 'neon'
  | 'fp16'
  | 'dotprod'
  | 'i8mm'
  | 'bf16'
  | 'sve'
  | 'sve2'
  | 'sse4.1'
  | 'avx'
  | 'avx2'
  | 'fma'
  | 'f16c'
  | 'avxvnni'
  | 'avx512f'
  | 'avx512vnni'
  | 'avx512bf16'
  | 'amx-int8'
  | 'amx-bf16';

/** One cache of the CPU, with how many there are of it. */
export interface Cache {
  readonly level: number;
  readonly type: 'data' | 'instruction' | 'unified';
  readonly sizeBytes: number;
  readonly count: number;
  /** Logical CPUs that share one of them. */
  readonly sharedByCpus: number;
}

/** Main memory. */
export interface Memory {
  readonly totalBytes?: number | undefined;
  /** The kernel's estimate of what can be taken without swapping. */
  readonly availableBytes?: number | undefined;
  readonly swapTotalBytes?: number | undefined;
  readonly swapFreeBytes?: number | undefined;
  readonly cgroup?: CgroupLimits | undefined;
  readonly pressure?: MemoryPressure | undefined;
}

/** Tightest limits of this process's control groups; absent fields mean no limit. */
export interface CgroupLimits {
  readonly version: 1 | 2;
  readonly memoryLimitBytes?: number | undefined;
  /** Used of that limit, without file cache that can be dropped. */
  readonly memoryUsedBytes?: number | undefined;
  /** CPU time as a number of cores, such as 1.5. */
  readonly cpuQuotaCores?: number | undefined;
}

/** Pressure stall information: share of time in which tasks waited for memory, in percent. */
export interface MemoryPressure {
  /** Some tasks waited, over the last 10 s and 60 s. */
  readonly some10sPercent: number;
  readonly some60sPercent: number;
  /** All tasks waited at once, over the last 10 s and 60 s. */
  readonly full10sPercent?: number | undefined;
  readonly full60sPercent?: number | undefined;
}

/** A graphics processor. */
export interface Gpu {
  readonly name: string;
  readonly vendor?: string | undefined;
  /** `unified`: it shares main memory. */
  readonly memory: 'unified' | 'dedicated' | 'unknown';
  /** Memory of its own, in bytes. */
  readonly memoryBytes?: number | undefined;
  readonly driver?: string | undefined;
  /** PCI vendor and device such as `10de:2204`. */
  readonly pciId?: string | undefined;
  readonly loadPercent?: number | undefined;
  readonly minMhz?: number | undefined;
  readonly maxMhz?: number | undefined;
  readonly currentMhz?: number | undefined;
}

/** A neural accelerator. Selvage names it; ONNX Runtime cannot use it by itself. */
export interface Accelerator {
  readonly kind: 'coral' | 'hailo';
  readonly name: string;
  readonly bus: 'pci' | 'usb';
  /** Device node such as `/dev/apex_0`; absent where there is none, mostly for want of a driver. */
  readonly device?: string | undefined;
  readonly driverVersion?: string | undefined;
  readonly temperatureCelsius?: number | undefined;
}

/** One temperature sensor. */
export interface Temperature {
  /** Where it was read: `thermal_zone0`, or chip and input such as `hwmon2/temp1`. */
  readonly sensor: string;
  /** What it measures, as the kernel names it, such as `cpu-thermal`. */
  readonly type: string;
  readonly celsius?: number | undefined;
  /** Why there is no temperature, such as `EAGAIN` of a part that is powered down. */
  readonly unavailable?: string | undefined;
  /** Temperature at which the kernel slows the machine down. */
  readonly throttleCelsius?: number | undefined;
  /** Temperature at which the machine switches itself off. */
  readonly criticalCelsius?: number | undefined;
}

/** What holds the machine back. Absent fields: this machine does not tell. */
export interface Throttling {
  readonly now: ThrottleState;
  readonly sinceBoot: ThrottleState;
  /** Where it was read. */
  readonly sources: readonly string[];
  /** Names of what throttles now or did since boot, where the machine names it. */
  readonly causes: readonly string[];
}

/** Which of the four ways of being slow apply. */
export interface ThrottleState {
  /** The supply voltage is too low. */
  readonly underVoltage?: boolean | undefined;
  /** The CPU's frequency is capped. */
  readonly frequencyCapped?: boolean | undefined;
  /** Clocks are lowered, by heat, current or voltage. */
  readonly throttled?: boolean | undefined;
  /** The soft temperature limit of a Raspberry Pi is active. */
  readonly softTemperatureLimit?: boolean | undefined;
}

/** One supply rail that the board measures. */
export interface PowerRail {
  readonly name: string;
  /** Chip and channel such as `ina3221 hwmon1/1`. */
  readonly source: string;
  readonly millivolts?: number | undefined;
  readonly milliamperes?: number | undefined;
  readonly milliwatts?: number | undefined;
  /** Whether this rail feeds the whole board (then rails must not be added up). */
  readonly wholeBoard: boolean;
}

/** Power mode of a Jetson (nvpmodel). A higher id is not a faster mode. */
export interface PowerMode {
  readonly id: number;
  readonly name?: string | undefined;
  readonly available: readonly { readonly id: number; readonly name: string }[];
}

/** Disks and mounted file systems. */
export interface Storage {
  readonly disks: readonly Disk[];
  readonly filesystems: readonly Filesystem[];
}

/** One block device. */
export interface Disk {
  readonly name: string;
  readonly kind: 'sd-card' | 'emmc' | 'nvme' | 'ssd' | 'hdd' | 'virtual' | 'unknown';
  readonly model?: string | undefined;
  readonly sizeBytes?: number | undefined;
  readonly removable: boolean;
  /** Used-up share of an eMMC's life, upper end of the ten-percent step it reports. */
  readonly lifeUsedPercent?: number | undefined;
}

/** One mounted file system that is backed by a device. */
export interface Filesystem {
  readonly mountPoint: string;
  readonly source: string;
  readonly type: string;
  readonly readOnly: boolean;
  readonly sizeBytes?: number | undefined;
  /** What a process without privileges can still write. */
  readonly freeBytes?: number | undefined;
}

/** The software below us. */
export interface OperatingSystem {
  /** `ID` and `VERSION_ID` of os-release, such as `debian` and `12`. */
  readonly distribution?: string | undefined;
  readonly version?: string | undefined;
  readonly prettyName?: string | undefined;
  readonly kernel?: string | undefined;
  readonly libc?: { readonly name: 'glibc' | 'musl'; readonly version?: string | undefined } | undefined;
  /** Name of process 1. */
  readonly init?: string | undefined;
  /** Whether systemd runs this machine. */
  readonly systemd: boolean;
  /** Kind of container we are in, or `unknown` where only its traces show; absent outside of one. */
  readonly container?: string | undefined;
}
