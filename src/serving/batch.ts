import type { IndexedTensor, Run } from '../runtime/messages.ts';

/** Rows of a run: the first dimension of its first input; 1 where that is a scalar. */
export function batchRows(run: Run): number {
  return run.inputs[0]?.dims[0] ?? 1;
}

/** Whether two runs differ in their first dimension only, so that they can be stacked. */
export function canStack(one: Run, other: Run): boolean {
  return (
    one.inputs.length === other.inputs.length &&
    sameNumbers(one.outputs, other.outputs) &&
    one.inputs.every((tensor, position) => {
      const twin = other.inputs[position];
      return (
        twin !== undefined &&
        twin.index === tensor.index &&
        twin.dims[0] === batchRows(other) &&
        tensor.dims[0] === batchRows(one) &&
        sameNumbers(tensor.dims.slice(1), twin.dims.slice(1))
      );
    })
  );
}

/** One run for several that can be stacked: each input is the runs' inputs one after the other. */
export function stackRuns(runs: readonly [Run, ...Run[]]): Run {
  const [first] = runs;
  if (runs.length === 1) return first;
  const rows = runs.reduce((sum, run) => sum + batchRows(run), 0);
  const inputs = first.inputs.map((tensor, position): IndexedTensor => {
    const data = Buffer.concat(runs.map((run) => run.inputs[position]?.data ?? new Uint8Array(0)));
    return { ...tensor, dims: [rows, ...tensor.dims.slice(1)], data };
  });
  return { inputs, outputs: first.outputs };
}

/**
 * Cuts the outputs of a stacked run along their first dimension into one list per run of `rows`, as views.
 * Undefined where an output does not have one row per input row, so that the model was not batchable after all.
 */
export function splitOutputs(
  outputs: readonly IndexedTensor[],
  rows: readonly number[],
): IndexedTensor[][] | undefined {
  const total = rows.reduce((sum, count) => sum + count, 0);
  if (outputs.some((output) => output.dims[0] !== total || output.datatype === 'BYTES')) return undefined;
  let begun = 0;
  return rows.map((count) => {
    const from = begun;
    begun += count;
    return outputs.map((output) => {
      const rowBytes = output.data.byteLength / total;
      const data = output.data.subarray(from * rowBytes, (from + count) * rowBytes);
      return { ...output, dims: [count, ...output.dims.slice(1)], data };
    });
  });
}

function sameNumbers(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}
