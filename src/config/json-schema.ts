import { configSchema } from './schema.ts';
import { describeSchema } from './schema-node.ts';

/** The JSON schema of the configuration for editors and other tools (draft 2020-12). */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = withoutExtensions(describeSchema(configSchema)) as Record<string, unknown>;
  return { $schema, title: 'Configuration of Selvage', ...rest };
}

/** Validators in strict mode refuse keywords that they do not know. */
function withoutExtensions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutExtensions);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !key.startsWith('x-'));
  return Object.fromEntries(entries.map(([key, part]) => [key, withoutExtensions(part)]));
}
