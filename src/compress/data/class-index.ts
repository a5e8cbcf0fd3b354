import { SelvageError } from '../../lib/errors.ts';

/** How labels stand for the classes of a model. */
export interface LabelScheme {
  /** Class names by output index, for labels that are names. */
  readonly classNames?: readonly string[] | undefined;
  /** Number of classes of the model's output; labels beyond are refused. */
  readonly classCount?: number | undefined;
  /** Added to labels that are numbers: 1 for a model whose class 0 is "background". By default 0. */
  readonly labelOffset?: number | undefined;
}

/** The error for labels that cannot be used. */
export function labelsInvalid(path: string, problem: string, cause?: unknown): SelvageError {
  return SelvageError.of('LABELS_INVALID', { path, problem }, cause);
}

/**
 * The class index in the model's output that a label stands for: an integer, as a number or in text, with the offset,
 * or else a class name. `what` names the label's place. Throws LABELS_INVALID where it is neither or out of range.
 */
export function classIndex(path: string, what: string, label: unknown, scheme: LabelScheme): number {
  const text = typeof label === 'string' ? label.trim() : label;
  const named = typeof text === 'string' ? (scheme.classNames?.indexOf(text) ?? -1) : -1;
  if (named >= 0) return checkRange(path, what, named, named, scheme);
  const number = typeof text === 'string' && /^[+-]?\d{1,9}$/.test(text) ? Number(text) : text;
  if (typeof number !== 'number' || !Number.isInteger(number)) {
    const found = JSON.stringify(text) ?? 'nothing';
    const known =
      scheme.classNames === undefined
        ? 'a class index (class names need the labels of the task)'
        : `a class index or one of the ${scheme.classNames.length} class names`;
    throw labelsInvalid(path, `${what} is ${found.slice(0, 80)}, expected ${known}`);
  }
  return checkRange(path, what, number, number + (scheme.labelOffset ?? 0), scheme);
}

function checkRange(path: string, what: string, label: number, index: number, scheme: LabelScheme): number {
  const count = scheme.classCount ?? 2 ** 31 - 1;
  if (index >= 0 && index < count) return index;
  const offset = scheme.labelOffset ? ` with offset ${scheme.labelOffset}` : '';
  const allowed =
    scheme.classCount === undefined ? 'from 0' : `0 to ${count - 1} (the model has ${count} classes)`;
  throw labelsInvalid(path, `${what} is ${label}${offset}, expected ${allowed}`);
}
