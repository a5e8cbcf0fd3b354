import * as z from 'zod';
import { path } from '../path-setting.ts';

const perChannel = (one: z.ZodNumber) => z.array(one).min(1).max(3);

/** Settings of `task.type: image-classification`. */
export const imageClassificationSchema = z
  .strictObject({
    type: z.literal('image-classification').describe('What the model does.'),
    size: z
      .union([z.int().min(1).max(8192), z.tuple([z.int().min(1).max(8192), z.int().min(1).max(8192)])])
      .optional()
      .describe(
        "Side of the square input in pixels, or [width, height]; by default read from the model's input shape.",
      ),
    resize: z
      .enum(['stretch', 'cover', 'contain', 'none'])
      .default('cover')
      .describe(
        'How the image is fitted: stretched, filled and cropped at the centre, fitted inside with black borders, or refused unless it has the exact size.',
      ),
    cropFraction: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe(
        'For `cover`: resize to size / cropFraction, then cut the centre (0.875 for most ImageNet models).',
      ),
    channels: z
      .enum(['rgb', 'bgr', 'gray'])
      .optional()
      .describe('Channel order; by default gray where the model takes one channel, else rgb.'),
    layout: z
      .enum(['nchw', 'nhwc'])
      .optional()
      .describe("Memory order; by default read from the model's input shape."),
    mean: perChannel(z.number())
      .optional()
      .describe(
        "Subtracted from each pixel value (0..255), one number or one per channel in the model's order; by default 0, for an INT8 input 128.",
      ),
    std: perChannel(z.number().gt(0))
      .optional()
      .describe(
        'Divides after the mean is subtracted, one number or one per channel; by default 255, for a UINT8 or INT8 input 1.',
      ),
    output: z
      .string()
      .min(1)
      .optional()
      .describe('Name of the output that holds the scores; needed only where the model has several.'),
    labels: z
      .union([path, z.array(z.string()).min(1)])
      .optional()
      .describe('Class names: a text file with one per line, or a list. Without it classes are numbered.'),
    labelOffset: z
      .int()
      .min(-10_000)
      .max(10_000)
      .default(0)
      .describe('Added to the output index to find the label (-1 where output 0 is a background class).'),
    topK: z.int().min(1).max(1000).default(5).describe('Predictions to return.'),
    scores: z
      .enum(['auto', 'logits', 'probabilities'])
      .default('auto')
      .describe(
        'What the output holds; auto takes values in 0..1 that sum to 1 as probabilities and applies softmax to all else.',
      ),
  })
  .superRefine((task, context) => {
    // Without `channels` the model decides; the task compares then.
    const counts = task.channels === 'gray' ? [1] : [1, 3];
    for (const name of ['mean', 'std'] as const) {
      const length = task[name]?.length;
      if (length === undefined || counts.includes(length)) continue;
      const expected = counts.length === 1 ? '1 number' : '1 number or 3';
      const where = task.channels === undefined ? '' : ` for channels "${task.channels}"`;
      context.addIssue({
        code: 'custom',
        path: [name],
        message: `expected ${expected}${where}, received ${length}`,
      });
    }
  })
  .describe('An image in, the most probable classes out.');

/** Settings of an image classification task. */
export type ImageClassificationConfig = z.infer<typeof imageClassificationSchema>;
