import type { SchemaNode } from '../../src/config/schema-node.ts';
import { code } from './markdown.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

const KINDS = {
  path: 'path',
  socket: 'path of a socket',
  cron: 'cron expression',
  secret: 'string, never shown',
} as const;

/** What kind of value a setting takes, in words. */
export function typeText(schema: SchemaNode): string {
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) return options.map(typeText).join(' or ');
  if (schema['x-kind'] !== undefined) return KINDS[schema['x-kind']];
  if (schema.const !== undefined) return code(String(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(', ');
  if (schema.prefixItems !== undefined)
    return `list of ${schema.prefixItems.length} ${plural(schema.prefixItems[0])}`;
  if (schema.items) return `list of ${plural(schema.items)}`;
  return schema.type ?? 'any';
}

/** The default of a setting as it would be written. */
export function defaultText(name: string, schema: SchemaNode): string {
  if (schema.default === undefined) return '–';
  const text = code(JSON.stringify(schema.default));
  return isBytes(name) ? `${text} (${sizeText(Number(schema.default))})` : text;
}

/** The bounds of a setting, in words; those of numbers only where they bound something. */
export function rangeText(name: string, schema: SchemaNode): string {
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined)
    return options.map((option) => rangeText(name, option)).find((text) => text !== '–') ?? '–';
  const element = schema.prefixItems?.[0] ?? (schema.items || undefined);
  const ofItems = element === undefined ? '–' : rangeText(name, element);
  const show = (limit: number): string => (isBytes(name) ? sizeText(limit) : String(limit));
  const parts = [
    between(schema.minItems, schema.maxItems, (limit) => `${limit} ${limit === 1 ? 'item' : 'items'}`),
    ofItems === '–' ? undefined : `each ${ofItems}`,
    schema.exclusiveMinimum === undefined ? undefined : `more than ${schema.exclusiveMinimum}`,
    between(schema.minimum, schema.maximum, show),
    schema.exclusiveMaximum === undefined ? undefined : `less than ${schema.exclusiveMaximum}`,
    schema.pattern === undefined ? undefined : code(schema.pattern),
  ];
  return parts.filter((part) => part !== undefined).join(', ') || '–';
}

function between(
  low: number | undefined,
  high: number | undefined,
  show: (limit: number) => string,
): string | undefined {
  if (low === undefined) return high === undefined ? undefined : `at most ${show(high)}`;
  if (high === undefined) return `at least ${show(low)}`;
  return low === high ? undefined : `${show(low)} to ${show(high)}`;
}

function plural(schema: SchemaNode | undefined): string {
  return `${schema === undefined ? 'value' : typeText(schema)}s`;
}

function isBytes(name: string): boolean {
  return name.endsWith('Bytes');
}

function sizeText(bytes: number): string {
  if (bytes >= GIB) return `${bytes / GIB} GiB`;
  return bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / 1024} KiB`;
}
