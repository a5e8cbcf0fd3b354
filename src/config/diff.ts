import type { Config } from './schema.ts';

/** What differs between two configurations, for a reload. Names and paths are in order of the alphabet. */
export interface ConfigDiff {
  /** Models only the new configuration has. */
  readonly added: string[];
  /** Models whose settings differ. */
  readonly changed: string[];
  /** Models only the old configuration has. */
  readonly removed: string[];
  /** Models with the same settings; whether their files are the same is not looked at. */
  readonly unchanged: string[];
  /** Other settings that differ and can take effect at once, as dotted paths. */
  readonly live: string[];
  /** Other settings that differ and take effect at the next start only, as dotted paths. */
  readonly needRestart: string[];
}

/** Settings, with all below them, that can change while the agent runs; every other needs a restart. */
const LIVE: readonly string[] = ['log', 'media', 'requestLog', 'schedule', 'server.drainTimeoutMs'];

/** Compares two loaded configurations. */
export function diffConfig(before: Config, after: Config): ConfigDiff {
  const names = [...new Set([...Object.keys(before.models), ...Object.keys(after.models)])].sort();
  const modelOf = (config: Config, name: string): unknown =>
    Object.hasOwn(config.models, name) ? config.models[name] : undefined;
  const stateOf = (name: string): 'added' | 'changed' | 'removed' | 'unchanged' => {
    const [old, now] = [modelOf(before, name), modelOf(after, name)];
    if (old === undefined) return 'added';
    if (now === undefined) return 'removed';
    return isEqual(old, now) ? 'unchanged' : 'changed';
  };
  const settings = differences({ ...before, models: undefined }, { ...after, models: undefined }).sort();
  return {
    added: names.filter((name) => stateOf(name) === 'added'),
    changed: names.filter((name) => stateOf(name) === 'changed'),
    removed: names.filter((name) => stateOf(name) === 'removed'),
    unchanged: names.filter((name) => stateOf(name) === 'unchanged'),
    live: settings.filter(isLive),
    needRestart: settings.filter((setting) => !isLive(setting)),
  };
}

function isLive(setting: string): boolean {
  return LIVE.some((path) => setting === path || setting.startsWith(`${path}.`));
}

/** Paths at which two values differ, down to the first that is not a map on both sides. */
function differences(before: unknown, after: unknown, path: readonly string[] = []): string[] {
  if (isMap(before) && isMap(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => differences(before[key], after[key], [...path, key]));
  }
  return isEqual(before, after) ? [] : [path.join('.')];
}

/** Equality of plain data; the order of keys does not matter, and a missing key equals `undefined`. */
function isEqual(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isEqual(item, b[index]));
  }
  if (isMap(a) && isMap(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...keys].every((key) => isEqual(a[key], b[key]));
  }
  return a === b;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
