import type { TaskConfig } from '../config/schema.ts';
import type { ModelSignature } from '../tensor/infer.ts';
import { createImageClassification } from './image-classification/image-classification.ts';
import type { Task, TaskContext, TaskFactory } from './task.ts';

/** The factory of each task type; a new task adds its line here. */
const FACTORIES: { readonly [Type in TaskConfig['type']]: TaskFactory<Extract<TaskConfig, { type: Type }>> } =
  {
    'image-classification': createImageClassification,
  };

/**
 * Makes the task of a model from its settings (paths in them absolute) and its signature; reads the labels file.
 * Throws TASK_MISFIT where the two do not fit, saying what was expected and found.
 */
export function createTask(
  config: TaskConfig,
  signature: ModelSignature,
  context: TaskContext,
): Promise<Task> {
  return FACTORIES[config.type](config, signature, context);
}
