import type { OperatingSystem } from '../hardware-report.ts';
import { cleanText, parseFields } from '../kernel-values.ts';
import { dataOf, found, none, type Outcome } from '../outcome.ts';
import { listMatching, type RootFiles, readLine, readText } from '../root-files.ts';

const LIBRARY_DIRS = [
  '/lib/aarch64-linux-gnu',
  '/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu',
  '/lib64',
  '/usr/lib64',
  '/lib/arm-linux-gnueabihf',
  '/lib',
  '/usr/lib',
];

/** The C library is about 2 MB; its version text lies in the read-only data. */
const LIBC_LIMIT_BYTES = 8 * 1024 * 1024;

/** Reads distribution, kernel, C library, init system and container. */
export async function collectOperatingSystem(files: RootFiles): Promise<Outcome<OperatingSystem>> {
  const release = await osRelease(files);
  const kernel = await readLine(files, '/proc/sys/kernel/osrelease');
  const libc = await readLibc(files);
  const init = await readLine(files, '/proc/1/comm');
  if (release.size === 0 && kernel === undefined && libc === undefined && init === undefined) return none;
  return found({
    distribution: release.get('ID'),
    version: release.get('VERSION_ID'),
    prettyName: release.get('PRETTY_NAME'),
    kernel,
    libc,
    init,
    systemd: await files.exists('/run/systemd/system'),
    container: await containerKind(files),
  });
}

async function osRelease(files: RootFiles): Promise<Map<string, string>> {
  const text =
    dataOf(await readText(files, '/etc/os-release')) ??
    dataOf(await readText(files, '/usr/lib/os-release')) ??
    '';
  const values = new Map<string, string>();
  for (const [name, value] of parseFields(text, '=')) {
    const plain = cleanText(value.replace(/^(["'])(.*)\1$/, '$2'));
    if (plain !== undefined) values.set(name, plain);
  }
  return values;
}

/** The C library that programs below the root use: its file says its version in words. */
async function readLibc(files: RootFiles): Promise<OperatingSystem['libc']> {
  for (const directory of LIBRARY_DIRS) {
    const library = await files.read(`${directory}/libc.so.6`, LIBC_LIMIT_BYTES);
    if (library.status === 'ok') return { name: 'glibc', version: parseGlibcVersion(library.data) };
  }
  const [loader] = await listMatching(files, '/lib', /^ld-musl-.+\.so\.1$/);
  if (loader === undefined) return undefined;
  const library = await files.read(`/lib/${loader}`, LIBC_LIMIT_BYTES);
  return { name: 'musl', version: parseMuslVersion(dataOf(library) ?? new Uint8Array()) };
}

/** `GNU C Library (…) stable release version 2.36.` inside libc.so.6. */
export function parseGlibcVersion(library: Uint8Array): string | undefined {
  const text = Buffer.from(library.buffer, library.byteOffset, library.byteLength);
  const at = text.indexOf('GNU C Library');
  if (at < 0) return undefined;
  return /release version (\d{1,3}\.\d{1,3})/.exec(text.toString('latin1', at, at + 200))?.[1];
}

/** The lone string `1.2.5` inside musl's loader. */
function parseMuslVersion(library: Uint8Array): string | undefined {
  const text = Buffer.from(library.buffer, library.byteOffset, library.byteLength).toString('latin1');
  return /\0(1\.\d{1,2}\.\d{1,2})\0/.exec(text)?.[1];
}

async function containerKind(files: RootFiles): Promise<string | undefined> {
  const named = await readLine(files, '/run/systemd/container');
  if (named !== undefined) return named;
  if (await files.exists('/.dockerenv')) return 'docker';
  if (await files.exists('/run/.containerenv')) return 'podman';
  const cgroup = dataOf(await readText(files, '/proc/1/cgroup')) ?? '';
  return /\/(docker|kubepods|lxc|containerd|libpod)\b/.exec(cgroup)?.[1];
}
