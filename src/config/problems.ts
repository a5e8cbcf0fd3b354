import { SelvageError } from '../lib/errors.ts';
import type { Mark, SettingPath, SourceFile } from './source.ts';

/** Problems that one error names; of more only the number is said. */
const MAX_PROBLEMS = 20;
const MAX_KEY_LENGTH = 64;

/** Something wrong with a configuration. */
export interface Problem {
  /** Where it stands; a file where it concerns all of it. */
  readonly at: Mark | SourceFile;
  /** The setting; empty where it concerns the file or the whole configuration. */
  readonly path: SettingPath;
  /** What was expected and what was found. Holds no value of a secret. */
  readonly text: string;
}

/** The error for a wrong configuration: one line per problem, in the order of the files. */
export function invalidConfig(problems: readonly Problem[]): SelvageError {
  return SelvageError.of('CONFIG_INVALID', { problems: formatProblems(problems) });
}

/** The error for references that cannot be resolved: one line each, in the order of the files. */
export function unresolvedSecrets(problems: readonly Problem[]): SelvageError {
  return SelvageError.of('CONFIG_SECRET', { problems: formatProblems(problems) });
}

function formatProblems(problems: readonly Problem[]): string {
  const lines = [...problems].sort(comparePlaces).map(formatProblem);
  const rest = lines.length - MAX_PROBLEMS;
  if (rest <= 0) return lines.join('\n');
  return [...lines.slice(0, MAX_PROBLEMS), `and ${rest} more ${rest === 1 ? 'problem' : 'problems'}`].join(
    '\n',
  );
}

function comparePlaces({ at: a }: Problem, { at: b }: Problem): number {
  const byFile = fileOf(a).order - fileOf(b).order;
  if (byFile !== 0 || !('line' in a && 'line' in b)) return byFile;
  return a.line - b.line || a.column - b.column;
}

function fileOf(at: Mark | SourceFile): SourceFile {
  return 'file' in at ? at.file : at;
}

function formatProblem({ at, path, text }: Problem): string {
  const { shown } = fileOf(at);
  const place = 'line' in at ? `${shown}:${at.line}:${at.column}` : shown;
  const line = path.length === 0 ? `${place}: ${text}` : `${place}: ${formatPath(path)}: ${text}`;
  // A key or a file name may hold line breaks or terminal controls.
  return line.replace(/\p{Cc}/gu, '?');
}

/** A setting's path as people write it: `models.clothes.task.mean[0]`. */
export function formatPath(path: SettingPath): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      if (!/^[A-Za-z0-9_-]{1,64}$/.test(key)) return `[${JSON.stringify(clip(key, MAX_KEY_LENGTH))}]`;
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}

/** A text of at most `length` characters, with an ellipsis where it was cut. */
export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
