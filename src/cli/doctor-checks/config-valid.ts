import { SelvageError } from '../../lib/errors.ts';
import { type Check, failure, ok, warning } from './check.ts';

/** Checks the configuration; the checks of sockets and state directory depend on it. */
export const checkConfig: Check = ({ config, configPath }) => {
  if (config instanceof SelvageError) return [failure('configuration', config.message, config.hint)];
  if (config instanceof Error) return [failure('configuration', config.message, 'Correct the file.')];
  const models = Object.keys(config.config.models);
  if (models.length > 0) return [ok('configuration', `${configPath}, ${models.length} models`)];
  return [warning('configuration', `${configPath}, no models`, 'Name a model under `models:` to serve one.')];
};
