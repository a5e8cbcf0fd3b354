import type { AttributeProto, NodeProto } from './gen/onnx_pb.ts';

/** The attribute of a node with this name, or undefined where the node leaves it to its default. */
export function attributeOf(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}

/** An integer attribute, or `missing` where the node does not have it. */
export function intAttribute(node: NodeProto, name: string, missing: number): number {
  const found = attributeOf(node, name);
  return found === undefined ? missing : Number(found.i);
}

/** A float attribute, or `missing` where the node does not have it. */
export function floatAttribute(node: NodeProto, name: string, missing: number): number {
  return attributeOf(node, name)?.f ?? missing;
}

/** A string attribute, or `missing` where the node does not have it. */
export function textAttribute(node: NodeProto, name: string, missing: string): string {
  const found = attributeOf(node, name);
  return found === undefined ? missing : new TextDecoder().decode(found.s);
}
