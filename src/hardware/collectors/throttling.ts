import { execFile } from 'node:child_process';
import type { ThrottleState, Throttling } from '../hardware-report.ts';
import { parseHex } from '../kernel-values.ts';
import { dataOf, found, none, type Outcome } from '../outcome.ts';
import { listMatching, type RootFiles, readInteger, readLine, readText } from '../root-files.ts';

const PLATFORM = '/sys/devices/platform';
const THERMAL = '/sys/class/thermal';
const HWMON = '/sys/class/hwmon';
const CPUS = '/sys/devices/system/cpu';

const VCGENCMD_TIMEOUT_MS = 1000;

type Part = Omit<Throttling, 'causes'> & { readonly causes?: readonly string[] };

/**
 * Reads whether the machine is slowed down now or was since boot: the firmware word and the voltage alarm of a
 * Raspberry Pi, the alerts and over-current counters of a Jetson, the throttle counters of x86.
 */
export async function collectThrottling(files: RootFiles): Promise<Outcome<Throttling>> {
  const looks = [firmwareWord, voltageAlarm, throttleAlerts, overCurrent, x86Counters];
  const parts: Part[] = [];
  for (const look of looks) {
    const part = await look(files);
    if (part !== undefined) parts.push(part);
  }
  if (parts.length === 0) return none;
  return found({
    now: merge(parts.map((part) => part.now)),
    sinceBoot: merge(parts.map((part) => part.sinceBoot)),
    sources: parts.flatMap((part) => part.sources),
    causes: parts.flatMap((part) => part.causes ?? []),
  });
}

/**
 * The word of the Raspberry Pi's firmware: bits 0–3 now, 16–19 since boot, for under-voltage, frequency cap,
 * throttling and soft temperature limit (documentation of `vcgencmd get_throttled`). Undefined when malformed.
 */
export function parseGetThrottled(
  text: string,
): { now: ThrottleState; sinceBoot: ThrottleState } | undefined {
  const word = parseHex(text.trim().replace(/^throttled=/, ''));
  if (word === undefined) return undefined;
  const state = (shift: number): ThrottleState => ({
    underVoltage: (word & (1 << shift)) !== 0,
    frequencyCapped: (word & (2 << shift)) !== 0,
    throttled: (word & (4 << shift)) !== 0,
    softTemperatureLimit: (word & (8 << shift)) !== 0,
  });
  return { now: state(0), sinceBoot: state(16) };
}

/** `soc/soc:firmware/get_throttled`, on the Pi 5 below `soc@107c000000`; else ask the firmware's own tool. */
async function firmwareWord(files: RootFiles): Promise<Part | undefined> {
  for (const soc of await listMatching(files, PLATFORM, /^soc(@[0-9a-f]+)?$/)) {
    const path = `${PLATFORM}/${soc}/${soc}:firmware/get_throttled`;
    const word = parseGetThrottled(dataOf(await readText(files, path, 64)) ?? '');
    if (word !== undefined) return { ...word, sources: ['get_throttled'] };
  }
  if (!files.live || !(await files.exists('/dev/vcio'))) return undefined;
  const word = parseGetThrottled(await vcgencmd('get_throttled'));
  return word === undefined ? undefined : { ...word, sources: ['vcgencmd'] };
}

function vcgencmd(command: string): Promise<string> {
  return new Promise((resolve) => {
    const options = { timeout: VCGENCMD_TIMEOUT_MS, maxBuffer: 4096 };
    execFile('vcgencmd', [command], options, (error, stdout) => resolve(error === null ? stdout : ''));
  });
}

/** The Raspberry Pi's voltage monitor; its alarm covers the last two seconds. */
async function voltageAlarm(files: RootFiles): Promise<Part | undefined> {
  for (const chip of await chipsNamed(files, 'rpi_volt')) {
    const alarm = await readInteger(files, `${chip}/in0_lcrit_alarm`);
    if (alarm === undefined) continue;
    // Silence now says nothing about the time since boot.
    const sinceBoot = alarm === 1 ? { underVoltage: true } : {};
    return { now: { underVoltage: alarm === 1 }, sinceBoot, sources: ['rpi_volt'] };
  }
  return undefined;
}

/** Cooling devices that NVIDIA's kernel adds as alerts: a state above 0 means that this part is throttled. */
async function throttleAlerts(files: RootFiles): Promise<Part | undefined> {
  const causes: string[] = [];
  let seen = false;
  for (const device of await listMatching(files, THERMAL, /^cooling_device\d+$/)) {
    const type = await readLine(files, `${THERMAL}/${device}/type`);
    if (type === undefined || !/(throttle|surface)-alert$/.test(type)) continue;
    const state = await readInteger(files, `${THERMAL}/${device}/cur_state`);
    if (state === undefined) continue;
    seen = true;
    if (state > 0) causes.push(type);
  }
  if (!seen) return undefined;
  const throttled = causes.length > 0;
  return { now: { throttled }, sinceBoot: throttled ? { throttled } : {}, sources: ['alerts'], causes };
}

/** Over-current and under-voltage events of a Jetson's power supply; each one lowers the clocks for a moment. */
async function overCurrent(files: RootFiles): Promise<Part | undefined> {
  for (const chip of await chipsNamed(files, 'soctherm_oc')) {
    const causes: string[] = [];
    const counters = await listMatching(files, chip, /^oc\d+_event_cnt$/);
    for (const counter of counters) {
      const events = (await readInteger(files, `${chip}/${counter}`)) ?? 0;
      if (events > 0) causes.push(`${counter.slice(0, counter.indexOf('_'))}: ${events} events since boot`);
    }
    if (counters.length === 0) continue;
    return { now: {}, sinceBoot: { throttled: causes.length > 0 }, sources: ['soctherm_oc'], causes };
  }
  return undefined;
}

/** Times a core or package of an Intel CPU was throttled by heat since boot. */
async function x86Counters(files: RootFiles): Promise<Part | undefined> {
  const counts: number[] = [];
  for (const cpu of await listMatching(files, CPUS, /^cpu\d+$/)) {
    for (const name of ['core_throttle_count', 'package_throttle_count']) {
      const count = await readInteger(files, `${CPUS}/${cpu}/thermal_throttle/${name}`);
      if (count !== undefined) counts.push(count);
    }
  }
  if (counts.length === 0) return undefined;
  return { now: {}, sinceBoot: { throttled: Math.max(...counts) > 0 }, sources: ['thermal_throttle'] };
}

async function chipsNamed(files: RootFiles, name: string): Promise<string[]> {
  const chips: string[] = [];
  for (const chip of await listMatching(files, HWMON, /^hwmon\d+$/)) {
    if ((await readLine(files, `${HWMON}/${chip}/name`)) === name) chips.push(`${HWMON}/${chip}`);
  }
  return chips;
}

/** True if one source says so, false if one says not, absent if none tells. */
function merge(states: readonly ThrottleState[]): ThrottleState {
  const either = (key: keyof ThrottleState): boolean | undefined => {
    const known = states.map((state) => state[key]).filter((value) => value !== undefined);
    return known.length === 0 ? undefined : known.includes(true);
  };
  return {
    underVoltage: either('underVoltage'),
    frequencyCapped: either('frequencyCapped'),
    throttled: either('throttled'),
    softTemperatureLimit: either('softTemperatureLimit'),
  };
}
