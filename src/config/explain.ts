import type * as z from 'zod';
import { clip, type Problem } from './problems.ts';
import { alternativesOf, childSchemas, knownKeys, type SchemaNode } from './schema-node.ts';
import { findSource, markOf, type SettingPath, type SourceNode } from './source.ts';
import { suggest } from './suggest.ts';

type Issue = z.core.$ZodIssue;

/** What an explanation is made from. */
export interface Explained {
  readonly tree: SourceNode;
  readonly schema: SchemaNode;
  /** The value that was checked. */
  readonly value: unknown;
  /** Whether the value at a path is a secret or holds one, so that it must not be shown. */
  readonly isSecret: (path: SettingPath) => boolean;
}

const MAX_SHOWN_VALUE = 40;
const MAX_LISTED_NAMES = 12;

/** An issue of zod as problems: what was expected, what was found, where. */
export function explainIssue(issue: Issue, context: Explained, prefix: SettingPath = []): Problem[] {
  const path = [...prefix, ...settingPath(issue.path)];
  const at = (text: string): Problem[] => [{ at: markOf(context.tree, path, 'value'), path, text }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, path, context));
    case 'invalid_key': {
      const text = issue.issues[0]?.message ?? 'expected another name';
      return [{ at: markOf(context.tree, path, 'key'), path, text }];
    }
    case 'invalid_union':
      return explainUnion(issue, path, context);
    case 'custom':
      return at(issue.message);
    default: {
      const expected = expectationOf(issue);
      if (findSource(context.tree, path) === undefined) return at(`missing; ${expected}`);
      return at(`${expected}, received ${received(path, context, issue)}`);
    }
  }
}

function settingPath(path: readonly PropertyKey[]): SettingPath {
  return path.map((key) => (typeof key === 'number' ? key : String(key)));
}

function unknownKey(key: string, parent: SettingPath, context: Explained): Problem {
  const path = [...parent, key];
  const known = knownKeys(schemasAt(parent, context)) ?? [];
  const similar = suggest(key, known);
  const text =
    similar === undefined
      ? `unknown setting; known here are ${listNames(known)}`
      : `unknown setting; did you mean "${similar}"?`;
  return { at: markOf(context.tree, path, 'key'), path, text };
}

function listNames(names: readonly string[]): string {
  const more = names.length - MAX_LISTED_NAMES;
  return names.slice(0, MAX_LISTED_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function schemasAt(path: SettingPath, { schema, value }: Explained): SchemaNode[] {
  let schemas = alternativesOf(schema, value);
  let at = value;
  for (const key of path) {
    schemas = childSchemas(schemas, at, key);
    at = (at as Record<string, unknown>)[key];
  }
  return schemas;
}

/** Of a union, the alternative that was meant: the one whose own type fits; else all that could stand there. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, path: SettingPath, context: Explained): Problem[] {
  const meant = issue.errors.find((issues) => !issues.some((one) => isTypeOfAll(one)));
  if (meant !== undefined) return meant.flatMap((one) => explainIssue(one, context, path));
  const mark = markOf(context.tree, path, 'value');
  const options =
    'options' in issue && Array.isArray(issue.options)
      ? issue.options.map((option) => JSON.stringify(option))
      : issue.errors.flatMap((issues) => issues.filter(isTypeOfAll).map((one) => nameOfType(one.expected)));
  const expected = `expected ${orList([...new Set(options)])}`;
  if (findSource(context.tree, path) === undefined) return [{ at: mark, path, text: `missing; ${expected}` }];
  return [{ at: mark, path, text: `${expected}, received ${received(path, context)}` }];
}

function isTypeOfAll(issue: Issue): issue is z.core.$ZodIssueInvalidType {
  return issue.code === 'invalid_type' && issue.path.length === 0;
}

function expectationOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${nameOfType(issue.expected)}`;
    case 'too_small':
      return `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${amount(issue.origin, issue.minimum)}`;
    case 'too_big':
      return `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${amount(issue.origin, issue.maximum)}`;
    case 'invalid_value':
      return `expected ${orList(issue.values.map((value) => JSON.stringify(value)))}`;
    default:
      return issue.message;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: 'integer',
  object: 'map',
  record: 'map',
  array: 'list',
  tuple: 'list',
};

function nameOfType(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

function amount(origin: string, limit: number | bigint): string {
  if (origin === 'string') return `${limit} ${limit === 1 ? 'character' : 'characters'}`;
  if (origin === 'array') return `${limit} ${limit === 1 ? 'item' : 'items'}`;
  return String(limit);
}

function orList(options: readonly string[]): string {
  return options.length < 2 ? options.join() : `${options.slice(0, -1).join(', ')} or ${options.at(-1)}`;
}

/** What stands in the file at a path, in words, as far as it may be shown. */
export function received(path: SettingPath, context: Explained, issue?: Issue): string {
  const node = findSource(context.tree, path);
  if (node === undefined) return 'nothing';
  if (node.kind === 'map') return 'map';
  if (node.kind === 'list') return issue?.code === 'invalid_type' ? 'list' : `list of ${node.items.length}`;
  if (node.value === null) return 'nothing';
  const type = typeof node.value;
  if (context.isSecret(path)) return `${type} (not shown)`;
  if (type === 'string')
    return `string ${JSON.stringify(clip(String(node.value), MAX_SHOWN_VALUE))}${similar(node.value, issue)}`;
  const quote = issue?.code === 'invalid_type' && issue.expected === 'string' ? '; put it in quotes' : '';
  return `${type} ${clip(node.text, MAX_SHOWN_VALUE)}${quote}`;
}

function similar(value: unknown, issue: Issue | undefined): string {
  if (issue?.code !== 'invalid_value') return '';
  const found = suggest(String(value), issue.values.map(String));
  return found === undefined ? '' : `; did you mean ${JSON.stringify(found)}?`;
}
