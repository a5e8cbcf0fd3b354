import type { Gpu } from '../hardware-report.ts';
import { cleanText, parseFields, parseStringList } from '../kernel-values.ts';
import { dataOf, found, none, type Outcome } from '../outcome.ts';
import { listPciDevices, type PciDevice, readUevent } from '../pci.ts';
import { askPciGpus } from '../pci-gpu-names.ts';
import { listMatching, type RootFiles, readInteger, readText } from '../root-files.ts';

const TEGRA_GPUS: Readonly<Record<string, string>> = {
  'nvidia,tegra210': 'NVIDIA Tegra X1 (Maxwell)',
  'nvidia,tegra186': 'NVIDIA Tegra X2 (Pascal)',
  'nvidia,tegra194': 'NVIDIA Xavier (Volta)',
  'nvidia,tegra234': 'NVIDIA Orin (Ampere)',
  'nvidia,tegra264': 'NVIDIA Thor (Blackwell)',
};

/** Load in permille: by release of L4T and chip. */
const TEGRA_LOADS = [
  '/sys/devices/platform/bus@0/17000000.gpu/load',
  '/sys/devices/platform/17000000.gpu/load',
  '/sys/devices/platform/gpu.0/load',
  '/sys/devices/gpu.0/load',
];

/** Render drivers of GPUs inside a system on chip, with what to call them. */
const SOC_DRIVERS: Readonly<Record<string, readonly [vendor: string, name: string]>> = {
  v3d: ['Broadcom', 'VideoCore'],
  'vc4-drm': ['Broadcom', 'VideoCore IV'],
  panfrost: ['Arm', 'Mali'],
  panthor: ['Arm', 'Mali'],
  lima: ['Arm', 'Mali'],
  msm: ['Qualcomm', 'Adreno'],
  etnaviv: ['Vivante', 'GC'],
};

const BROADCOM_NAMES: Readonly<Record<string, string>> = {
  'brcm,2711-v3d': 'VideoCore VI',
  'brcm,2712-v3d': 'VideoCore VII',
};

/** PCI vendors whose display devices compute; the others (server management chips, virtual ones) only show. */
const PCI_VENDORS: Readonly<Record<string, string>> = { '10de': 'NVIDIA', '1002': 'AMD', '8086': 'Intel' };

/** Reads the graphics processors: that of a Jetson, those of other systems on chip, and PCI cards. */
export async function collectGpus(files: RootFiles): Promise<Outcome<readonly Gpu[]>> {
  const tegra = await tegraGpu(files);
  const gpus = [...(tegra === undefined ? await socGpus(files) : [tegra]), ...(await pciGpus(files))];
  return gpus.length === 0 ? none : found(gpus);
}

async function tegraGpu(files: RootFiles): Promise<Gpu | undefined> {
  const compatible =
    dataOf(await readText(files, '/sys/firmware/devicetree/base/compatible', 4096)) ??
    dataOf(await readText(files, '/proc/device-tree/compatible', 4096));
  const name = parseStringList(compatible ?? '')
    .map((one) => TEGRA_GPUS[one])
    .find((one) => one !== undefined);
  if (name === undefined) return undefined;
  return {
    name,
    vendor: 'NVIDIA',
    memory: 'unified',
    loadPercent: await tegraLoad(files),
    ...(await clock(files)),
  };
}

async function tegraLoad(files: RootFiles): Promise<number | undefined> {
  for (const path of TEGRA_LOADS) {
    const permille = await readInteger(files, path);
    if (permille !== undefined && permille >= 0 && permille <= 1000) return permille / 10;
  }
  return undefined;
}

/** The GPU's devfreq device, such as `17000000.ga10b` or `57000000.gpu`; its files are in Hz. */
async function clock(files: RootFiles): Promise<Pick<Gpu, 'minMhz' | 'maxMhz' | 'currentMhz'>> {
  const pattern = /^[0-9a-f]+\.(gpu|ga10b|gv11b|gp10b)$|^gpu-gpc-0$/;
  const [device] = await listMatching(files, '/sys/class/devfreq', pattern);
  if (device === undefined) return {};
  const mhz = async (name: string): Promise<number | undefined> => {
    const hz = await readInteger(files, `/sys/class/devfreq/${device}/${name}`);
    return hz === undefined || hz <= 0 ? undefined : Math.round(hz / 1e6);
  };
  return { minMhz: await mhz('min_freq'), maxMhz: await mhz('max_freq'), currentMhz: await mhz('cur_freq') };
}

async function socGpus(files: RootFiles): Promise<Gpu[]> {
  const gpus: Gpu[] = [];
  for (const card of await listMatching(files, '/sys/class/drm', /^card\d+$/)) {
    const uevent = await readUevent(files, `/sys/class/drm/${card}/device`);
    const driver = uevent.get('DRIVER') ?? '';
    const known = SOC_DRIVERS[driver];
    if (known === undefined) continue;
    const [vendor, name] = known;
    gpus.push({
      name: BROADCOM_NAMES[uevent.get('OF_COMPATIBLE_0') ?? ''] ?? name,
      vendor,
      memory: 'unified',
      driver,
    });
  }
  // Where a render driver stands beside it, vc4 is the display engine only.
  const renders = gpus.some((gpu) => gpu.driver === 'v3d');
  return gpus.filter((gpu) => !(renders && gpu.driver === 'vc4-drm'));
}

async function pciGpus(files: RootFiles): Promise<Gpu[]> {
  const devices = (await listPciDevices(files)).filter(
    (device) => device.deviceClass.startsWith('0x03') && PCI_VENDORS[vendorId(device)] !== undefined,
  );
  if (devices.length === 0) return [];
  const gpus = await Promise.all(devices.map((device) => pciGpu(files, device)));
  if (!files.live || gpus.every((gpu) => gpu.name !== unnamed(gpu))) return gpus;
  const asked = await askPciGpus();
  return gpus.map((gpu, index) => {
    const more = asked.find((one) => devices[index]?.address.endsWith(one.address));
    if (more === undefined || gpu.name !== unnamed(gpu)) return gpu;
    return { ...gpu, name: more.model, memoryBytes: gpu.memoryBytes ?? more.memoryBytes };
  });
}

async function pciGpu(files: RootFiles, device: PciDevice): Promise<Gpu> {
  const vendor = PCI_VENDORS[vendorId(device)];
  const nvidia = await readText(files, `/proc/driver/nvidia/gpus/${device.address}/information`);
  const model = cleanText(parseFields(dataOf(nvidia) ?? '', ':').get('Model'));
  const gpu = {
    vendor,
    memory: memoryKind(device),
    memoryBytes: await readInteger(files, `${device.path}/mem_info_vram_total`),
    driver: cleanText((await readUevent(files, device.path)).get('DRIVER')),
    pciId: device.id,
  };
  return { name: model ?? unnamed(gpu), ...gpu };
}

function vendorId(device: PciDevice): string {
  return device.id.slice(0, 4);
}

function unnamed(gpu: Pick<Gpu, 'vendor' | 'pciId'>): string {
  return `${gpu.vendor} GPU ${gpu.pciId}`;
}

/** Intel's integrated GPU always sits at 00:02.0; AMD's cannot be told from a card here. */
function memoryKind(device: PciDevice): Gpu['memory'] {
  if (vendorId(device) === '10de') return 'dedicated';
  if (vendorId(device) === '8086') return device.address.endsWith(':00:02.0') ? 'unified' : 'dedicated';
  return 'unknown';
}
