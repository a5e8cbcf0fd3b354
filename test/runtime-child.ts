/** Child side of `runInRuntime`: tasks as JSON on standard input, results as JSON on standard output. */
import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { reasonOf } from '../src/lib/errors.ts';
import { DATATYPES, datatypeOfOrt } from '../src/tensor/datatype.ts';
import type { ElementArray } from '../src/tensor/tensor.ts';
import type { PlainTensor, RuntimeResult, RuntimeTask } from './runtime.ts';

const tasks = JSON.parse(readFileSync(0, 'utf8')) as RuntimeTask[];
const results: RuntimeResult[] = [];
for (const task of tasks) results.push(await perform(task));
process.stdout.write(JSON.stringify(results));

async function perform({ path, feeds, optimizedPath }: RuntimeTask): Promise<RuntimeResult> {
  try {
    const optimized =
      optimizedPath === undefined
        ? {}
        : { optimizedModelFilePath: optimizedPath, graphOptimizationLevel: 'extended' as const };
    const options = { logSeverityLevel: 4, intraOpNumThreads: 1, ...optimized } as const;
    const session = await ort.InferenceSession.create(path, options);
    const inputs = [...session.inputNames];
    if (feeds === undefined) return { inputs };
    const tensors = Object.entries(feeds).map(([name, plain]) => [name, toTensor(plain)] as const);
    const outputs = await session.run(Object.fromEntries(tensors));
    return {
      inputs,
      outputs: Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, toPlain(value)])),
    };
  } catch (thrown) {
    return { error: reasonOf(thrown) };
  }
}

function toTensor({ type, dims, data }: PlainTensor): ort.Tensor {
  if (type === 'string') return new ort.Tensor('string', data.map(String), dims);
  // The declared overloads want each type with its array spelled out.
  return new ort.Tensor(type as 'float32', toArray(type, data) as Float32Array, dims);
}

function toArray(type: string, data: PlainTensor['data']): ElementArray {
  const { array } = DATATYPES[datatypeOfOrt(type) ?? 'UINT8'];
  if (array === BigInt64Array || array === BigUint64Array) return array.from(data.map(BigInt));
  return (array as Float32ArrayConstructor).from(data.map(Number));
}

function toPlain({ type, dims, data }: ort.Tensor): PlainTensor {
  // Newer Nodes have a Float16Array; the tests compare bits.
  const elements = type === 'float16' ? new Uint16Array((data as Uint16Array).buffer) : data;
  const values = Array.from(elements as ArrayLike<number | bigint | string>, (value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return { type, dims, data: values };
}
