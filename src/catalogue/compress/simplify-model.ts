import { rm } from 'node:fs/promises';
import { cleanInputs } from '../../compress/passes/clean-inputs.ts';
import { runPasses } from '../../compress/pipeline.ts';
import { copyMessage } from '../../graph/copy-message.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import { readModel } from '../../graph/read-model.ts';
import { encodeModel, writeModel } from '../../graph/write-model.ts';
import { reasonOf, SelvageError } from '../../lib/errors.ts';
import { Runner } from '../../runtime/runner.ts';
import type { MemoryPeak } from './memory-peak.ts';
import type { WorkFolder } from './work-folder.ts';

const TIMEOUT_MS = 300_000;

/**
 * The bytes of a model as the runtime simplifies it: constants folded, normalizations merged into the layers before
 * them, nothing left that does not run; in the operators and the version of the standard it was written in. The model
 * must be clean (see `cleanInputs`). Throws MODEL_UNSUPPORTED in the runtime's words where it cannot load the model; `path` is for that message.
 */
export async function simplifyModel(
  model: ModelProto,
  path: string,
  work: WorkFolder,
  memory: MemoryPeak,
): Promise<Uint8Array> {
  const source = work.temporary('float.onnx');
  const target = work.temporary('simplified.onnx');
  const runner = new Runner();
  const timer = setTimeout(() => runner.kill(`no answer within ${TIMEOUT_MS} ms`), TIMEOUT_MS);
  try {
    await writeModel(source, model);
    await runner.optimize({ path: source, target }).catch((error: unknown) => {
      throw SelvageError.of('MODEL_UNSUPPORTED', { path, problem: reasonOf(error) }, error);
    });
    memory.look(runner.pid);
    const { model: simplified } = await readModel(target);
    return encodeModel(restored(simplified, model, path), path);
  } finally {
    clearTimeout(timer);
    memory.forget(runner.pid);
    runner.kill('done');
    await rm(source, { force: true });
    await rm(target, { force: true });
  }
}

/** Takes out the operator sets that the runtime adds, and puts back what it leaves out. */
function restored(simplified: ModelProto, original: ModelProto, path: string): ModelProto {
  const { model } = runPasses(simplified, [cleanInputs()], { path });
  const result = copyMessage(model);
  result.producerName = original.producerName;
  result.producerVersion = original.producerVersion;
  result.metadataProps = original.metadataProps;
  return result;
}
