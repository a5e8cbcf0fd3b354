import { type Logger as Pino, pino } from 'pino';
import { type Clock, systemClock } from './clock.ts';
import { reasonOf } from './errors.ts';
import { type LineDestination, LineWriter } from './line-writer.ts';
import { Redactor } from './redactor.ts';
import { Repeats } from './repeats.ts';

/** How severe a line is; the keys of `log.level` in the configuration without `silent`. */
export type LogSeverity = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** Least severe level that is written. */
export type LogLevel = LogSeverity | 'silent';

const RANK: Record<LogLevel, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, silent: 99 };

/** Priorities of syslog(3) in the form journald reads at the start of a line, see sd-daemon(3). */
const JOURNAL_PREFIX: Record<LogSeverity, string> = {
  trace: '<7>',
  debug: '<7>',
  info: '<6>',
  warn: '<4>',
  error: '<3>',
};

/** Fields of a line beside `level`, `time` and `msg`. These names mean the same everywhere; any other may be added. */
export interface LogFields {
  readonly requestId?: string | undefined;
  readonly model?: string | undefined;
  readonly variant?: string | undefined;
  /** Code of the error table, where there is no `err` that carries it. */
  readonly code?: string | undefined;
  /** What went wrong: written with type, code, message, hint and causes, and at `debug` and `trace` with its stack. */
  readonly err?: unknown;
  readonly [name: string]: unknown;
}

/** Writes one line; the message is a constant text, what varies goes into fields (so that repeats can be told). */
export interface LogMethod {
  (message: string): void;
  (fields: LogFields, message: string): void;
}

/** Where a part of the agent writes what happened. Writing never throws and never waits. */
export interface Log {
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** A log that adds these fields to each of its lines; made once for a model or a part, not for a request. */
  child(fields: LogFields): Log;
  /** Whether a line of this severity would be written now: asked before costly fields are put together. */
  enabled(severity: LogSeverity): boolean;
}

/** The log of a process, with what only its composition root does. */
export interface RootLog extends Log {
  /** Changes the level for this log and all its children. */
  setLevel(level: LogLevel): void;
  /** Changes the values that must never show, for this log and all its children. */
  setSecrets(secrets: readonly string[]): void;
  /** A text without those values (and cut where it is long), for what is shown elsewhere than in the log. */
  redact(text: string): string;
  /** Writes pending counts of repeats and resolves when all lines have left the process: to be awaited before exit. */
  flush(): Promise<void>;
  /** Lines not written since the start: repeats, and lines given up because nobody read them. */
  readonly suppressed: number;
}

/** What `createLog` needs. */
export interface LogOptions {
  readonly level: LogLevel;
  /** Equal lines (same level, message, model and code; `info` and above) within this time are written once; 0 writes all. */
  readonly repeatWindowMs: number;
  readonly secrets?: readonly string[];
  /** Standard output unless given. */
  readonly destination?: LineDestination;
  readonly clock?: Clock;
  /** Start each line with its priority for journald (see `stdoutIsJournal`). */
  readonly journalPrefix?: boolean;
}

/**
 * Makes the log of this process: JSON lines of pino, with the level as a word and the time in ISO 8601 (UTC). What
 * pino does not do is added here: secrets are hidden wherever they appear, repeats are counted instead of written, and
 * lines are written off the main loop within bounds (see `LineWriter`).
 */
export function createLog(options: LogOptions): RootLog {
  return new BoundLog(new LogCore(options), {});
}

type Arguments = [message: string] | [fields: LogFields, message: string];

interface RepeatedLine {
  readonly severity: LogSeverity;
  readonly message: string;
  readonly model: string | undefined;
  readonly code: string | undefined;
}

/** What a log shares with all its children. */
class LogCore {
  readonly #destination: LineDestination;
  readonly #clock: Clock;
  readonly #redactor = new Redactor();
  readonly #repeats: Repeats<RepeatedLine> | undefined;
  readonly #journalPrefix: boolean;
  readonly #pino: Pino;
  #prefix = '';
  #rank: number;
  #suppressed = 0;

