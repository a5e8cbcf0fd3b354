import { InferenceSession } from 'onnxruntime-node';

/** A session with the options of the agent's runner (src/runtime/runner-main.ts), one thread: for the peers. */
export function openSession(path: string): Promise<InferenceSession> {
  return InferenceSession.create(path, {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { force_spinning_stop: '1' } },
  });
}
