import { alternativesOf, childSchemas, isRecord, type SchemaNode, type SettingKind } from './schema-node.ts';
import type { SettingPath } from './source.ts';

/** A value that is neither a map nor a list, with what its schema says of it. */
export interface Setting {
  readonly path: SettingPath;
  readonly value: unknown;
  readonly kinds: readonly SettingKind[];
  /** Whether only listed values are allowed. */
  readonly isEnum: boolean;
}

/** Whether a setting names a place in the file system. */
export function isPath({ kinds, value }: Setting): boolean {
  return typeof value === 'string' && (kinds.includes('path') || kinds.includes('socket'));
}

/** A copy of a value in which every setting is what `change` returns for it. */
export function mapSettings(
  value: unknown,
  schema: SchemaNode,
  change: (setting: Setting) => unknown,
): unknown {
  return mapBelow(value, alternativesOf(schema, value), [], change);
}

/** Every setting of a value, in order. */
export function listSettings(value: unknown, schema: SchemaNode): Setting[] {
  const settings: Setting[] = [];
  mapSettings(value, schema, (setting) => {
    settings.push(setting);
    return setting.value;
  });
  return settings;
}

function mapBelow(
  value: unknown,
  schemas: readonly SchemaNode[],
  path: SettingPath,
  change: (setting: Setting) => unknown,
): unknown {
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      mapBelow(item, childSchemas(schemas, value, index), [...path, index], change),
    );
  }
  if (isRecord(value)) {
    const entries = Object.entries(value).map(([key, child]) => [
      key,
      mapBelow(child, childSchemas(schemas, value, key), [...path, key], change),
    ]);
    return Object.fromEntries(entries);
  }
  const kinds = schemas.flatMap((schema) => schema['x-kind'] ?? []);
  const isEnum = schemas.some((schema) => schema.enum !== undefined || schema.const !== undefined);
  return change({ path, value, kinds, isEnum });
}
