import { elementTypeLabel } from './element-types.ts';
import type { NodeProto, TensorProto } from './gen/onnx_pb.ts';

const MAX_SHOWN = 120;

/** A name from a file, safe to show: in quotes, control characters escaped, cut at 120 characters. */
export function quoted(name: string): string {
  return `'${printable(name)}'`;
}

/** Text from a file, safe to show on a terminal: control characters escaped, cut at 120 characters. */
export function printable(text: string): string {
  const cut = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  // Controls, line separators and the characters that reverse the direction of text.
  return cut.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A node for a message: its name, or its place in the graph where it has none, and its operator. */
export function describeNode(node: NodeProto, index: number): string {
  const operator = printable(operatorName(node));
  return node.name === '' ? `node #${index} (${operator})` : `node ${quoted(node.name)} (${operator})`;
}

/** The operator of a node, with its domain where that is not ONNX's own. */
export function operatorName(node: NodeProto): string {
  return isDefaultDomain(node.domain) ? node.opType : `${node.domain}:${node.opType}`;
}

/** Whether a domain is ONNX's own, which has two names. */
export function isDefaultDomain(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx';
}

/** A tensor for a message: its name, datatype and shape. */
export function describeTensor(tensor: TensorProto): string {
  const shape = tensor.dims.slice(0, 16).join(',');
  return `tensor ${quoted(tensor.name)} (${elementTypeLabel(tensor.dataType)}[${shape}])`;
}
