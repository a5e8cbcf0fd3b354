import { join, resolve } from 'node:path';
import type { Problem } from './problems.ts';
import { decodeUtf8, readBounded } from './read-file.ts';
import { type SourceFile, type SourceNode, type SourceScalar, scalarsOf } from './source.ts';

/**
 * References to secrets inside strings: `${env:NAME}`, `${file:PATH}`, `${credential:NAME}`; `$${` stands for the
 * characters `${`.
 */

const MAX_SECRET_BYTES = 64 * 1024;
const MAX_REFERENCES = 256;
const MAX_EXPANDED_LENGTH = 4 * 1024 * 1024;

/** Where references get their values. */
export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory of the unit's credentials; undefined where there is none. */
  readonly credentialsDir: string | undefined;
}

/** A string that held references. */
export interface Resolved {
  /** With the secrets filled in. */
  readonly value: string;
  /** With the references, paths in them absolute; what may be shown. */
  readonly shown: string;
  /** The secrets in it. */
  readonly secrets: readonly string[];
}

/** The outcome for all strings of a configuration. Strings without references are not in `resolved`. */
export interface Resolution {
  readonly resolved: ReadonlyMap<SourceScalar, Resolved>;
  /** Strings that could not be resolved: nothing more can be said about their values. */
  readonly broken: ReadonlySet<SourceScalar>;
  /** References that are written wrongly. */
  readonly malformed: readonly Problem[];
  /** References whose secret is not there. */
  readonly unresolved: readonly Problem[];
}

interface Reference {
  readonly kind: 'env' | 'file' | 'credential';
  readonly argument: string;
}

type Part = string | Reference;
type Secret = { readonly value: string } | { readonly problem: string };

/** Resolves every reference in the strings of a configuration. Each secret is read once. */
export async function resolveReferences(root: SourceNode, sources: SecretSources): Promise<Resolution> {
  const resolved = new Map<SourceScalar, Resolved>();
  const broken = new Set<SourceScalar>();
  const malformed: Problem[] = [];
  const unresolved: Problem[] = [];
  const secrets = new Map<string, Secret>();
  let expandedLength = 0;

  for (const { path, scalar } of scalarsOf(root)) {
    if (typeof scalar.value !== 'string' || !scalar.value.includes('${')) continue;
    if (resolved.has(scalar) || broken.has(scalar)) continue;
    const fail = (problems: Problem[], text: string): void => {
      broken.add(scalar);
      problems.push({ at: scalar.mark, path, text });
    };
    const parts = parseTemplate(scalar.value, scalar.mark.file);
    if (parts === undefined) {
      fail(malformed, EXPECTED);
      continue;
    }
    const values: string[] = [];
    for (const part of parts) {
      if (typeof part === 'string') continue;
      const name = formatReference(part);
      let secret = secrets.get(name);
      if (secret === undefined) {
        secret = secrets.size < MAX_REFERENCES ? await readSecret(part, sources) : TOO_MANY;
        secrets.set(name, secret);
      }
      if ('value' in secret) values.push(secret.value);
      else fail(unresolved, `${name} cannot be resolved: ${secret.problem}`);
    }
    if (broken.has(scalar)) continue;
    const one = fillIn(parts, values);
    expandedLength += one.value.length;
    if (expandedLength <= MAX_EXPANDED_LENGTH) resolved.set(scalar, one);
    else fail(malformed, `expected at most ${MAX_EXPANDED_LENGTH} characters with secrets filled in`);
  }
  return { resolved, broken, malformed, unresolved };
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the syntax of a reference
const EXPECTED =
  'expected ${env:NAME}, ${file:PATH} or ${credential:NAME} where ${ stands; write $${ for the characters themselves';
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the syntax of a reference
const TOO_MANY: Secret = { problem: `there are more than ${MAX_REFERENCES} references` };

/** The text that stands for `text` itself in a configuration. */
export function escapeReferences(text: string): string {
  // A function, because `$$` in a replacement text stands for one `$`.
  return text.replaceAll('${', () => '$${');
}

/** Splits a string at its references; undefined where a `${` starts none. */
function parseTemplate(text: string, file: SourceFile): Part[] | undefined {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(/\$\$\{|\$\{(?:(env|file|credential):([^{}]+)\})?/g)) {
    parts.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    const [whole, kind, argument] = match;
    if (whole === '$${') parts.push('${');
    else if (kind === undefined || argument === undefined) return undefined;
    else if (kind === 'file') parts.push({ kind, argument: resolve(file.directory, argument) });
    else if (NAMES[kind as 'env' | 'credential'].test(argument)) {
      parts.push({ kind: kind as 'env' | 'credential', argument });
    } else return undefined;
  }
  return [...parts, text.slice(end)];
}

const NAMES = {
  env: /^[A-Za-z_][A-Za-z0-9_]{0,255}$/,
  // What systemd takes as the name of a credential, without names that leave its directory.
  credential: /^(?!\.{1,2}$)[A-Za-z0-9._@-]{1,255}$/,
} as const;

function formatReference({ kind, argument }: Reference): string {
  return `\${${kind}:${argument}}`;
}

function fillIn(parts: readonly Part[], values: readonly string[]): Resolved {
  let used = 0;
  const value = parts.map((part) => (typeof part === 'string' ? part : (values[used++] ?? ''))).join('');
  const shown = parts
    .map((part) => (typeof part === 'string' ? escapeReferences(part) : formatReference(part)))
    .join('');
  return { value, shown, secrets: values };
}

async function readSecret({ kind, argument }: Reference, sources: SecretSources): Promise<Secret> {
  if (kind === 'env') return check(sources.env[argument], 'the environment variable is not set');
  if (kind === 'file') return readSecretFile(argument);
  if (sources.credentialsDir === undefined) return { problem: 'CREDENTIALS_DIRECTORY is not set' };
  return readSecretFile(join(sources.credentialsDir, argument));
}

async function readSecretFile(path: string): Promise<Secret> {
  const read = await readBounded(path, MAX_SECRET_BYTES);
  if (!('bytes' in read)) return { problem: read.missing ? `there is no file ${path}` : read.problem };
  const text = decodeUtf8(read.bytes);
  if (text === undefined) return { problem: 'expected UTF-8 text, found other bytes' };
  return check(text.replace(/\r?\n$/, ''), '');
}

function check(value: string | undefined, missing: string): Secret {
  if (value === undefined) return { problem: missing };
  if (value === '') return { problem: 'it is empty' };
  if (Buffer.byteLength(value) > MAX_SECRET_BYTES) return { problem: `it is over ${MAX_SECRET_BYTES} bytes` };
  return { value };
}
