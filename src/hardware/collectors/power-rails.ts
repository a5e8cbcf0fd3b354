import type { PowerRail } from '../hardware-report.ts';
import { found, none, type Outcome } from '../outcome.ts';
import { listMatching, type RootFiles, readInteger, readLine } from '../root-files.ts';

const HWMON = '/sys/class/hwmon';
const JETPACK4 = '/sys/bus/i2c/drivers/ina3221x';

/** Rails that feed the whole board: Orin Nano and NX, and the Jetson Nano. The AGX Orin has none. */
const WHOLE_BOARD = new Set(['VDD_IN', 'POM_5V_IN']);

/** Reads the supply rails that an INA3221 measures, with the driver of JetPack 5 and later or that of JetPack 4. */
export async function collectPowerRails(files: RootFiles): Promise<Outcome<readonly PowerRail[]>> {
  const rails = [...(await hwmonRails(files)), ...(await jetpack4Rails(files))];
  return rails.length === 0 ? none : found(rails);
}

/** `inN_input` is mV, `currN_input` mA (kernel documentation: hwmon/ina3221); channels 4–7 are shunts and sums. */
async function hwmonRails(files: RootFiles): Promise<PowerRail[]> {
  const rails: PowerRail[] = [];
  for (const chip of await listMatching(files, HWMON, /^hwmon\d+$/)) {
    const path = `${HWMON}/${chip}`;
    if ((await readLine(files, `${path}/name`)) !== 'ina3221') continue;
    for (const channel of [1, 2, 3]) {
      const name = await readLine(files, `${path}/in${channel}_label`);
      if (name === undefined || name === 'NC') continue;
      const millivolts = await readInteger(files, `${path}/in${channel}_input`);
      const milliamperes = await readInteger(files, `${path}/curr${channel}_input`);
      rails.push({
        name,
        source: `ina3221 ${chip}/${channel}`,
        millivolts,
        milliamperes,
        milliwatts: milliwatts(millivolts, milliamperes),
        wholeBoard: WHOLE_BOARD.has(name),
      });
    }
  }
  return rails;
}

/** JetPack 4: `ADDRESS/iio:deviceN/rail_name_K` with mW, mV and mA in `in_powerK_input` and its like. */
async function jetpack4Rails(files: RootFiles): Promise<PowerRail[]> {
  const rails: PowerRail[] = [];
  for (const address of await listMatching(files, JETPACK4, /^\d+-[0-9a-f]{4}$/)) {
    for (const device of await listMatching(files, `${JETPACK4}/${address}`, /^iio:device\d+$/)) {
      const path = `${JETPACK4}/${address}/${device}`;
      for (const channel of [0, 1, 2]) {
        const name = await readLine(files, `${path}/rail_name_${channel}`);
        if (name === undefined) continue;
        rails.push({
          name,
          source: `ina3221x ${address}/${channel}`,
          millivolts: await readInteger(files, `${path}/in_voltage${channel}_input`),
          milliamperes: await readInteger(files, `${path}/in_current${channel}_input`),
          milliwatts: await readInteger(files, `${path}/in_power${channel}_input`),
          wholeBoard: WHOLE_BOARD.has(name),
        });
      }
    }
  }
  return rails;
}

function milliwatts(millivolts: number | undefined, milliamperes: number | undefined): number | undefined {
  if (millivolts === undefined || milliamperes === undefined) return undefined;
  return Math.round((millivolts * milliamperes) / 1000);
}
