import { parseFields } from './kernel-values.ts';
import { dataOf } from './outcome.ts';
import { listMatching, type RootFiles, readLine, readText } from './root-files.ts';

/** One PCI device as sysfs shows it. */
export interface PciDevice {
  /** Such as `0000:01:00.0`. */
  readonly address: string;
  /** Directory in sysfs. */
  readonly path: string;
  /** Vendor and device such as `10de:25b6`. */
  readonly id: string;
  /** Class, subclass and interface such as `0x030200`. */
  readonly deviceClass: string;
}

const DEVICES = '/sys/bus/pci/devices';

/** The PCI devices, in the order of their addresses. */
export async function listPciDevices(files: RootFiles): Promise<PciDevice[]> {
  const devices: PciDevice[] = [];
  for (const address of await listMatching(
    files,
    DEVICES,
    /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/,
  )) {
    const path = `${DEVICES}/${address}`;
    const vendor = /^0x([0-9a-f]{4})$/.exec((await readLine(files, `${path}/vendor`)) ?? '')?.[1];
    const device = /^0x([0-9a-f]{4})$/.exec((await readLine(files, `${path}/device`)) ?? '')?.[1];
    const deviceClass = await readLine(files, `${path}/class`);
    if (vendor === undefined || device === undefined || deviceClass === undefined) continue;
    devices.push({ address, path, id: `${vendor}:${device}`, deviceClass });
  }
  return devices;
}

/** A device's `uevent` file as name → value. */
export async function readUevent(files: RootFiles, device: string): Promise<Map<string, string>> {
  return parseFields(dataOf(await readText(files, `${device}/uevent`)) ?? '', '=');
}
