import { isAbsolute } from 'node:path';
import { escapeReferences, type Resolution, type Resolved } from './references.ts';
import type { SchemaNode } from './schema-node.ts';
import { isPath, mapSettings } from './settings.ts';
import { findSource, markOf, type SettingPath, type SourceNode } from './source.ts';

/** A configuration as it may be shown, and the secrets that it hides. */
export interface Redacted {
  readonly shown: unknown;
  readonly secrets: readonly string[];
}

/** Puts references back in the place of what came from them. The result can be loaded and gives the same values. */
export function redact(
  config: unknown,
  schema: SchemaNode,
  root: SourceNode,
  resolution: Resolution,
): Redacted {
  const secrets = new Set<string>();
  const shown = mapSettings(config, schema, (setting) => {
    const { path, value, kinds, isEnum } = setting;
    if (typeof value !== 'string') return value;
    const resolved = resolvedAt(root, path, resolution);
    if (resolved !== undefined) {
      // One of a few published words is no secret, and taking it out of every log line would spoil them.
      if (!isEnum) for (const secret of resolved.secrets) secrets.add(secret);
      return isPath(setting) && !isAbsolute(resolved.value)
        ? `${escapeReferences(markOf(root, path, 'value').file.directory)}/${resolved.shown}`
        : resolved.shown;
    }
    if (!kinds.includes('secret')) return escapeReferences(value);
    secrets.add(value);
    return '(secret)';
  });
  return { shown, secrets: [...secrets] };
}

/** What the references at a path became; undefined where the string there holds none. */
export function resolvedAt(
  root: SourceNode,
  path: SettingPath,
  resolution: Resolution,
): Resolved | undefined {
  const node = findSource(root, path);
  return node?.kind === 'scalar' ? resolution.resolved.get(node) : undefined;
}
