import type { ImageClassificationConfig } from '../../config/tasks/image-classification.ts';
import { SelvageError } from '../../lib/errors.ts';
import type { ModelSignature } from '../../tensor/infer.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { fitImageInput } from '../image/fit-image-input.ts';
import { IMAGE_MEDIA_TYPES } from '../image/image-format.ts';
import { imageShape } from '../image/image-spec.ts';
import { labelsByIndex, readLabels } from '../labels.ts';
import { misfitOf } from '../misfit.ts';
import { fitScoresOutput } from '../scores/fit-scores-output.ts';
import { probabilitiesOf } from '../scores/probabilities.ts';
import { readScores } from '../scores/read-scores.ts';
import { topIndices } from '../scores/top-indices.ts';
import type { InterpretOptions, PredictInput, Prediction, Task, TaskCall, TaskContext } from '../task.ts';

/**
 * Image classification: a JPEG, PNG or WebP image in, the most probable classes out. The model takes one image
 * ([1, channels, height, width] or [1, height, width, channels]) and gives one score per class.
 */
export async function createImageClassification(
  settings: ImageClassificationConfig,
  signature: ModelSignature,
  context: TaskContext,
): Promise<Task> {
  const { model, media } = context;
  const misfit = misfitOf(model);
  const { input, spec } = fitImageInput(signature.inputs, settings, misfit);
  const { name: output, classes } = fitScoresOutput(signature.outputs, settings.output, misfit);
  if (classes === 1 && settings.scores !== 'probabilities') {
    throw misfit(`output '${output}' has one class only: set task.scores to probabilities if it holds one`);
  }
  const labels =
    settings.labels === undefined
      ? undefined
      : labelsByIndex(await readLabels(settings.labels, misfit), settings.labelOffset, classes, misfit);

  async function prepare({ mediaType, body }: PredictInput, call: TaskCall): Promise<Tensor[]> {
    if (!IMAGE_MEDIA_TYPES.some((accepted) => accepted === mediaType)) {
      const expected = IMAGE_MEDIA_TYPES.join(', ');
      throw SelvageError.of('MEDIA_TYPE_UNSUPPORTED', { found: mediaType, expected });
    }
    const data = await media.decodeImage(body, spec, { ...call, model });
    return [{ name: input, datatype: spec.datatype, shape: imageShape(spec), data }];
  }

  function interpret(outputs: readonly Tensor[], { topK = settings.topK }: InterpretOptions): Prediction[] {
    const scores = readScores(model, outputs, output);
    const probabilities = probabilitiesOf(model, output, scores, settings.scores);
    return topIndices(probabilities, topK).map((index) => ({
      label: labels?.[index] ?? String(index),
      index,
      probability: probabilities[index] ?? 0,
    }));
  }

  return { type: settings.type, labels, accepts: IMAGE_MEDIA_TYPES, prepare, interpret };
}