  constructor(options: LogOptions) {
    this.#destination = options.destination ?? new LineWriter(1);
    this.#clock = options.clock ?? systemClock;
    this.#journalPrefix = options.journalPrefix ?? false;
    this.#pino = pino(
      {
        level: 'trace', // What is written is decided in `log`, for repeats are counted there too.
        base: null,
        serializers: { err: (plain) => plain }, // Made plain, without secrets, by the redactor.
        formatters: { level: (label) => ({ level: label }) },
        timestamp: () => `,"time":"${new Date(this.#clock.now()).toISOString()}"`,
      },
      { write: (line) => this.#destination.write(this.#prefix + line) },
    );
    this.#rank = RANK[options.level];
    this.#redactor.setSecrets(options.secrets ?? []);
    if (options.repeatWindowMs > 0) {
      this.#repeats = new Repeats(options.repeatWindowMs, this.#clock, (line, repeated) => {
        const { severity, message, model, code } = line;
        this.#write(severity, { model, code, repeated }, message);
      });
    }
  }

  enabled(severity: LogSeverity): boolean {
    return RANK[severity] >= this.#rank;
  }

  setLevel(level: LogLevel): void {
    this.#rank = RANK[level];
  }

  setSecrets(secrets: readonly string[]): void {
    this.#redactor.setSecrets(secrets);
  }

  redact(text: string): string {
    return this.#redactor.text(text);
  }

  get suppressed(): number {
    return this.#suppressed + this.#destination.dropped;
  }

  async flush(): Promise<void> {
    this.#repeats?.flush();
    await this.#destination.flush();
  }

  log(severity: LogSeverity, bound: LogFields, args: Arguments): void {
    if (!this.enabled(severity)) return;
    const [own, message] = args.length === 1 ? [{}, args[0]] : args;
    try {
      const fields = { ...bound, ...own };
      if (this.#isRepeat(severity, fields, message)) this.#suppressed += 1;
      else this.#write(severity, fields, message);
    } catch (thrown) {
      // A getter or a proxy among the fields threw; the line itself is still worth writing.
      this.#write(severity, { unreadable: reasonOf(thrown) }, message);
    }
  }

  #isRepeat(severity: LogSeverity, fields: LogFields, message: string): boolean {
    if (this.#repeats === undefined || RANK[severity] < RANK.info) return false;
    const line: RepeatedLine = { severity, message, model: fields.model, code: codeOf(fields) };
    return !this.#repeats.first(JSON.stringify([severity, message, line.model, line.code]), line);
  }

  #write(severity: LogSeverity, fields: LogFields, message: string): void {
    const stacks = this.#rank <= RANK.debug;
    const { level, time, msg, ...free } = this.#redactor.fields(fields, { stacks });
    this.#prefix = this.#journalPrefix ? JOURNAL_PREFIX[severity] : '';
    this.#pino[severity](free, this.#redactor.text(message));
  }
}

class BoundLog implements RootLog {
  readonly #core: LogCore;
  readonly #fields: LogFields;

  constructor(core: LogCore, fields: LogFields) {
    this.#core = core;
    this.#fields = fields;
  }

  trace(...args: Arguments): void {
    this.#core.log('trace', this.#fields, args);
  }

  debug(...args: Arguments): void {
    this.#core.log('debug', this.#fields, args);
  }

  info(...args: Arguments): void {
    this.#core.log('info', this.#fields, args);
  }

  warn(...args: Arguments): void {
    this.#core.log('warn', this.#fields, args);
  }

  error(...args: Arguments): void {
    this.#core.log('error', this.#fields, args);
  }

  child(fields: LogFields): Log {
    return new BoundLog(this.#core, { ...this.#fields, ...fields });
  }

  enabled(severity: LogSeverity): boolean {
    return this.#core.enabled(severity);
  }

  setLevel(level: LogLevel): void {
    this.#core.setLevel(level);
  }

  setSecrets(secrets: readonly string[]): void {
    this.#core.setSecrets(secrets);
  }

  redact(text: string): string {
    return this.#core.redact(text);
  }

  flush(): Promise<void> {
    return this.#core.flush();
  }

  get suppressed(): number {
    return this.#core.suppressed;
  }
}

function codeOf(fields: LogFields): string | undefined {
  if (fields.code !== undefined) return fields.code;
  const { err } = fields;
  return typeof err === 'object' && err !== null && 'code' in err ? String(err.code) : undefined;
}
