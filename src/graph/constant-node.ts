import { tensor } from './build-model.ts';
import { copyMessage } from './copy-message.ts';
import { isDefaultDomain } from './describe.ts';
import type { NodeProto, TensorProto } from './gen/onnx_pb.ts';

/** Whether a node is ONNX's Constant. */
export function isConstantNode(node: NodeProto): boolean {
  return node.opType === 'Constant' && isDefaultDomain(node.domain);
}

/**
 * What a Constant node holds, as a tensor with the name of its output; undefined for other nodes, strings and sparse
 * tensors. Attributes as in ONNX's Constant-13.
 */
export function constantTensor(node: NodeProto): TensorProto | undefined {
  const [name] = node.output;
  const [value] = node.attribute;
  if (!isConstantNode(node) || name === undefined || value === undefined || node.attribute.length > 1) {
    return undefined;
  }
  switch (value.name) {
    case 'value': {
      if (value.t === undefined) return undefined;
      const copy = copyMessage(value.t);
      copy.name = name;
      return copy;
    }
    case 'value_float':
      return tensor(name, 'FP32', [], Float32Array.of(value.f));
    case 'value_floats':
      return tensor(name, 'FP32', [value.floats.length], Float32Array.from(value.floats));
    case 'value_int':
      return tensor(name, 'INT64', [], BigInt64Array.of(value.i));
    case 'value_ints':
      return tensor(name, 'INT64', [value.ints.length], BigInt64Array.from(value.ints));
    default:
      return undefined;
  }
}
