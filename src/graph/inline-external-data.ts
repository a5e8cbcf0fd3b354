import { closeSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { reasonOf, SelvageError } from '../lib/errors.ts';
import { copyMessage } from './copy-message.ts';
import { type ExternalReference, externalReference, isExternal } from './external-data.ts';
import type { ModelProto, TensorProto } from './gen/onnx_pb.ts';
import { tensorSize } from './tensor-size.ts';
import { allTensors } from './walk.ts';

/** Reads `sizeBytes` bytes of the file that a reference names, from its offset on. */
export type ExternalReader = (reference: ExternalReference, sizeBytes: number) => Uint8Array;

/**
 * The model with the initializers of its main graph that lie in other files taken in as raw data; the given model is
 * not changed, and is returned where it has none. `read` is usually `externalReader(path)`, of a model that
 * `checkModel` has found good. Throws MODEL_UNSUPPORTED where a body or a Constant node keeps data elsewhere.
 */
export function inlineExternalData(model: ModelProto, read: ExternalReader, path = 'the model'): ModelProto {
  const { graph } = model;
  if (graph === undefined || !graph.initializer.some(isExternal)) return refuseOthers(model, path);
  const result = copyMessage(model);
  result.graph = copyMessage(graph);
  result.graph.initializer = graph.initializer.map((tensor) =>
    isExternal(tensor) ? inlined(tensor, read, path) : tensor,
  );
  return refuseOthers(result, path);
}

/** Reads external data from beside the model at `path`; throws FILE_UNREADABLE. */
export function externalReader(path: string): ExternalReader {
  return ({ location, offsetBytes }, sizeBytes) => {
    const file = join(dirname(path), location);
    const bytes = new Uint8Array(sizeBytes);
    try {
      const descriptor = openSync(file, 'r');
      try {
        let filled = 0;
        while (filled < sizeBytes) {
          const count = readSync(descriptor, bytes, filled, sizeBytes - filled, offsetBytes + filled);
          if (count === 0) throw new Error(`it ends before byte ${offsetBytes + sizeBytes}`);
          filled += count;
        }
      } finally {
        closeSync(descriptor);
      }
    } catch (thrown) {
      throw SelvageError.of('FILE_UNREADABLE', { path: file, reason: reasonOf(thrown) }, thrown);
    }
    return bytes;
  };
}

function inlined(tensor: TensorProto, read: ExternalReader, path: string): TensorProto {
  const reference = externalReference(tensor);
  if ('problem' in reference) {
    const problem = `tensor '${tensor.name}' ${reference.problem}`;
    throw SelvageError.of('MODEL_FILE_INVALID', { path, problem });
  }
  const copy = copyMessage(tensor);
  copy.rawData = read(reference, tensorSize(tensor).bytes);
  copy.dataLocation = 0;
  copy.externalData = [];
  return copy;
}

function refuseOthers(model: ModelProto, path: string): ModelProto {
  for (const tensor of allTensors(model)) {
    if (!isExternal(tensor)) continue;
    const problem = `tensor '${tensor.name}' inside a node keeps its data in another file`;
    throw SelvageError.of('MODEL_UNSUPPORTED', { path, problem });
  }
  return model;
}
