import { createHash } from 'node:crypto';
import { cleanInputs } from '../../compress/passes/clean-inputs.ts';
import { runPasses } from '../../compress/pipeline.ts';
import { checkModel } from '../../graph/check-model.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import { externalReader, inlineExternalData } from '../../graph/inline-external-data.ts';
import { readModel } from '../../graph/read-model.ts';
import { summarize } from '../../graph/summary.ts';
import { encodeModel } from '../../graph/write-model.ts';
import type { ModelSignature } from '../../tensor/infer.ts';
import { signatureOf } from '../signature-of.ts';

/** A float model to make variants of. */
export interface SourceModel {
  readonly path: string;
  /** In the form that passes build on, all of its data inside. */
  readonly model: ModelProto;
  readonly signature: ModelSignature;
  /** Of the file and of its external data. */
  readonly sizeBytes: number;
  /** SHA-256 (hexadecimal) of the model in that form: equal for models that mean the same. */
  readonly hash: string;
}

/** Reads and checks a model. Throws what `readModel`, `checkModel`, `signatureOf` and `inlineExternalData` throw. */
export async function readSource(path: string): Promise<SourceModel> {
  const loaded = await readModel(path);
  checkModel(loaded.model, loaded);
  const summary = summarize(loaded);
  const externalBytes = summary.externalFiles.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  const whole = inlineExternalData(loaded.model, externalReader(path), path);
  const { model } = runPasses(whole, [cleanInputs()], { path });
  return {
    path,
    model,
    signature: signatureOf(summary),
    sizeBytes: loaded.sizeBytes + externalBytes,
    hash: createHash('sha256').update(encodeModel(model, path)).digest('hex'),
  };
}
