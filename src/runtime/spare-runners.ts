import { Runner } from './runner.ts';

/** Spares beyond this wait for a CPU anyway. */
const MAX_SPARES = 4;

/**
 * Runners that are started before it is known what they will load: starting a process and loading the library takes as
 * long as everything the agent does before it can ask for a model.
 */
export class SpareRunners {
  readonly #spares: Runner[] = [];

  /** Starts up to `count` runners now; none is started in advance later. */
  constructor(count: number) {
    for (let started = 0; started < Math.min(count, MAX_SPARES); started++) this.#spares.push(new Runner());
  }

  /** A spare runner where one is left, else one that begins to start now. */
  take(): Runner {
    const spare = this.#spares.shift();
    return spare === undefined || spare.ended ? new Runner() : spare;
  }

  /** Ends the spares that nobody took. */
  close(): void {
    for (const spare of this.#spares.splice(0)) spare.kill('not needed');
  }
}
