import type { Cpu, HardwareReport } from '../../hardware/hardware-report.ts';
import { dataOf } from '../../hardware/outcome.ts';
import { reasonOf } from '../../lib/errors.ts';
import { type Check, failure, ok } from './check.ts';

/** Checks that ONNX Runtime loads, in a child process that may die of it. */
export const checkNativeRuntime: Check = async ({ report }) => {
  const { describeRuntime } = await import('../../runtime/describe-runtime.ts');
  try {
    const { version, providers } = await describeRuntime();
    return [ok('onnx runtime', `${version}, ${providers.join(', ')}`), ...jetsonGpu(report, providers)];
  } catch (error) {
    const reason = reasonOf(error);
    return [failure('onnx runtime', reason, adviceFor(reason, dataOf(report.cpu)))];
  }
};

/** What to do about a runtime that does not load, from the signal or the loader's words in the reason. */
export function adviceFor(reason: string, cpu: Cpu | undefined): string {
  if (/SIGILL/.test(reason)) return illegalInstruction(cpu);
  const glibc = /GLIBC(?:XX)?_[\d.]+/.exec(reason)?.[0];
  if (glibc !== undefined)
    return `Install a newer release of the system: its C or C++ library has no ${glibc}.`;
  const library = /(lib[\w+.-]+\.so[\w.]*): cannot open shared object/.exec(reason)?.[1];
  if (library === 'libstdc++.so.6') return 'Install the C++ library: `apt install libstdc++6`.';
  if (library !== undefined)
    return `Install the package that has ${library}, or reinstall Selvage for this platform.`;
  if (/cannot find (module|package)/i.test(reason)) {
    return 'Install it again with `npm ci` in the installation of Selvage, on this machine or for its architecture.';
  }
  if (/SIGKILL/.test(reason))
    return 'The kernel ended it, most likely for want of memory: free some and try again.';
  return 'Run `npm rebuild onnxruntime-node` in the installation of Selvage; the reason is in the words of the loader.';
}

function illegalInstruction(cpu: Cpu | undefined): string {
  const model = cpu?.model ?? 'this CPU';
  const wanted =
    cpu?.architecture === 'x64' ? ['avx', 'avx2', 'fma'] : ['fp16', 'dotprod', 'i8mm', 'sve', 'bf16'];
  const missing = wanted.filter((name) => !cpu?.features.some((feature) => feature === name));
  const lacks = missing.length === 0 ? '' : `, which lacks ${missing.join(', ')}`;
  return (
    `This build of ONNX Runtime uses an instruction that ${model} does not have${lacks}. ` +
    'Use a version of onnxruntime-node built for it, or a server elsewhere that speaks the Open Inference Protocol.'
  );
}

function jetsonGpu(report: HardwareReport, providers: readonly string[]) {
  const jetson = dataOf(report.board)?.family === 'jetson';
  if (!jetson || providers.some((name) => /^(cuda|tensorrt)$/i.test(name))) return [];
  return [
    ok(
      'gpu',
      'not used: onnxruntime-node is built for the CPU only on arm64; it takes a build of ONNX Runtime of your own',
    ),
  ];
}
