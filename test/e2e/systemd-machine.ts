import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/lib/paths.ts';

/** Where the package lies in the machine. */
export const INSTALLED = '/usr/lib/selvage';

/** What a command in the machine did. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const SIGRTMIN_PLUS_4 = 38;
const PACKAGES = 'systemd,systemd-sysv,dbus,libstdc++6';

/** Why no machine can be started here, or undefined. */
export function whyNoSystemd(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root (namespaces, mounts, cgroups)';
  for (const program of ['unshare', 'nsenter', 'bash']) {
    if (spawnSync(program, ['--version']).status !== 0) return `needs ${program}`;
  }
  if (cgroup2Mount() === undefined) return 'needs a cgroup2 mount';
  if (spawnSync('unshare', ['--mount', '--pid', '--fork', '--cgroup', 'true']).status !== 0) {
    return 'may not make namespaces here';
  }
  if (!existsSync(rootDirectory()) && spawnSync('mmdebstrap', ['--version']).status !== 0) {
    return 'needs mmdebstrap to make a root (apt install mmdebstrap)';
  }
  return undefined;
}

/**
 * systemd as PID 1 of its own namespaces over a throw-away copy of a Debian root, with this checkout's build
 * installed read-only in `INSTALLED`. Everything it changes is gone with it.
 */
export class SystemdMachine {
  /** PID 1 of the machine, as this system numbers it. */
  readonly pid: number;
  readonly #outer: ChildProcess;
  readonly #cgroup: string;
  readonly #directory: string;

  private constructor(pid: number, outer: ChildProcess, cgroup: string, directory: string) {
    this.pid = pid;
    this.#outer = outer;
    this.#cgroup = cgroup;
    this.#directory = directory;
  }

