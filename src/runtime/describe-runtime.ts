import { reasonOf, SelvageError } from '../lib/errors.ts';
import type { RuntimeDescription } from './messages.ts';
import { Runner } from './runner.ts';

const TIMEOUT_MS = 30_000;

/**
 * Loads the native library in a throw-away child, since it may end that process (SIGILL on some boards), and says
 * its version and execution providers. Rejects with RUNTIME_UNAVAILABLE, naming the signal or the loader's words.
 */
export async function describeRuntime(): Promise<RuntimeDescription> {
  const runner = new Runner();
  const timer = setTimeout(() => runner.kill(`no answer within ${TIMEOUT_MS} ms`), TIMEOUT_MS);
  try {
    return await runner.describe();
  } catch (error) {
    const words = runner.lastWords.find((line) => /error|cannot|not found/i.test(line));
    throw SelvageError.of('RUNTIME_UNAVAILABLE', {
      reason: [reasonOf(error), words].filter((part) => part !== undefined).join('; '),
    });
  } finally {
    clearTimeout(timer);
    runner.kill('done');
  }
}
