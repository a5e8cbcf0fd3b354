import { toBinary } from '@bufbuild/protobuf';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { SelvageError } from '../lib/errors.ts';
import { type ModelProto, ModelProtoSchema } from './gen/onnx_pb.ts';
import { MODEL_LIMITS } from './limits.ts';
import { allTensors } from './walk.ts';

/**
 * The bytes of a model's file, fields in the order of their numbers, unknown fields last: what was read comes out
 * the same. Needs up to twice the file's size of memory while it works. Throws MODEL_UNSUPPORTED above 2 GiB; `path`
 * is for that message.
 */
export function encodeModel(model: ModelProto, path = 'the model'): Uint8Array {
  let weightBytes = 0;
  for (const tensor of allTensors(model)) weightBytes += tensor.rawData.length;
  if (weightBytes > MODEL_LIMITS.fileBytes) throw tooLarge(path, weightBytes);
  const bytes = toBinary(ModelProtoSchema, model);
  if (bytes.length > MODEL_LIMITS.fileBytes) throw tooLarge(path, bytes.length);
  return bytes;
}

/** Writes a model's file as a whole or not at all, and resolves to its size in bytes; also throws FILE_UNWRITABLE. */
export async function writeModel(path: string, model: ModelProto): Promise<number> {
  return await writeFileAtomic(path, [encodeModel(model, path)]);
}

function tooLarge(path: string, sizeBytes: number): SelvageError {
  const sizeGiB = (sizeBytes / 2 ** 30).toFixed(1);
  return SelvageError.of('MODEL_UNSUPPORTED', {
    path,
    problem: `the file would have ${sizeGiB} GiB, an ONNX file must be below 2 GiB`,
  });
}
