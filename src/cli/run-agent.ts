import { resolve } from 'node:path';
import type { KeyedConfig } from '../agent/config-cache.ts';
import { readCachedConfig } from '../agent/config-cache.ts';
import { loadConfigInChild } from '../agent/load-config.ts';
import type { Agent } from '../agent.ts';
import type { RootLog } from '../lib/log.ts';
import { SpareRunners } from '../runtime/spare-runners.ts';

/** Runs an agent on a configuration file, as `selvage serve` does. Rejects where it cannot start. */
export async function serve(configPath: string): Promise<void> {
  const path = resolve(configPath);
  const kept = readCachedConfig(path);
  const models = Object.values(kept?.config.models ?? {});
  const runners = new SpareRunners(models.filter(({ load }) => load).length);
  // A configuration that is new is read in a child; meanwhile this process loads the agent's own modules.
  const loading = Promise.resolve(kept ?? loadConfigInChild(path));
  loading.catch(() => {}); // Awaited below.
  const [{ createLog }, { stdoutIsJournal }] = await Promise.all([
    import('../lib/log.ts'),
    import('../lib/systemd.ts'),
    import('../agent.ts'),
  ]);
  const loaded = await loading;
  const { config, secrets } = loaded;
  const log = createLog({ ...config.log, secrets, journalPrefix: stdoutIsJournal(process.env) });
  await runAgent(loaded, log, { runners });
}

/** What goes with a run of the agent. */
export interface RunOptions {
  /** Runners that were started in advance; those that are not taken are ended. */
  readonly runners?: SpareRunners;
  /** Called when the models serve or are known not to. */
  readonly onSettled?: (agent: Agent) => Promise<void>;
}

/** Runs an agent until it stops: by itself or told to by SIGTERM or SIGINT; SIGHUP reloads its configuration. */
export async function runAgent(
  loaded: KeyedConfig,
  log: RootLog,
  { runners = new SpareRunners(0), onSettled = async () => {} }: RunOptions,
): Promise<void> {
  const { Agent } = await import('../agent.ts');
  const starting = Agent.start(loaded, log, runners).catch((error: unknown) => {
    runners.close();
    throw error;
  });
  // From now on a signal must not end the process as it would by default: it waits for the end of the start.
  const whenStarted = (command: (agent: Agent) => Promise<unknown>): void => {
    starting.then(command).catch(() => {}); // A failed start ends the process; a failed reload is in the log.
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => whenStarted((agent) => agent.stop()));
  }
  process.on('SIGHUP', () => whenStarted((agent) => agent.reload()));
  const agent = await starting;
  await agent.settled();
  runners.close();
  await onSettled(agent);
  await agent.stopped;
}
