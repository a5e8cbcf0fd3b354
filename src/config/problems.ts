import { SelvageError } from '../lib/errors.ts';
import type { Mark, SettingPath } from './source.ts';

/** Problems that one error names; of more only the number is said. */
const MAX_PROBLEMS = 20;
const MAX_KEY_LENGTH = 64;

/** Something wrong with a configuration. */
export interface Problem {
  /** Where it stands; a text where it concerns a whole file. */
  readonly at: Mark | string;
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
  const files = [...new Set(problems.map((problem) => fileOf(problem)))];
  const lines = [...problems]
    .sort((a, b) => files.indexOf(fileOf(a)) - files.indexOf(fileOf(b)) || compareMarks(a.at, b.at))
    .map(formatProblem);
  const rest = lines.length - MAX_PROBLEMS;
  if (rest <= 0) return lines.join('\n');
  return [...lines.slice(0, MAX_PROBLEMS), `and ${rest} more ${rest === 1 ? 'problem' : 'problems'}`].join(
    '\n',
  );
}

function fileOf({ at }: Problem): string {
  return typeof at === 'string' ? at : at.file.shown;
}

function compareMarks(a: Mark | string, b: Mark | string): number {
  if (typeof a === 'string' || typeof b === 'string') return 0;
  return a.line - b.line || a.column - b.column;
}

function formatProblem({ at, path, text }: Problem): string {
  const place = typeof at === 'string' ? at : `${at.file.shown}:${at.line}:${at.column}`;
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
