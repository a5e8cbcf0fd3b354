import type { CpuFeature } from './hardware-report.ts';

/** Arm implementers by the number of /proc/cpuinfo (the MIDR register), as util-linux's lscpu names them. */
const IMPLEMENTERS: Readonly<Record<string, string>> = {
  '0x41': 'Arm',
  '0x42': 'Broadcom',
  '0x43': 'Cavium',
  '0x46': 'Fujitsu',
  '0x48': 'HiSilicon',
  '0x4e': 'NVIDIA',
  '0x51': 'Qualcomm',
  '0x53': 'Samsung',
  '0x61': 'Apple',
  '0xc0': 'Ampere',
};

/** Cores by implementer and part: those of boards and servers that Selvage may meet. */
const PARTS: Readonly<Record<string, string>> = {
  '0x41:0xb76': 'ARM1176',
  '0x41:0xc07': 'Cortex-A7',
  '0x41:0xc09': 'Cortex-A9',
  '0x41:0xc0f': 'Cortex-A15',
  '0x41:0xd03': 'Cortex-A53',
  '0x41:0xd04': 'Cortex-A35',
  '0x41:0xd05': 'Cortex-A55',
  '0x41:0xd07': 'Cortex-A57',
  '0x41:0xd08': 'Cortex-A72',
  '0x41:0xd09': 'Cortex-A73',
  '0x41:0xd0a': 'Cortex-A75',
  '0x41:0xd0b': 'Cortex-A76',
  '0x41:0xd0c': 'Neoverse-N1',
  '0x41:0xd0d': 'Cortex-A77',
  '0x41:0xd0e': 'Cortex-A76AE',
  '0x41:0xd40': 'Neoverse-V1',
  '0x41:0xd41': 'Cortex-A78',
  '0x41:0xd42': 'Cortex-A78AE',
  '0x41:0xd44': 'Cortex-X1',
  '0x41:0xd46': 'Cortex-A510',
  '0x41:0xd47': 'Cortex-A710',
  '0x41:0xd49': 'Neoverse-N2',
  '0x41:0xd4b': 'Cortex-A78C',
  '0x41:0xd4d': 'Cortex-A715',
  '0x41:0xd4f': 'Neoverse-V2',
  '0x41:0xd80': 'Cortex-A520',
  '0x41:0xd81': 'Cortex-A720',
  '0x41:0xd83': 'Neoverse-V3AE',
  '0x4e:0x003': 'Denver 2',
  '0x4e:0x004': 'Carmel',
  '0xc0:0xac3': 'Ampere-1',
};

/** Name of an Arm implementer such as `0x41`; undefined for an unknown one. */
export function armVendor(implementer: string): string | undefined {
  return IMPLEMENTERS[implementer];
}

/** Name of an Arm core by `implementer:part` such as `0x41:0xd0b`; undefined for an unknown one. */
export function armCore(partId: string): string | undefined {
  return PARTS[partId];
}

/** Every feature with the names the kernel gives it in /proc/cpuinfo (Arm `Features`, x86 `flags`). */
const CPU_FEATURES: ReadonlyArray<readonly [feature: CpuFeature, ...kernelNames: string[]]> = [
  ['neon', 'asimd', 'neon'],
  ['fp16', 'asimdhp'],
  ['dotprod', 'asimddp'],
  ['i8mm', 'i8mm'],
  ['bf16', 'bf16'],
  ['sve', 'sve'],
  ['sve2', 'sve2'],
  ['sse4.1', 'sse4_1'],
  ['avx', 'avx'],
  ['avx2', 'avx2'],
  ['fma', 'fma'],
  ['f16c', 'f16c'],
  ['avxvnni', 'avx_vnni'],
  ['avx512f', 'avx512f'],
  ['avx512vnni', 'avx512_vnni'],
  ['avx512bf16', 'avx512_bf16'],
  ['amx-int8', 'amx_int8'],
  ['amx-bf16', 'amx_bf16'],
];

/** The features among the kernel's names, in the order of the table. */
export function normalizedFeatures(kernelNames: ReadonlySet<string>): CpuFeature[] {
  return CPU_FEATURES.filter(([, ...names]) => names.some((name) => kernelNames.has(name))).map(
    ([feature]) => feature,
  );
}
