import type { CST } from 'yaml';

/**
 * The parser of `yaml` calls itself for every level of nesting, and a deep enough file ends the whole process
 * (V8 cannot compile a regular expression at the end of its stack, which nothing can catch). So the depth is
 * measured first, on what the package makes without recursion.
 */

const FLOW_START = new Set(['[', '{']);
const FLOW_END = new Set([']', '}']);

/** Depth of brackets in a token stream; stops and says so after `maxTokens`. */
export function flowDepthOf(tokens: Iterable<string>, maxTokens: number): number | 'too-long' {
  let count = 0;
  let depth = 0;
  let deepest = 0;
  for (const token of tokens) {
    count += 1;
    if (count > maxTokens) return 'too-long';
    if (FLOW_START.has(token)) depth += 1;
    else if (FLOW_END.has(token)) depth = Math.max(depth - 1, 0);
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** Depth of maps and lists in the concrete syntax of a file. */
export function depthOf(tokens: readonly CST.Token[]): number {
  let level: Array<CST.Token> = [...tokens];
  let depth = 0;
  while (level.length > 0) {
    level = level.flatMap(childrenOf);
    depth += 1;
  }
  // The document and its scalars are levels here, but not of nesting.
  return depth - 2;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value];
  if (!('items' in token)) return [];
  return token.items.flatMap((item) =>
    [item.key, item.value].filter((part) => part !== undefined && part !== null),
  );
}
