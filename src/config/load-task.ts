import { loadWith } from './load.ts';
import { type TaskConfig, taskSchema } from './schema.ts';

/**
 * Loads a file that holds the settings of one task, the same keys as `models.X.task` of a configuration, as YAML or
 * JSON. Throws as `loadConfig` does.
 */
export async function loadTask(path: string): Promise<TaskConfig> {
  const { config } = await loadWith(taskSchema, path, { alone: true });
  return config;
}
