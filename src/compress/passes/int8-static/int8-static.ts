import { isDefaultDomain } from '../../../graph/describe.ts';
import type { Graph } from '../../../graph/graph.ts';
import { CLEAN, type Condition } from '../../conditions.ts';
import { type Pass, ReportBuilder } from '../../pass.ts';
import type { Int8StaticOptions } from './options.ts';
import { planInt8, type Role } from './plan.ts';
import { QuantizedValues } from './quantized-values.ts';
import { QuantizedWeights } from './quantized-weights.ts';
import { shareScales } from './scale-groups.ts';

/** What the passes of static quantization work with. */
interface Work {
  readonly graph: Graph;
  readonly values: QuantizedValues;
  readonly weights: QuantizedWeights;
  readonly parametersOf: ReturnType<typeof shareScales>;
  /** The values that some role takes. */
  readonly taken: ReadonlySet<string>;
}

/**
 * Static 8-bit quantization in the form that the runtime makes integer kernels of (QuantizeLinear and DequantizeLinear
 * around the operators): asymmetric activations from given ranges, symmetric weights by channel, int32 biases whose
 * scale is exactly input scale × weight scale. Values keep their names: a quantized activation is found under the name
 * it had. A Relu or Clip that quantization makes needless is removed.
 */
export function int8Static(options: Int8StaticOptions): Pass {
  return {
    name: 'int8-static',
    needs: CLEAN,
    changes: 'has convolutions, matrix products and what lies between them work on 8-bit integers',
    holds: [...CLEAN, LOADABLE_DEQUANTIZE],
    edit(graph) {
      const report = new ReportBuilder();
      const roles = planInt8(graph, options, report);
      const parametersOf = shareScales(graph, roles, options);
      const values = new QuantizedValues(graph, options.activations ?? 'u8', parametersOf);
      const weights = new QuantizedWeights(graph, values, options);
      const taken = new Set(roles.flatMap(({ inputs }) => inputs));
      for (const role of roles) {
        quantizeRole({ graph, values, weights, parametersOf, taken }, role);
        report.handle(role.node);
        if (role.clamp !== undefined) report.handle(role.clamp.node);
      }
      return report.report();
    },
  };
}

/** The runtime refuses ONNX's own DequantizeLinear with scales by channel below opset 13. */
const LOADABLE_DEQUANTIZE: Condition = {
  text: 'below opset 13 the quantizing operators this pass adds are those of com.microsoft',
  problem({ graph, opsetImport }) {
    const opset = opsetImport.find(({ domain }) => isDefaultDomain(domain))?.version ?? 0n;
    if (opset >= 13n) return undefined;
    const wrong = graph?.node.find(
      ({ domain, opType, attribute }) =>
        isDefaultDomain(domain) &&
        opType === 'DequantizeLinear' &&
        attribute.some(({ name }) => name === 'axis'),
    );
    return wrong === undefined ? undefined : `'${wrong.name}' is not`;
  },
};

function quantizeRole(work: Work, role: Role): void {
  switch (role.kind) {
    case 'linear':
      quantizeLinear(work, role);
      return;
    case 'arithmetic':
      quantizeArithmetic(work, role);
      return;
    case 'direct':
      quantizeDirect(work, role);
      return;
  }
}

function quantizeLinear(work: Work, role: Role): void {
  const { graph, values, weights, parametersOf, taken } = work;
  const { node, linear } = role;
  if (linear === undefined) return;
  graph.setInput(node, 0, values.floatsOf(linear.input));
  weights.replace(linear, parametersOf(linear.input).scale);
  // Its factor is in the integer bias.
  node.attribute = node.attribute.filter(({ name }) => name !== 'beta');
  // Matrix products can give floats, which loses nothing where nobody needs integers; convolutions cannot.
  if (node.opType === 'Conv' || taken.has(role.output)) divertOutput(work, role);
}

function quantizeArithmetic(work: Work, role: Role): void {
  const { graph, values } = work;
  for (const [index, name] of role.node.input.entries()) {
    const isActivation = role.inputs.includes(name);
    if (isActivation) graph.setInput(role.node, index, values.floatsOf(name));
    else if (name !== '') graph.setInput(role.node, index, values.constant(name));
  }
  divertOutput(work, role);
}

/** Has a node (with the clamp taken into it) give its output by way of integers. */
function divertOutput({ graph, values }: Work, { node, output, clamp }: Role): void {
  if (clamp !== undefined) graph.remove(clamp.node);
  const raw = graph.fresh(`${output}_raw`);
  graph.setOutput(node, 0, raw);
  values.divert(raw, output);
}

function quantizeDirect({ graph, values }: Work, { node, inputs, output }: Role): void {
  const [input = ''] = inputs;
  graph.setInput(node, 0, values.integersOf(input));
  // What stands for 0 among the integers is the zero point.
  if (node.opType === 'Pad') graph.setInput(node, 2, values.zeroPointOf(input));
  const integers = graph.fresh(`${output}_quantized`);
  graph.setOutput(node, 0, integers);
  values.define(integers, output);
}
