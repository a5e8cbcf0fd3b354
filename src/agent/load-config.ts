import { deepFreeze } from '../config/freeze.ts';
import type { LoadedConfig } from '../config/load.ts';
import { runJob } from '../lib/child/job.ts';
import { configKey, type KeyedConfig } from './config-cache.ts';

const CONFIG_JOB = new URL('./config-job.js', import.meta.url);
const TIMEOUT_MS = 30_000;

/** Loads the configuration in a child process, which alone gets the agent's environment; throws as `loadConfig` does. */
export async function loadConfigInChild(path: string): Promise<KeyedConfig> {
  const key = configKey(path);
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const options = { env, timeoutMs: TIMEOUT_MS };
  const loaded = await runJob<{ path: string }, LoadedConfig>(CONFIG_JOB, { path }, options);
  return deepFreeze({ ...loaded, key: key === configKey(path) ? key : undefined });
}
