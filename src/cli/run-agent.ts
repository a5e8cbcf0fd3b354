import { resolve } from 'node:path';
import { loadConfigInChild } from '../agent/load-config.ts';
import type { Agent } from '../agent.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { RootLog } from '../lib/log.ts';

/**
 * Runs an agent until it is told to stop (SIGTERM, SIGINT); SIGHUP reloads its configuration. Rejects where it cannot
 * start. `onReady` is called when its models have settled.
 */
export async function serve(
  configPath: string,
  options: { readonly onReady?: (agent: Agent, loaded: LoadedConfig) => void; readonly log?: RootLog } = {},
): Promise<void> {
  // The configuration is read in a child; meanwhile this process loads the agent's own modules.
  const loading = loadConfigInChild(resolve(configPath));
  loading.catch(() => {}); // Awaited below.
  const { Agent } = await import('../agent.ts');
  const loaded = await loading;
  const agent = await Agent.start(loaded, options.log ?? (await agentLog(loaded)));
  const stopped = new Promise<void>((resolve) => {
    const stop = (): void => void agent.stop().then(resolve);
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  });
  process.on('SIGHUP', () => {
    agent.reload().catch(() => {}); // Logged by the agent; the configuration before stays in effect.
  });
  if (options.onReady !== undefined) void agent.settled().then(() => options.onReady?.(agent, loaded));
  await stopped;
}

async function agentLog({ config, secrets }: LoadedConfig): Promise<RootLog> {
  const { createLog } = await import('../lib/log.ts');
  const { stdoutIsJournal } = await import('../lib/systemd.ts');
  return createLog({ ...config.log, secrets, journalPrefix: stdoutIsJournal(process.env) });
}
