import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { errnoOf, reasonOf, SelvageError } from '../lib/errors.ts';
import { guessFileKind } from './file-kind.ts';
import { type ModelProto, ModelProtoSchema } from './gen/onnx_pb.ts';
import { MODEL_LIMITS } from './limits.ts';
import { scanModelBytes } from './wire-scan.ts';

/** A model file, decoded. */
export interface LoadedModel {
  readonly path: string;
  readonly sizeBytes: number;
  /** Tensors' `rawData` are views into the buffer the file was read into, at any alignment. */
  readonly model: ModelProto;
}

/**
 * Reads and decodes an ONNX file. Only its form is checked: call `checkModel` before trusting what it says.
 * Throws FILE_UNREADABLE, MODEL_FILE_INVALID (empty, truncated, not ONNX) or MODEL_UNSUPPORTED (too large).
 * Decoding is synchronous and takes milliseconds to seconds: call this in a job or a command, not in the agent.
 */
export async function readModel(path: string): Promise<LoadedModel> {
  const bytes = await readBounded(path);
  return { path, sizeBytes: bytes.length, model: decodeModel(path, bytes) };
}

/** Decodes the bytes of an ONNX file; `path` is for the messages. Errors as in `readModel`. */
export function decodeModel(path: string, bytes: Uint8Array): ModelProto {
  if (bytes.length === 0) throw invalid(path, 'the file is empty (0 bytes)');
  const problem = scanModelBytes(bytes);
  if (problem !== undefined) throw notOnnx(path, bytes, problem);
  const model = decode(path, bytes);
  if (model.graph === undefined) {
    throw notOnnx(path, bytes, 'it holds no graph (a tensor file, or another protobuf file?)');
  }
  return model;
}

function decode(path: string, bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (thrown) {
    throw invalid(path, `not a valid ONNX file: ${reasonOf(thrown)}`, thrown);
  }
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    // O_NONBLOCK: opening a named pipe would wait for its writer forever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readWhole(path, file);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (thrown instanceof SelvageError) throw thrown;
    const reason = errnoOf(thrown) === 'ENOENT' ? 'there is no such file' : reasonOf(thrown);
    throw SelvageError.of('FILE_UNREADABLE', { path, reason }, thrown);
  }
}

async function readWhole(path: string, file: FileHandle): Promise<Uint8Array> {
  const info = await file.stat();
  if (!info.isFile()) {
    throw SelvageError.of('FILE_UNREADABLE', { path, reason: 'it is not a regular file' });
  }
  if (info.size > MODEL_LIMITS.fileBytes) {
    const sizeGiB = (info.size / 2 ** 30).toFixed(1);
    throw SelvageError.of('MODEL_UNSUPPORTED', {
      path,
      problem: `the file has ${sizeGiB} GiB, an ONNX file must be below 2 GiB: store its weights as external data`,
    });
  }
  const bytes = Buffer.allocUnsafeSlow(info.size);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
    if (bytesRead === 0) throw invalid(path, 'the file shrank while it was read');
    filled += bytesRead;
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function notOnnx(path: string, bytes: Uint8Array, problem: string): SelvageError {
  const kind = guessFileKind(bytes);
  return invalid(
    path,
    kind === undefined ? `not a valid ONNX file: ${problem}` : `not an ONNX file but ${kind}`,
  );
}

function invalid(path: string, problem: string, cause?: unknown): SelvageError {
  return SelvageError.of('MODEL_FILE_INVALID', { path, problem }, cause);
}
