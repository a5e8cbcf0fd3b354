/** Writes rows to a state directory for ever and prints the number of each once its write has returned. */
import { writeSync } from 'node:fs';
import { StateStore } from '../../src/store/state-store.ts';

const [stateDir = ''] = process.argv.slice(2);
const store = StateStore.open({ stateDir, onSetAside: () => undefined });
for (let number = 0; ; number += 1) {
  store.selections.put({ model: `m${number}`, variant: 'v', reason: 'x'.repeat(number % 500), at: number });
  writeSync(1, `${number}\n`);
}
