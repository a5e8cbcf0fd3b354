import { dataOf } from '../../hardware/outcome.ts';
import { type Check, type CheckResult, failure, ok, warning } from './check.ts';

const OLDEST_NODE = 20;

/** The C library that the prebuilt ONNX Runtime for Node was linked with. */
const OLDEST_GLIBC = [2, 28] as const;

const ARCHITECTURES = ['arm64', 'x64'];

/** Checks what the native libraries ask of the machine: Node, 64 bits, glibc. */
export const checkPlatform: Check = ({ report }) => [
  checkNode(process.versions.node),
  checkArchitecture(process.arch, dataOf(report.cpu)?.architecture),
  checkLibc(dataOf(report.os)?.libc),
];

/** Checks the version of Node, such as `20.19.0`. */
export function checkNode(version: string): CheckResult {
  const major = Number(version.split('.')[0]);
  if (major >= OLDEST_NODE) return ok('node', version);
  return failure('node', version, `Install Node ${OLDEST_NODE} or newer.`);
}

/** Checks that Node itself is a 64-bit program, whatever the kernel is. */
export function checkArchitecture(node: string, kernel: string | undefined): CheckResult {
  if (ARCHITECTURES.includes(node)) return ok('architecture', node);
  const found = `Node is built for ${node}`;
  if (kernel !== undefined && ARCHITECTURES.includes(kernel)) {
    return failure(
      'architecture',
      `${found}, the kernel is ${kernel}`,
      'Install the 64-bit edition of the system.',
    );
  }
  return failure(
    'architecture',
    found,
    'Selvage needs a 64-bit Arm or x86 machine: ONNX Runtime has no other build.',
  );
}

/** Checks the C library: ONNX Runtime needs glibc 2.28 or newer and does not load with musl. */
export function checkLibc(libc: { name: string; version?: string | undefined } | undefined): CheckResult {
  const name = 'c library';
  if (libc === undefined) return warning(name, 'not found', 'ONNX Runtime needs glibc 2.28 or newer.');
  const found = `${libc.name} ${libc.version ?? 'of unknown version'}`;
  if (libc.name !== 'glibc') {
    return failure(
      name,
      found,
      'Use a distribution with glibc, such as Debian: ONNX Runtime has no build for musl.',
    );
  }
  if (libc.version === undefined) return warning(name, found, 'ONNX Runtime needs glibc 2.28 or newer.');
  const [major = 0, minor = 0] = libc.version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_GLIBC;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return ok(name, found);
  const advice = 'Install a newer release of the system (Debian 10, Ubuntu 20.04, JetPack 5 or later).';
  return failure(name, `${found}, older than ${OLDEST_GLIBC.join('.')}`, advice);
}
