import { int, tensor } from '../../graph/build-model.ts';
import { DATATYPES } from '../../tensor/datatype.ts';
import { toHalf } from '../../tensor/half.ts';
import { CLEAN } from '../conditions.ts';
import { type Pass, ReportBuilder } from '../pass.ts';
import { storedWeights } from '../stored-weights.ts';

/** Options of `fp16`. */
export interface Fp16Options {
  /** Tensors with fewer elements stay FP32; by default 256. */
  readonly minElements?: number;
  /** Operators whose weights stay FP32. */
  readonly blockedOperators?: ReadonlySet<string>;
  /** Names of nodes whose weights stay FP32. */
  readonly keep?: ReadonlySet<string>;
}

const MIN_ELEMENTS = 256;
/** The largest finite half. */
const LARGEST = 65_504;

/**
 * Stores weights as FP16 with a Cast to FP32, which the runtime carries out once when it loads the model: half the file,
 * the speed of float. Inputs, outputs and the arithmetic stay FP32 (CPUs have no kernels for halves in the runtime).
 */
export function fp16(options: Fp16Options = {}): Pass {
  return {
    name: 'fp16',
    needs: CLEAN,
    changes: 'stores weights as FP16',
    holds: CLEAN,
    edit(graph) {
      const report = new ReportBuilder();
      const choice = {
        minElements: options.minElements ?? MIN_ELEMENTS,
        keep: options.keep,
        blocked: options.blockedOperators,
      };
      for (const { name, dims, users } of storedWeights(graph, choice, report)) {
        const values = graph.floats(name) ?? new Float32Array(0);
        if (values.some((value) => Math.abs(value) > LARGEST)) {
          for (const user of users) report.skip(user, `its weights '${name}' exceed the range of FP16`);
          continue;
        }
        const half = graph.fresh(`${name}_half`);
        graph.removeInitializer(name);
        graph.setInitializer(tensor(half, 'FP16', dims, halvesOf(values)));
        graph.add({
          op: 'Cast',
          inputs: [half],
          outputs: [name],
          attributes: { to: int(DATATYPES.FP32.onnx) },
        });
        for (const user of users) report.handle(user);
      }
      return report.report();
    },
  };
}

function halvesOf(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  for (const [index, value] of values.entries()) halves[index] = toHalf(value);
  return halves;
}
