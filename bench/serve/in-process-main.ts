/** The limit: one model run in this process, without any server. Arguments: model file, shape of its input. */
import { Tensor } from 'onnxruntime-node';
import { openSession } from './peer-session.ts';
import { serveHelper } from './serve-helper.ts';
import { inputValues } from './workload.ts';

/** How many runs to time. */
export interface InProcessQuestion {
  readonly runs: number;
}

const [path = '', shapeText = ''] = process.argv.slice(2);
const shape = shapeText.split(',').map(Number);
const session = await openSession(path);
const values = inputValues(shape);

/** Milliseconds of each run. */
serveHelper<InProcessQuestion, number[]>(async ({ runs }) => {
  const times: number[] = [];
  for (let count = 0; count < runs; count++) {
    const started = performance.now();
    await session.run({ input: new Tensor('float32', values, shape) });
    times.push(performance.now() - started);
  }
  return times;
});
