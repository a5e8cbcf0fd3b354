import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { clip, type Problem } from './problems.ts';
import { type Mark, type SettingPath, type SourceEntry, type SourceNode, sizeOf } from './source.ts';

/** Values a configuration may hold with its aliases written out: an alias bomb is stopped here. */
export const MAX_VALUES = 50_000;

interface Conversion {
  readonly markAt: (offset: number) => Mark;
  readonly anchors: Map<string, SourceNode>;
  readonly problems: Problem[];
  /** Whether a value was left out, so that the rest is not worth checking. */
  incomplete: boolean;
}

/** A source tree with the problems met on the way; `complete` unless values had to be left out. */
export interface ConvertedDocument {
  readonly root: SourceNode;
  readonly problems: readonly Problem[];
  readonly complete: boolean;
}

/**
 * Turns a YAML document into a source tree; no document, or one without a value, gives `empty`. An alias shares
 * the node that it names, so an alias bomb costs nothing until its size is found to be too much.
 */
export function sourceFromDocument(
  document: Document.Parsed | undefined,
  markAt: (offset: number) => Mark,
  empty: SourceNode,
): ConvertedDocument {
  const into: Conversion = { markAt, anchors: new Map(), problems: [], incomplete: false };
  const root = convert(document?.contents ?? null, [], empty.mark, into);
  if (root.kind !== 'map' && (root.kind === 'list' || root.value !== null)) {
    leaveOut(root.mark, [], 'expected a map of settings at the top of the file', into);
  }
  const { problems, incomplete } = into;
  return { root: root.kind === 'map' ? root : empty, problems, complete: !incomplete };
}

function convert(node: ParsedNode | null, path: SettingPath, fallback: Mark, into: Conversion): SourceNode {
  if (node === null) return nothing(fallback);
  const mark = into.markAt(node.range[0]);
  if (isAlias(node)) {
    const name = JSON.stringify(clip(node.source, 64));
    const missing = `expected an anchor set before the alias, found none named ${name}`;
    return into.anchors.get(node.source) ?? leaveOut(mark, path, missing, into);
  }
  const made = convertValue(node, path, mark, into);
  const tooMany = `expected at most ${MAX_VALUES} values with aliases written out`;
  const kept = made.size > MAX_VALUES ? leaveOut(mark, path, tooMany, into) : made;
  if (node.anchor !== undefined) into.anchors.set(node.anchor, kept);
  return kept;
}

function convertValue(node: ParsedNode, path: SettingPath, mark: Mark, into: Conversion): SourceNode {
  if (isMap(node)) return convertMap(node as YAMLMap.Parsed, path, mark, into);
  if (isSeq(node)) {
    const { items } = node as YAMLSeq.Parsed;
    const converted = items.map((item, index) => convert(item, [...path, index], mark, into));
    return { kind: 'list', mark, size: sizeOf(converted), items: converted };
  }
  return isScalar(node) ? convertScalar(node, mark) : nothing(mark);
}

function convertMap(node: YAMLMap.Parsed, path: SettingPath, mark: Mark, into: Conversion): SourceNode {
  const entries = new Map<string, SourceEntry>();
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value ?? '') : '';
    const keyMark = into.markAt(pair.key.range[0]);
    const first = entries.get(key)?.keyMark;
    if (first !== undefined) {
      const text = `duplicate key, first given at ${first.line}:${first.column}`;
      into.problems.push({ at: keyMark, path: [...path, key], text });
    } else if (key === '__proto__') {
      into.problems.push({ at: keyMark, path: [...path, key], text: 'this name is not allowed' });
    } else {
      entries.set(key, { keyMark, node: convert(pair.value, [...path, key], keyMark, into) });
    }
  }
  return { kind: 'map', mark, size: sizeOf([...entries.values()].map((entry) => entry.node)), entries };
}

function convertScalar(node: Scalar, mark: Mark): SourceNode {
  const { value } = node;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', mark, size: 1, value, text: node.source ?? String(value) };
  }
  return nothing(mark);
}

function leaveOut(mark: Mark, path: SettingPath, text: string, into: Conversion): SourceNode {
  into.problems.push({ at: mark, path, text });
  into.incomplete = true;
  return nothing(mark);
}

function nothing(mark: Mark): SourceNode {
  return { kind: 'scalar', mark, size: 1, value: null, text: '' };
}
