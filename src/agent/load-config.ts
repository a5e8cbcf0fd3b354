import { deepFreeze } from '../config/freeze.ts';
import type { LoadedConfig } from '../config/load.ts';
import { runJob } from '../lib/child/job.ts';

const CONFIG_JOB = new URL('./config-job.js', import.meta.url);
const TIMEOUT_MS = 30_000;

/**
 * Loads the configuration in a child process; throws what `loadConfig` throws. The child alone gets the agent's whole
 * environment, since secrets may be there.
 */
export async function loadConfigInChild(path: string): Promise<LoadedConfig> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return deepFreeze(
    await runJob<{ path: string }, LoadedConfig>(CONFIG_JOB, { path }, { env, timeoutMs: TIMEOUT_MS }),
  );
}
