import type { Accelerator } from '../hardware-report.ts';
import { found, none, type Outcome } from '../outcome.ts';
import { listPciDevices } from '../pci.ts';
import { listMatching, type RootFiles, readInteger, readLine } from '../root-files.ts';

const APEX = '/sys/class/apex';
const HAILO = '/sys/class/hailo_chardev';
const USB = '/sys/bus/usb/devices';

/** The Edge TPU on PCI, and on USB before and after its firmware is loaded. */
const CORAL_PCI = '1ac1:089a';
const CORAL_USB = new Set(['1a6e:089a', '18d1:9302']);

const HAILO_PCI: Readonly<Record<string, string>> = {
  '1e60:2864': 'Hailo-8 or Hailo-8L',
  '1e60:45c4': 'Hailo-10H or Hailo-15',
};

/** Finds Coral Edge TPUs and Hailo processors, with and without their drivers. */
export async function collectAccelerators(files: RootFiles): Promise<Outcome<readonly Accelerator[]>> {
  const pciIds = (await listPciDevices(files)).map((device) => device.id);
  const all = [
    ...(await coralPci(files, pciIds)),
    ...(await coralUsb(files)),
    ...(await hailo(files, pciIds)),
  ];
  return all.length === 0 ? none : found(all);
}

async function coralPci(files: RootFiles, pciIds: readonly string[]): Promise<Accelerator[]> {
  const name = 'Coral Edge TPU (PCIe)';
  const driven: Accelerator[] = [];
  for (const apex of await listMatching(files, APEX, /^apex_\d+$/)) {
    const millidegrees = await readInteger(files, `${APEX}/${apex}/temp`);
    driven.push({
      kind: 'coral',
      name,
      bus: 'pci',
      device: await deviceNode(files, apex),
      driverVersion: await readLine(files, `${APEX}/${apex}/driver_version`),
      temperatureCelsius: millidegrees === undefined ? undefined : millidegrees / 1000,
    });
  }
  const undriven = pciIds.filter((id) => id === CORAL_PCI).length - driven.length;
  return [...driven, ...repeat(undriven, { kind: 'coral', name, bus: 'pci' } as const)];
}

async function coralUsb(files: RootFiles): Promise<Accelerator[]> {
  const devices: Accelerator[] = [];
  for (const device of await listMatching(files, USB, /^\d+-[\d.]+$/)) {
    const vendor = await readLine(files, `${USB}/${device}/idVendor`);
    const product = await readLine(files, `${USB}/${device}/idProduct`);
    if (!CORAL_USB.has(`${vendor}:${product}`)) continue;
    devices.push({ kind: 'coral', name: 'Coral USB Accelerator', bus: 'usb' });
  }
  return devices;
}

async function hailo(files: RootFiles, pciIds: readonly string[]): Promise<Accelerator[]> {
  const chips = pciIds.filter((id) => HAILO_PCI[id] !== undefined);
  const driverVersion =
    (await readLine(files, '/sys/module/hailo_pci/version')) ??
    (await readLine(files, '/sys/module/hailo1x_pci/version'));
  const nodes = await listMatching(files, HAILO, /^hailo\d+$/);
  const devices: Accelerator[] = [];
  for (let index = 0; index < Math.max(chips.length, nodes.length); index++) {
    const node = nodes[index];
    devices.push({
      kind: 'hailo',
      name: HAILO_PCI[chips[index] ?? ''] ?? 'Hailo',
      bus: 'pci',
      device: node === undefined ? undefined : await deviceNode(files, node),
      driverVersion,
    });
  }
  return devices;
}

async function deviceNode(files: RootFiles, name: string): Promise<string | undefined> {
  return (await files.exists(`/dev/${name}`)) ? `/dev/${name}` : undefined;
}

function repeat(count: number, accelerator: Accelerator): Accelerator[] {
  return Array.from({ length: Math.max(0, count) }, () => accelerator);
}
