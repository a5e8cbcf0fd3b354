import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configSchema } from '../../src/config/schema.ts';
import { describeSchema, type SchemaNode } from '../../src/config/schema-node.ts';
import { packageRoot } from '../../src/lib/paths.ts';
import { code, markdownTable } from './markdown.ts';
import { defaultText, rangeText, typeText } from './schema-text.ts';

/** docs/configuration.md: the introduction beside this file, then every setting. */
export function configurationPage(): string {
  const intro = readFileSync(join(packageRoot, 'scripts/pages/configuration-intro.md'), 'utf8');
  return `${intro}\n${sections({ path: '', map: describeSchema(configSchema), notes: [] }).join('\n\n')}\n`;
}

/** A map of settings with where it stands and what is said of it and of what it stands in. */
interface Section {
  readonly path: string;
  readonly map: SchemaNode;
  readonly notes: readonly string[];
}

/** A section for every map of settings: its own settings in a table, then the maps in it. */
function sections({ path, map, notes }: Section): string[] {
  const properties = Object.entries(map.properties ?? {});
  const rows = properties
    .filter(([, property]) => mapsIn('', property).length === 0)
    .map(([name, property]) => row(name, property, map.required?.includes(name) ?? false));
  const below = properties.flatMap(([name, property]) =>
    mapsIn(path === '' ? name : `${path}.${name}`, property).flatMap(sections),
  );
  const own = [path === '' ? '### Top level' : `### ${code(path)}`];
  if (path !== '') own.push(notes.join(' '));
  if (rows.length > 0) own.push(markdownTable(['Setting', 'Type', 'Default', 'Range', 'Meaning'], rows));
  return [...own, ...below];
}

/** The maps of settings that a property stands for: itself, the entries of a map of names, the options of a choice. */
function mapsIn(path: string, schema: SchemaNode): Section[] {
  return mapsBelow(path, schema).map((section) => {
    const notes = schema.description === undefined ? section.notes : [schema.description, ...section.notes];
    return { ...section, notes: [...new Set(notes)] };
  });
}

function mapsBelow(path: string, schema: SchemaNode): Section[] {
  const options = schema.oneOf ?? schema.anyOf;
  if (options !== undefined) {
    return options.flatMap((option) => {
      const type = option.properties?.['type']?.const;
      return mapsIn(type === undefined ? path : `${path} (type: ${String(type)})`, option);
    });
  }
  if (schema.properties !== undefined) return [{ path, map: schema, notes: [] }];
  if (!schema.additionalProperties) return [];
  const pattern = schema.propertyNames?.pattern;
  const naming = pattern === undefined ? [] : [`NAME is ${code(pattern)}.`];
  return mapsIn(`${path}.NAME`, schema.additionalProperties).map((section) => ({
    ...section,
    notes: section.path === `${path}.NAME` ? [...section.notes, ...naming] : section.notes,
  }));
}

function row(name: string, schema: SchemaNode, isRequired: boolean): string[] {
  return [
    code(name),
    typeText(schema),
    isRequired ? 'required' : defaultText(name, schema),
    rangeText(name, schema),
    schema.description ?? '',
  ];
}
