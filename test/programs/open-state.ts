/** Opens a state directory and imports a model into it; prints the errors as JSON. */
import { importModelFile } from '../../src/catalogue/model-files.ts';
import { toSelvageError } from '../../src/lib/errors.ts';
import { StateStore } from '../../src/store/state-store.ts';

const [stateDir = '', source = ''] = process.argv.slice(2);
const outcome = await Promise.allSettled([
  Promise.resolve().then(() => StateStore.open({ stateDir, onSetAside: () => undefined }).close()),
  importModelFile({ model: 'm', source, stateDir }),
]);
const errors = outcome.map((one) => (one.status === 'rejected' ? toSelvageError(one.reason).toJSON() : null));
process.stdout.write(JSON.stringify(errors));
