/** Holds the lock of a state directory until it is killed. */
import { writeSync } from 'node:fs';
import { StateStore } from '../../src/store/state-store.ts';

const [stateDir = ''] = process.argv.slice(2);
const store = StateStore.open({ stateDir, onSetAside: () => undefined });
writeSync(1, 'held\n');
setInterval(() => store.selections.list(), 1000);
