import { SelvageError } from '../lib/errors.ts';
import type { InferResponse, RequestedOutput } from '../tensor/infer.ts';
import { elementCount, joinBytes, type Tensor, typedView } from '../tensor/tensor.ts';

/**
 * The protocol's classification extension: an output asked for with `classification: k` is answered as the k largest
 * elements, each a BYTES element `score:index` or `score:index:label`. Scores are printed as Triton prints them:
 * floats with six decimals (C++ `std::to_string`), integers as they are.
 */

/** `response` with the outputs that were asked for as classes replaced; `response` itself where there are none. */
export function classifyOutputs(
  response: InferResponse,
  requested: readonly RequestedOutput[] | undefined,
  labels: readonly string[] | undefined,
): InferResponse {
  if (requested === undefined || requested.every((output) => output.classCount === 0)) return response;
  return {
    ...response,
    outputs: response.outputs.map((output) => {
      const classCount = requested.find((one) => one.name === output.name)?.classCount ?? 0;
      return classCount === 0 ? output : classify(output, classCount, labels);
    }),
  };
}

/**
 * The `classCount` largest elements of each batch entry, largest first, equal ones by index, NaN last. A tensor of
 * shape [batch, …] gives [batch, k], a vector gives [k]; k is at most the elements there are. Throws NOT_SUPPORTED
 * for BOOL, BYTES and FP16, as Triton does.
 */
export function classify(output: Tensor, classCount: number, labels: readonly string[] | undefined): Tensor {
  const { datatype, shape } = output;
  if (datatype === 'BOOL' || datatype === 'BYTES' || datatype === 'FP16') {
    throw SelvageError.of('NOT_SUPPORTED', {
      feature: `classification of output '${output.name}', whose datatype is ${datatype},`,
    });
  }
  const scores = typedView(datatype, output.data);
  const text = datatype.startsWith('FP') ? (score: number | bigint) => fixed(score as number) : String;
  const batch = shape.length > 1 ? (shape[0] as number) : 1;
  const classes = shape.length > 1 ? elementCount(shape.slice(1)) : elementCount(shape);
  const k = Math.min(classCount, classes);
  const elements: Uint8Array[] = [];
  for (let entry = 0; entry < batch; entry++) {
    const row = scores.subarray(entry * classes, (entry + 1) * classes);
    for (const index of largest(row, k)) {
      const label = labels?.[index];
      const score = `${text(row[index] as number | bigint)}:${index}`;
      elements.push(Buffer.from(label === undefined ? score : `${score}:${label}`));
    }
  }
  return {
    name: output.name,
    datatype: 'BYTES',
    shape: shape.length > 1 ? [batch, k] : [k],
    data: joinBytes(elements),
  };
}

function largest(scores: ArrayLike<number | bigint>, k: number): Uint32Array {
  const order = Uint32Array.from({ length: scores.length }, (_, index) => index);
  order.sort((a, b) => compare(scores[b] as number | bigint, scores[a] as number | bigint) || a - b);
  return order.subarray(0, k);
}

function compare(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1;
  if (a > b) return 1;
  // Neither: equal, or one is NaN, which counts as smaller than any number.
  return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
}

/** `toFixed` goes over to exponents at 1e21, C's `%f` does not; NaN and infinities as C prints them. */
function fixed(score: number): string {
  if (Number.isNaN(score)) return 'nan';
  if (!Number.isFinite(score)) return score > 0 ? 'inf' : '-inf';
  return Math.abs(score) < 1e21 ? score.toFixed(6) : `${BigInt(score)}.000000`;
}
