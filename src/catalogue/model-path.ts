import { isAbsolute, join, posix } from 'node:path';

/** Name of every model file in the store; external data lies beside it under the names the model uses. */
export const MODEL_FILE_NAME = 'model.onnx';

/** Start of the names of unfinished directories in the store. */
export const TEMPORARY_PREFIX = '.tmp-';

/** The directory of all models in a state directory. */
export function modelsDirectory(stateDir: string): string {
  return join(stateDir, 'models');
}

/** The directory of one model; `hash` is a SHA-256 in lower-case hex, anything else throws. */
export function modelDirectory(stateDir: string, hash: string): string {
  if (!isModelHash(hash)) throw new TypeError(`not a model hash: ${hash}`);
  return join(modelsDirectory(stateDir), hash);
}

/** The model file of one model, for the runtime to load; external data is found beside it. */
export function modelFilePath(stateDir: string, hash: string): string {
  return join(modelDirectory(stateDir, hash), MODEL_FILE_NAME);
}

/** Whether a text is the name of a model in the store. */
export function isModelHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/**
 * What is wrong with the relative name of an external data file, or undefined where it is good: it must stay below
 * the model's folder (https://onnx.ai/onnx/repo-docs/ExternalData.html) and must not be the model file's own name.
 */
export function externalNameProblem(name: string): string | undefined {
  if (name === '' || name.length > 1024 || name.includes('\0'))
    return 'is empty, too long or has a NUL in it';
  if (isAbsolute(name)) return 'is not a relative path';
  const parts = name.split('/');
  if (parts.includes('..') || parts.at(-1) === '' || parts.at(-1) === '.') {
    return 'does not name a file below the folder of the model';
  }
  if (storedName(name).split('/')[0] === MODEL_FILE_NAME)
    return 'has the name that the store gives the model file';
  return undefined;
}

/** The name under which an external data file lies in the store: without needless `.` and empty parts. */
export function storedName(name: string): string {
  return posix.normalize(name);
}
