import type { Temperature } from '../hardware-report.ts';
import { parseInteger } from '../kernel-values.ts';
import { found, none, type Outcome } from '../outcome.ts';
import { listMatching, type RootFiles, readLine, readText } from '../root-files.ts';

const THERMAL = '/sys/class/thermal';
const HWMON = '/sys/class/hwmon';

/** Chips whose temperatures no thermal zone shows: CPUs of PCs, and disks. */
const HWMON_CHIPS = new Set(['coretemp', 'k10temp', 'nvme', 'drivetemp']);

/** What a sensor on an edge computer can read; beyond it the number is not a temperature. */
const PLAUSIBLE_CELSIUS = { min: -60, max: 200 };

type Reading = Pick<Temperature, 'celsius' | 'unavailable'>;

/** Reads every thermal zone, and the CPU and disk sensors of PCs. A part that is powered down has no temperature. */
export async function collectTemperatures(files: RootFiles): Promise<Outcome<readonly Temperature[]>> {
  const sensors: Temperature[] = [];
  for (const zone of await listMatching(files, THERMAL, /^thermal_zone\d+$/)) {
    sensors.push(await readZone(files, zone));
  }
  for (const chip of await listMatching(files, HWMON, /^hwmon\d+$/)) {
    sensors.push(...(await readChip(files, chip)));
  }
  return sensors.length === 0 ? none : found(sensors);
}

async function readZone(files: RootFiles, zone: string): Promise<Temperature> {
  const path = `${THERMAL}/${zone}`;
  const type = (await readLine(files, `${path}/type`)) ?? 'unknown';
  const reading = await readCelsius(files, `${path}/temp`);
  // The PMIC driver of Tegra X1 and X2 has no sensor and always says 100 °C.
  const constant = type === 'PMIC-Die' && reading.celsius === 100;
  return {
    sensor: zone,
    type,
    ...(constant ? { unavailable: 'the driver always reports 100 °C' } : reading),
    ...(await readTrips(files, path)),
  };
}

async function readTrips(
  files: RootFiles,
  path: string,
): Promise<Pick<Temperature, 'throttleCelsius' | 'criticalCelsius'>> {
  const trips: { type: string | undefined; celsius: number }[] = [];
  for (const name of await listMatching(files, path, /^trip_point_\d+_type$/)) {
    const { celsius } = await readCelsius(files, `${path}/${name.replace(/type$/, 'temp')}`);
    if (celsius !== undefined && celsius > 0)
      trips.push({ type: await readLine(files, `${path}/${name}`), celsius });
  }
  const lowest = (type: string): number | undefined => {
    const all = trips.filter((trip) => trip.type === type).map((trip) => trip.celsius);
    return all.length === 0 ? undefined : Math.min(...all);
  };
  return { throttleCelsius: lowest('passive') ?? lowest('hot'), criticalCelsius: lowest('critical') };
}

async function readChip(files: RootFiles, chip: string): Promise<Temperature[]> {
  const path = `${HWMON}/${chip}`;
  const name = await readLine(files, `${path}/name`);
  if (name === undefined || !HWMON_CHIPS.has(name)) return [];
  const sensors: Temperature[] = [];
  for (const input of await listMatching(files, path, /^temp\d+_input$/)) {
    const sensor = input.slice(0, -'_input'.length);
    const label = await readLine(files, `${path}/${sensor}_label`);
    // One sensor per core says little more than the package does.
    if (label?.startsWith('Core ')) continue;
    sensors.push({
      sensor: `${chip}/${sensor}`,
      type: label === undefined ? name : `${name} ${label}`,
      ...(await readCelsius(files, `${path}/${input}`)),
      criticalCelsius: (await readCelsius(files, `${path}/${sensor}_crit`)).celsius,
    });
  }
  return sensors;
}

/** Millidegrees; a read that fails (EAGAIN of a power-gated part) is unavailable and never 0. */
async function readCelsius(files: RootFiles, path: string): Promise<Reading> {
  const text = await readText(files, path, 64);
  if (text.status === 'failed') return { unavailable: text.reason };
  if (text.status === 'none') return { unavailable: 'no data' };
  const millidegrees = parseInteger(text.data);
  if (millidegrees === undefined) return { unavailable: 'not a number' };
  const celsius = millidegrees / 1000;
  const plausible = celsius >= PLAUSIBLE_CELSIUS.min && celsius <= PLAUSIBLE_CELSIUS.max;
  return plausible ? { celsius } : { unavailable: `${celsius} °C is not plausible` };
}
