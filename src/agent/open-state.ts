import { toSelvageError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { StateStore } from '../store/state-store.ts';

/**
 * Opens the state of the agent. Where the directory cannot be used (read-only, full), serving is worth more than
 * remembering: the agent then runs on an empty store in memory and says so. Throws where another agent has it.
 */
export function openState(stateDir: string, log: Log): StateStore {
  try {
    return StateStore.open({
      stateDir,
      onSetAside: (event) =>
        log.error({ ...event }, 'the state was damaged; it was set aside and begun anew'),
    });
  } catch (thrown) {
    const error = toSelvageError(thrown);
    if (error.code !== 'STATE_UNAVAILABLE') throw error;
    log.error({ err: error }, 'the state directory cannot be used; nothing is remembered over a restart');
    return StateStore.inMemory();
  }
}
