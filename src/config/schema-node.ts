import * as z from 'zod';

/**
 * A schema as plain data (JSON Schema 2020-12, the keywords zod writes): what messages, the reference page and the
 * checks walk, so that only `schema.ts` knows zod's own types.
 */
export interface SchemaNode {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean';
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | false;
  readonly propertyNames?: SchemaNode;
  readonly items?: SchemaNode | false;
  readonly prefixItems?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly 'x-kind'?: SettingKind;
}

/**
 * What a string setting means beyond its type: a `path` or the path of a Unix `socket` is resolved against the
 * file that says it, a `cron` expression is checked, a `secret` is never shown.
 */
export type SettingKind = 'path' | 'socket' | 'cron' | 'secret';

/** A zod schema, as a file gives it (defaults not yet filled in), as plain data. */
export function describeSchema(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: 'input' }) as SchemaNode;
}

/** The schema without unions: every alternative that `value` may have been meant for. */
export function alternativesOf(schema: SchemaNode, value: unknown): SchemaNode[] {
  const options = schema.anyOf ?? schema.oneOf;
  if (options === undefined) return [schema];
  const all = options.flatMap((option) => alternativesOf(option, value));
  const meant = all.filter((option) => isMeantFor(option, value));
  return meant.length > 0 ? meant : all;
}

/** The schemas that may describe `value[key]`, where `schemas` may describe `value`. */
export function childSchemas(
  schemas: readonly SchemaNode[],
  value: unknown,
  key: string | number,
): SchemaNode[] {
  const child = isRecord(value) || Array.isArray(value) ? (value as Record<string, unknown>)[key] : undefined;
  return schemas.flatMap((schema) => {
    const found =
      typeof key === 'number' ? (schema.prefixItems?.[key] ?? schema.items) : propertyOf(schema, key);
    return found ? alternativesOf(found, child) : [];
  });
}

/** The names a map may hold by these schemas; undefined where it may hold any. */
export function knownKeys(schemas: readonly SchemaNode[]): string[] | undefined {
  if (schemas.some((schema) => schema.additionalProperties)) return undefined;
  return [...new Set(schemas.flatMap((schema) => Object.keys(schema.properties ?? {})))];
}

/** Whether a value is a map. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function propertyOf(schema: SchemaNode, key: string): SchemaNode | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  return schema.additionalProperties || undefined;
}

function isMeantFor(schema: SchemaNode, value: unknown): boolean {
  if (isRecord(value)) {
    const fixed = Object.entries(schema.properties ?? {}).filter(
      ([, property]) => property.const !== undefined,
    );
    return schema.type === 'object' && fixed.every(([key, property]) => value[key] === property.const);
  }
  if (Array.isArray(value)) return schema.type === 'array';
  if (typeof value === 'number') return schema.type === 'number' || schema.type === 'integer';
  return schema.type === typeof value;
}
