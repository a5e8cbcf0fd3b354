import type { Disk, Filesystem, Storage } from '../hardware-report.ts';
import { cleanText } from '../kernel-values.ts';
import { dataOf, found, none, type Outcome } from '../outcome.ts';
import { listMatching, type RootFiles, readInteger, readLine, readText } from '../root-files.ts';

const BLOCK = '/sys/block';

/** Whole disks; partitions, boot areas of eMMC, loop, RAM and mapped devices are not. */
const DISK = /^(sd[a-z]+|vd[a-z]+|xvd[a-z]+|mmcblk\d+|nvme\d+n\d+)$/;

/** The kernel counts sectors of 512 bytes whatever the device's own are. */
const SECTOR_BYTES = 512;

const MAX_FILESYSTEMS = 64;

/** Reads disks from sysfs and the file systems on them from the mount table. */
export async function collectStorage(files: RootFiles): Promise<Outcome<Storage>> {
  const disks: Disk[] = [];
  for (const name of await listMatching(files, BLOCK, DISK)) disks.push(await readDisk(files, name));
  const mounts = parseMounts(dataOf(await readText(files, '/proc/self/mounts', 1024 * 1024)) ?? '');
  const filesystems: Filesystem[] = [];
  for (const mount of mounts.slice(0, MAX_FILESYSTEMS)) {
    filesystems.push({ ...mount, ...dataOf(await files.space(mount.mountPoint)) });
  }
  return disks.length === 0 && filesystems.length === 0 ? none : found({ disks, filesystems });
}

/** The file systems of a mount table that are on a device, and the root's; of bind mounts only the first. */
export function parseMounts(text: string): Filesystem[] {
  const bySource = new Map<string, Filesystem>();
  for (const line of text.split('\n')) {
    const [source, mountPoint, type, options] = line.split(' ').map(unescapeMount);
    if (source === undefined || mountPoint === undefined || type === undefined || options === undefined)
      continue;
    const onDevice = source.startsWith('/dev/') && !source.startsWith('/dev/loop');
    if ((!onDevice && mountPoint !== '/') || bySource.has(source)) continue;
    bySource.set(source, {
      mountPoint: cleanText(mountPoint) ?? '',
      source: cleanText(source) ?? '',
      type: cleanText(type) ?? '',
      readOnly: options.split(',').includes('ro'),
    });
  }
  return [...bySource.values()];
}

/** Blanks in the mount table are octal escapes such as `\040` (getmntent(3)). */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

async function readDisk(files: RootFiles, name: string): Promise<Disk> {
  const path = `${BLOCK}/${name}`;
  const sectors = await readInteger(files, `${path}/size`);
  return {
    name,
    kind: await diskKind(files, name),
    model: (await readLine(files, `${path}/device/model`)) ?? (await readLine(files, `${path}/device/name`)),
    sizeBytes: sectors === undefined ? undefined : sectors * SECTOR_BYTES,
    removable: (await readInteger(files, `${path}/removable`)) === 1,
    lifeUsedPercent: parseLifeTime((await readLine(files, `${path}/device/life_time`)) ?? ''),
  };
}

async function diskKind(files: RootFiles, name: string): Promise<Disk['kind']> {
  if (name.startsWith('nvme')) return 'nvme';
  if (name.startsWith('vd') || name.startsWith('xvd')) return 'virtual';
  if (name.startsWith('mmcblk')) {
    const type = await readLine(files, `${BLOCK}/${name}/device/type`);
    return type === 'SD' ? 'sd-card' : type === 'MMC' ? 'emmc' : 'unknown';
  }
  const rotational = await readInteger(files, `${BLOCK}/${name}/queue/rotational`);
  return rotational === undefined ? 'unknown' : rotational === 1 ? 'hdd' : 'ssd';
}

/** eMMC `life_time` such as `0x02 0x01`: tenths of life used, of two kinds of cells; 0 means not defined (JESD84). */
export function parseLifeTime(text: string): number | undefined {
  const match = /^0x([0-9a-f]{2}) 0x([0-9a-f]{2})$/i.exec(text);
  if (match === null) return undefined;
  const tenths = Math.max(Number.parseInt(match[1] ?? '', 16), Number.parseInt(match[2] ?? '', 16));
  return tenths === 0 ? undefined : Math.min(tenths * 10, 100);
}
