import type { Resolved } from './references.ts';
import { alternativesOf, childSchemas, isRecord, type SchemaNode } from './schema-node.ts';
import type { SourceNode, SourceScalar } from './source.ts';

/**
 * The plain value of a source tree, with references filled in. A setting without a value (`null`) counts as not
 * given, which lets a later file take back what an earlier one says; unknown names keep theirs, to be refused.
 */
export function plainValue(
  root: SourceNode,
  schema: SchemaNode,
  resolved: ReadonlyMap<SourceScalar, Resolved>,
): unknown {
  const value = filledIn(root, resolved);
  return withoutUnset(value, alternativesOf(schema, value));
}

function filledIn(node: SourceNode, resolved: ReadonlyMap<SourceScalar, Resolved>): unknown {
  if (node.kind === 'scalar') return resolved.get(node)?.value ?? node.value;
  if (node.kind === 'list') return node.items.map((item) => filledIn(item, resolved));
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, filledIn(entry.node, resolved)]));
}

function withoutUnset(value: unknown, schemas: readonly SchemaNode[]): unknown {
  if (Array.isArray(value)) {
    return value.map((item, index) => withoutUnset(item, childSchemas(schemas, value, index)));
  }
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).flatMap(([key, child]) => {
    const below = childSchemas(schemas, value, key);
    return child === null && below.length > 0 ? [] : [[key, withoutUnset(child, below)] as const];
  });
  return Object.fromEntries(entries);
}
