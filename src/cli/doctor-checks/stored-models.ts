import { type Check, type CheckResult, failure, ok } from './check.ts';

/** Checks that the imported models still hold what was imported: flash memory loses bits without a word. */
export const checkStoredModels: Check = async ({ config }) =>
  config instanceof Error ? [] : checkModelsIn(config.config.stateDir);

/** Reads every model of a state directory from end to end; nothing to say where there is none. */
export async function checkModelsIn(stateDir: string): Promise<CheckResult[]> {
  const { storedModels } = await import('../../catalogue/stored-models.ts');
  const { verifyModelFile } = await import('../../catalogue/verify-model-file.ts');
  const hashes = await storedModels(stateDir);
  const results: CheckResult[] = [];
  for (const hash of hashes) {
    const verified = await verifyModelFile(stateDir, hash);
    if (verified.ok) continue;
    const advice = `Remove ${stateDir}/models/${hash} and restart the agent, which imports the model again from its source; look for a failing disk.`;
    results.push(failure('stored models', verified.problem, advice));
  }
  if (results.length > 0 || hashes.length === 0) return results;
  return [ok('stored models', `${hashes.length} intact`)];
}