  /** Starts a machine and resolves when its system is up; makes the root first where there is none (20 s). */
  static async start(): Promise<SystemdMachine> {
    makeRoot();
    const directory = mkdtempSync(join(tmpdir(), 'selvage-systemd-'));
    const cgroup = join(cgroup2Mount() ?? '', basename(directory));
    mkdirSync(cgroup);
    const outer = spawn('bash', ['-c', BOOT], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        CGROUP: cgroup,
        DIRECTORY: directory,
        LOWER: rootDirectory(),
        NODE: realpathSync(process.execPath),
        PACKAGE: packageRoot,
        MODULES: realpathSync(join(packageRoot, 'node_modules')),
        INSTALLED,
      },
    });
    process.once('exit', () => outer.kill('SIGKILL'));
    let errors = '';
    outer.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
    try {
      const machine = new SystemdMachine(await innerPid(outer), outer, cgroup, directory);
      await machine.#waitUntilUp();
      return machine;
    } catch (thrown) {
      outer.kill('SIGKILL');
      await removeCgroup(cgroup);
      rmSync(directory, { recursive: true });
      throw new Error(`the machine did not start: ${errors}`, { cause: thrown });
    }
  }

  /** Runs a command in the machine as root. */
  exec(...command: string[]): Promise<Outcome> {
    const inside = ['-t', `${this.pid}`, '-m', '-u', '-i', '-n', '-p', '-C', '-r', '-w', '--', ...command];
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };
    return new Promise((resolve) => {
      execFile('nsenter', inside, { env, timeout: 60_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** Runs a command in the machine and throws where it fails. */
  async run(...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.exec(...command);
    if (code !== 0) throw new Error(`${command.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stdout.trim();
  }

  /** A property of a unit, as `systemctl show` gives it. */
  property(unit: string, name: string): Promise<string> {
    return this.run('systemctl', 'show', '--value', '--property', name, unit);
  }

  /** A path of the machine as this system reaches it. */
  path(inside: string): string {
    return join('/proc', `${this.pid}`, 'root', inside);
  }

  /** Ends the machine and removes what it left here. */
  async stop(): Promise<void> {
    const ended = once(this.#outer, 'exit');
    process.kill(this.pid, SIGRTMIN_PLUS_4);
    const timeout = setTimeout(() => this.#outer.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timeout);
    await removeCgroup(this.#cgroup);
    rmSync(this.#directory, { recursive: true });
  }

  async #waitUntilUp(): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt += 1) {
      const { stdout } = await this.exec('systemctl', 'is-system-running');
      if (/^(running|degraded)/.test(stdout)) return;
      await sleep(100);
    }
    throw new Error('systemd did not come up within 30 s');
  }
}

/** Puts itself into a cgroup of its own, then becomes systemd in fresh namespaces. */
const BOOT = `
set -eu
echo $$ > "$CGROUP/cgroup.procs"
exec unshare --mount --propagation private --uts --ipc --net --cgroup --pid --fork --kill-child=SIGKILL bash -euc '
mount -t tmpfs tmpfs "$DIRECTORY"
cd "$DIRECTORY"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=upper,workdir=work" root
cd root
mount -t proc proc proc -o nosuid,nodev,noexec
# The settings of the kernel are not for the machine to change.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys -o ro,nosuid,nodev,noexec
mount -t cgroup2 cgroup2 sys/fs/cgroup -o nosuid,nodev,noexec
mount -t tmpfs tmpfs dev -o mode=755,nosuid
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666,mode=620
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -s /proc/self/fd/\${n%:*} dev/\${n#*:}; done
mount -t tmpfs tmpfs run -o mode=755,nosuid,nodev
mount -t tmpfs tmpfs tmp -o mode=1777
touch usr/bin/node
mount --bind -o ro "$NODE" usr/bin/node
for part in bin dist config examples systemd; do
  if [ -d "$PACKAGE/$part" ]; then mkdir -p ".$INSTALLED/$part"; mount --bind -o ro "$PACKAGE/$part" ".$INSTALLED/$part"; fi
done
mkdir -p ".$INSTALLED/node_modules"
mount --bind -o ro "$MODULES" ".$INSTALLED/node_modules"
cp "$PACKAGE/package.json" ".$INSTALLED/"
for unit in console-getty systemd-udevd systemd-logind systemd-resolved systemd-timesyncd; do
  ln -sf /dev/null etc/systemd/system/$unit.service
done
: > etc/machine-id
hostname selvage-test
ip link set lo up 2>/dev/null || true
mkdir -p mnt/old
pivot_root . mnt/old
cd /
umount -l /mnt/old
# Or credentials come out empty.
mount --make-rshared /
exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --system --log-target=journal systemd.unit=multi-user.target systemd.show_status=0
'`;

/** The child of `unshare`, once it is systemd. */
async function innerPid(outer: ChildProcess): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (outer.exitCode !== null) throw new Error(`exit code ${outer.exitCode}`);
    try {
      const pid = Number(readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8').trim());
      if (pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'systemd') return pid;
    } catch {
      // Not there yet.
    }
    await sleep(50);
  }
  throw new Error('systemd did not start within 10 s');
}

async function removeCgroup(cgroup: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    try {
      const below = readdirSync(cgroup, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isDirectory(),
      );
      const paths = below.map((entry) => join(entry.parentPath, entry.name));
      for (const path of [...paths.sort((one, other) => other.length - one.length), cgroup]) rmdirSync(path);
      return;
    } catch {
      // The last processes are still ending.
      await sleep(50);
    }
  }
}

/** Makes the Debian root once; it is kept in the cache of the user. */
function makeRoot(): void {
  const root = rootDirectory();
  if (existsSync(root)) return;
  const partial = `${root}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  const excluded = ['doc', 'locale', 'man'].map((part) => `--dpkgopt=path-exclude=/usr/share/${part}/*`);
  const arguments_ = ['--quiet', '--mode=root', '--variant=minbase', `--include=${PACKAGES}`, ...excluded];
  const made = spawnSync('mmdebstrap', [...arguments_, suite(), partial], { encoding: 'utf8' });
  if (made.status !== 0) {
    rmSync(partial, { recursive: true });
    throw new Error(`mmdebstrap failed: ${made.stderr}`);
  }
  renameSync(partial, root);
}

function rootDirectory(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'selvage-test', `systemd-${suite()}-1`);
}

/** The Debian release of this machine, whose C library the native modules were built for; else the oldest supported. */
function suite(): string {
  const release = readFileSync('/etc/os-release', 'utf8');
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  return /^ID=debian$/m.test(release) && codename !== undefined ? codename : 'bookworm';
}

function cgroup2Mount(): string | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts.map((line) => line.split(' ')).find((fields) => fields[2] === 'cgroup2')?.[1];
}
