import { SelvageError } from '../lib/errors.ts';
import { describeTensor } from './describe.ts';
import { type ElementType, elementTypeOf } from './element-types.ts';
import { externalReference, isExternal, locateExternal } from './external-data.ts';
import type { SparseTensorProto, TensorProto } from './gen/onnx_pb.ts';
import { MODEL_LIMITS } from './limits.ts';
import { countElements, packedBytes } from './tensor-size.ts';

/** What the checks of one model share. */
export interface CheckContext {
  /** The model's file: external data lies beside it, and messages name it. */
  readonly path: string;
  /** Sizes of the external data files seen so far. */
  readonly externalSizes: Map<string, number>;
}

/** Checks that a tensor has exactly the data its type and shape ask for; throws MODEL_FILE_INVALID or MODEL_UNSUPPORTED. */
export function checkTensor(context: CheckContext, tensor: TensorProto, where: () => string): void {
  const problem = problemOf(context, tensor);
  if (problem === undefined) return;
  throw SelvageError.of('MODEL_FILE_INVALID', {
    path: context.path,
    problem: `${describeTensor(tensor)}${where()} ${problem}`,
  });
}

/** Checks a sparse tensor: its parts, and that made dense (which the runtime does) it stays within bounds. */
export function checkSparseTensor(
  context: CheckContext,
  sparse: SparseTensorProto,
  where: () => string,
): void {
  const { values, indices } = sparse;
  if (values === undefined) throw invalid(context, `a sparse tensor${where()} has no values`);
  checkTensor(context, values, where);
  if (indices !== undefined) checkTensor(context, indices, where);
  const count = countElements(sparse.dims);
  if (typeof count !== 'bigint')
    throw invalid(context, `sparse ${describeTensor(values)}${where()} ${count.problem}`);
  const type = elementTypeOf(values.dataType);
  if (type !== undefined && packedBytes(type, Number(count)) > MODEL_LIMITS.denseSize) {
    throw SelvageError.of('MODEL_UNSUPPORTED', {
      path: context.path,
      problem: `sparse ${describeTensor(values)}${where()} has ${count} elements: too many to be made dense`,
    });
  }
}

function problemOf(context: CheckContext, tensor: TensorProto): string | undefined {
  const count = countElements(tensor.dims);
  if (typeof count !== 'bigint') return count.problem;
  const type = elementTypeOf(tensor.dataType);
  if (type === undefined) return `has the unknown element type ${tensor.dataType}`;
  if (isExternal(tensor)) return problemOfExternal(context, tensor, type, Number(count));
  return problemOfStored(tensor, type, Number(count));
}

function problemOfStored(tensor: TensorProto, type: ElementType, count: number): string | undefined {
  const numbers = tensor[type.field].length;
  if (tensor.rawData.length > 0) {
    if (type.field === 'stringData') return 'holds strings as raw data';
    if (numbers > 0) return 'holds its data twice';
    const expected = packedBytes(type, count);
    return tensor.rawData.length === expected
      ? undefined
      : `holds ${tensor.rawData.length} bytes of data where its shape needs ${expected}`;
  }
  const expected = Math.ceil(count / type.perNumber);
  return numbers === expected ? undefined : `holds ${numbers} values where its shape needs ${expected}`;
}

function problemOfExternal(
  context: CheckContext,
  tensor: TensorProto,
  type: ElementType,
  count: number,
): string | undefined {
  if (type.field === 'stringData') return 'holds strings as external data';
  const reference = externalReference(tensor);
  if ('problem' in reference) return reference.problem;
  const expected = packedBytes(type, count);
  if (reference.lengthBytes !== undefined && reference.lengthBytes !== expected) {
    return `has ${reference.lengthBytes} bytes of external data where its shape needs ${expected}`;
  }
  const sizeBytes = sizeOfExternal(context, reference.location);
  const end = reference.offsetBytes + expected;
  if (end <= sizeBytes) return undefined;
  return `needs bytes up to ${end} of external data file '${reference.location}', which has ${sizeBytes}`;
}

function sizeOfExternal(context: CheckContext, location: string): number {
  const known = context.externalSizes.get(location);
  if (known !== undefined) return known;
  const found = locateExternal(context.path, location);
  if ('problem' in found) throw invalid(context, found.problem);
  context.externalSizes.set(location, found.sizeBytes);
  if (context.externalSizes.size > MODEL_LIMITS.externalFiles) {
    throw SelvageError.of('MODEL_UNSUPPORTED', {
      path: context.path,
      problem: `it has more than ${MODEL_LIMITS.externalFiles} external data files`,
    });
  }
  return found.sizeBytes;
}

function invalid(context: CheckContext, problem: string): SelvageError {
  return SelvageError.of('MODEL_FILE_INVALID', { path: context.path, problem });
}
