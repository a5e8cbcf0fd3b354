import { createHmac } from 'node:crypto';
import type { Board } from '../hardware-report.ts';
import { cleanText, parseFields, parseStringList } from '../kernel-values.ts';
import { dataOf, found, none, type Outcome } from '../outcome.ts';
import { type RootFiles, readLine, readText } from '../root-files.ts';

/** /proc/device-tree is an absolute link to the first one, which a copied tree cannot follow. */
const DEVICE_TREES = ['/sys/firmware/devicetree/base', '/proc/device-tree'];

const DMI = '/sys/class/dmi/id';

/** Text that firmware makers leave where a name should be. */
const PLACEHOLDER =
  /^(to be filled by o\.?e\.?m\.?|default string|not (specified|applicable)|none|unknown)$/i;

/** Reads which board or machine this is, from the device tree or DMI. */
export async function collectBoard(files: RootFiles): Promise<Outcome<Board>> {
  const compatible = parseStringList((await deviceTree(files, 'compatible')) ?? '');
  const model = cleanText(await deviceTree(files, 'model')) ?? (await dmiModel(files));
  const cpuinfo = cpuinfoTail(dataOf(await readText(files, '/proc/cpuinfo', 1024 * 1024)) ?? '');
  const l4tRelease = parseL4tRelease(dataOf(await readText(files, '/etc/nv_tegra_release')) ?? '');
  const machineId = machineIdentity(
    await readLine(files, '/etc/machine-id'),
    cleanText(await deviceTree(files, 'serial-number')) ?? cpuinfo.get('Serial'),
  );
  if (model === undefined && compatible.length === 0 && l4tRelease === undefined && machineId === undefined) {
    return none;
  }
  return found({
    model: model ?? cleanText(cpuinfo.get('Model')),
    vendor: vendorOf(compatible) ?? (await dmi(files, 'sys_vendor')),
    family: familyOf(compatible, l4tRelease),
    soc: socOf(compatible),
    compatible,
    revision: /^[0-9a-f]{4,8}$/i.exec(cpuinfo.get('Revision') ?? '')?.[0],
    l4tRelease,
    machineId,
  });
}

/** `# R35 (release), REVISION: 3.1, …` of /etc/nv_tegra_release as `R35.3.1`. */
export function parseL4tRelease(text: string): string | undefined {
  const match = /^#\s*(R\d+)\s*\(release\),\s*REVISION:\s*(\d+(?:\.\d+)*)/.exec(text);
  return match === null ? undefined : `${match[1]}.${match[2]}`;
}

/**
 * A public identity from the machine id (secret by systemd's rules, unique per installation) and the serial number
 * (unique per board, too short to be hashed alone: a Raspberry Pi's has 32 unknown bits).
 */
export function machineIdentity(
  machineId: string | undefined,
  serial: string | undefined,
): string | undefined {
  if (machineId === undefined || !/^[0-9a-f]{32}$/.test(machineId)) return undefined;
  return createHmac('sha256', Buffer.from(machineId, 'hex'))
    .update(`selvage machine ${serial ?? ''}`)
    .digest('hex')
    .slice(0, 32);
}

async function deviceTree(files: RootFiles, property: string): Promise<string | undefined> {
  for (const tree of DEVICE_TREES) {
    const text = dataOf(await readText(files, `${tree}/${property}`, 4096));
    if (text !== undefined) return text;
  }
  return undefined;
}

async function dmi(files: RootFiles, name: string): Promise<string | undefined> {
  const value = await readLine(files, `${DMI}/${name}`);
  return value === undefined || PLACEHOLDER.test(value) ? undefined : value;
}

async function dmiModel(files: RootFiles): Promise<string | undefined> {
  return (await dmi(files, 'product_name')) ?? (await dmi(files, 'board_name'));
}

/** The lines after the last processor, where a Raspberry Pi tells its revision, serial number and model. */
function cpuinfoTail(text: string): Map<string, string> {
  return parseFields(text.slice(text.lastIndexOf('\n\n') + 1), ':');
}

function familyOf(compatible: readonly string[], l4tRelease: string | undefined): Board['family'] {
  if (compatible.some((name) => name.startsWith('raspberrypi,'))) return 'raspberry-pi';
  const tegra = compatible.some((name) => /^nvidia,tegra/.test(name));
  return tegra || l4tRelease !== undefined ? 'jetson' : 'other';
}

/** The most general compatible names the chip; NVIDIA adds a family (`tegra23x`) behind it. */
function socOf(compatible: readonly string[]): string | undefined {
  const chips = compatible.filter((name) => !/tegra\d+x$/.test(name)).map((name) => name.split(',')[1]);
  return chips.length > 1 ? chips.at(-1) : undefined;
}

function vendorOf(compatible: readonly string[]): string | undefined {
  const vendor = compatible[0]?.split(',')[0];
  if (vendor === undefined) return undefined;
  return { raspberrypi: 'Raspberry Pi', nvidia: 'NVIDIA' }[vendor] ?? vendor;
}
