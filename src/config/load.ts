import { dirname, resolve } from 'node:path';
import type * as z from 'zod';
import { checkSettings } from './check-settings.ts';
import { type Explained, explainIssue } from './explain.ts';
import { deepFreeze } from './freeze.ts';
import { plainValue } from './plain-value.ts';
import { invalidConfig, unresolvedSecrets } from './problems.ts';
import { readSources } from './read-sources.ts';
import { redact, resolvedAt } from './redact.ts';
import { type Resolution, resolveReferences, type SecretSources } from './references.ts';
import { type Config, configSchema } from './schema.ts';
import { describeSchema, type SchemaNode } from './schema-node.ts';
import { isPath, listSettings, mapSettings } from './settings.ts';
import { findSource, markOf, type SettingPath, type SourceNode } from './source.ts';

/** Where secrets come from; by default the environment of this process. */
export interface LoadOptions {
  readonly env?: SecretSources['env'];
  /** By default `CREDENTIALS_DIRECTORY` of `env`. */
  readonly credentialsDir?: string | undefined;
  /** Whether the file is the whole of it: nothing of a `conf.d` beside it is read. */
  readonly alone?: boolean;
}

/** A valid configuration: plain data, deep-frozen, so that it can cross a process boundary as JSON. */
export interface Loaded<Value> {
  /** With defaults and secrets filled in and paths absolute. Never to be shown. */
  readonly config: Value;
  /** The same with references in the place of secrets: what may be shown. It is itself a valid configuration. */
  readonly shown: unknown;
  /** The secrets in `config`, each once, for whatever must keep them out of its output. */
  readonly secrets: readonly string[];
  /** Absolute path of the main file. */
  readonly path: string;
  /** Absolute paths of all files, in the order they were merged. */
  readonly files: readonly string[];
  /** Directory of the main file. */
  readonly baseDir: string;
}

/** The configuration of the agent, as loaded. */
export type LoadedConfig = Loaded<Config>;

/**
 * Loads the configuration at `path` with the files of `conf.d` beside it. Throws CONFIG_NOT_FOUND; CONFIG_INVALID
 * with all problems found; CONFIG_SECRET where all else is right but a secret is not there.
 */
export function loadConfig(path: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  return loadWith(configSchema, path, options);
}

/** `loadConfig` for any schema. */
export async function loadWith<Schema extends z.ZodType>(
  schema: Schema,
  path: string,
  options: LoadOptions,
): Promise<Loaded<z.output<Schema>>> {
  const { root, files, problems, complete } = await readSources(path, options);
  if (!complete || root === undefined) throw invalidConfig(problems);

  const env = options.env ?? process.env;
  const credentialsDir = options.credentialsDir ?? env['CREDENTIALS_DIRECTORY'];
  const resolution = await resolveReferences(root, { env, credentialsDir });
  const schemaNode = describeSchema(schema);
  const value = plainValue(root, schemaNode, resolution.resolved);
  const context = explanationContext(root, schemaNode, value, resolution);

  const checked = schema.safeParse(value);
  const issues = checked.success ? [] : checked.error.issues;
  const found = issues.flatMap((issue) => explainIssue(issue, context));
  const config = checked.success ? absolutePaths(checked.data, schemaNode, root) : undefined;
  if (config !== undefined) found.push(...(await checkSettings(listSettings(config, schemaNode), context)));

  const sure = found.filter((problem) => !isBroken(problem.path, root, resolution));
  const all = [...problems, ...resolution.malformed, ...sure];
  if (all.length > 0) throw invalidConfig(all);
  if (resolution.unresolved.length > 0) throw unresolvedSecrets(resolution.unresolved);
  return deepFreeze({
    config: config as z.output<Schema>,
    ...redact(config, schemaNode, root, resolution),
    path: resolve(path),
    files,
    baseDir: dirname(resolve(path)),
  });
}

function explanationContext(
  tree: SourceNode,
  schema: SchemaNode,
  value: unknown,
  resolution: Resolution,
): Explained {
  const secretPaths = listSettings(value, schema)
    .filter(({ kinds, path }) => kinds.includes('secret') || resolvedAt(tree, path, resolution) !== undefined)
    .map((setting) => JSON.stringify(setting.path));
  const secret = new Set(secretPaths);
  return { tree, schema, value, isSecret: (path) => secret.has(JSON.stringify(path)) };
}

/** A string that could not be resolved was checked as it stands: what was found there means nothing. */
function isBroken(path: SettingPath, root: SourceNode, resolution: Resolution): boolean {
  const node = findSource(root, path);
  return node?.kind === 'scalar' && resolution.broken.has(node);
}

/** Resolves every path against the directory of the file that says it; those of defaults are absolute. */
function absolutePaths(value: unknown, schema: SchemaNode, root: SourceNode): unknown {
  return mapSettings(value, schema, (setting) => {
    if (!isPath(setting)) return setting.value;
    return resolve(markOf(root, setting.path, 'value').file.directory, String(setting.value));
  });
}
