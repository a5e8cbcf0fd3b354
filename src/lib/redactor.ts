/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

const MAX_DEPTH = 6;
const MAX_ENTRIES = 64;
const MAX_STRING_CHARS = 4096;
const MAX_TOTAL_CHARS = 24 * 1024;
const MAX_CAUSES = 5;
/** What a value counts for beside its text, so that many small values are bounded too. */
const VALUE_CHARS = 4;

const SECRET_WORDS = new Set([
  'authorization',
  'cookie',
  'credential',
  'credentials',
  'passphrase',
  'passwd',
  'password',
  'secret',
  'secrets',
  'token',
]);
const SECRET_PAIRS = /\b(?:api|private|signing) key\b/;

interface Walk {
  readonly stacks: boolean;
  charsLeft: number;
}

/**
 * Turns any values into plain data that is safe to log: secrets are replaced, by the name of their key and by their
 * own value wherever it appears in a text; errors become objects; depth, entries and length are bounded.
 */
export class Redactor {
  #secrets: readonly string[] = [];

  /** Replaces the values that must never show; empty strings are ignored. */
  setSecrets(secrets: readonly string[]): void {
    const forms = secrets
      .filter((secret) => secret !== '')
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
    // A secret that contains another one has to be replaced first.
    this.#secrets = [...new Set(forms)].sort((one, other) => other.length - one.length);
  }

  /** A text without secrets, cut at 4,096 characters. */
  text(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret, REDACTED);
    if (clean.length <= MAX_STRING_CHARS) return clean;
    return `${clean.slice(0, MAX_STRING_CHARS)}… (${clean.length - MAX_STRING_CHARS} more characters)`;
  }

  /** Fields of a log line as plain data; error stacks are kept only where `stacks` says so. */
  fields(fields: Readonly<Record<string, unknown>>, options: { stacks: boolean }): Record<string, unknown> {
    return this.#object(fields, 0, { stacks: options.stacks, charsLeft: MAX_TOTAL_CHARS });
  }

  #value(value: unknown, depth: number, walk: Walk): unknown {
    if (walk.charsLeft <= 0) return '…';
    walk.charsLeft -= VALUE_CHARS;
    switch (typeof value) {
      case 'string':
        return this.#bounded(value, walk);
      case 'number':
        return Number.isFinite(value) ? value : String(value);
      case 'bigint':
        return value.toString();
      case 'boolean':
        return value;
      case 'object':
        return value === null ? null : this.#composite(value, depth, walk);
      default:
        return undefined;
    }
  }

  #composite(value: object, depth: number, walk: Walk): unknown {
    if (value instanceof Error) return this.#error(value, depth, walk);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (depth >= MAX_DEPTH) return '[too deep]';
    if (Array.isArray(value)) {
      const shown = value.slice(0, MAX_ENTRIES).map((item) => this.#value(item, depth + 1, walk) ?? null);
      return value.length > MAX_ENTRIES ? [...shown, `… (${value.length - MAX_ENTRIES} more)`] : shown;
    }
    return this.#object(value, depth, walk);
  }

  #object(value: object, depth: number, walk: Walk): Record<string, unknown> {
    const entries = Object.entries(value);
    const plain: Record<string, unknown> = Object.create(null);
    for (const [index, [key, item]] of entries.entries()) {
      if (index === MAX_ENTRIES || walk.charsLeft <= 0) {
        plain['…'] = `${entries.length - index} more`;
        break;
      }
      if (item === undefined) continue;
      plain[this.#bounded(key, walk)] = namesSecret(key) ? REDACTED : this.#value(item, depth + 1, walk);
    }
    return plain;
  }

  #error(error: Error, depth: number, walk: Walk): Record<string, unknown> {
    const { code, hint } = error as { code?: unknown; hint?: unknown };
    const cause = depth < MAX_CAUSES ? error.cause : undefined;
    return {
      type: this.#bounded(error.name, walk),
      code: typeof code === 'string' || typeof code === 'number' ? this.#value(code, depth, walk) : undefined,
      message: this.#bounded(error.message, walk),
      hint: typeof hint === 'string' ? this.#bounded(hint, walk) : undefined,
      cause: cause === undefined ? undefined : this.#value(cause, depth + 1, walk),
      stack: walk.stacks && error.stack !== undefined ? this.#bounded(error.stack, walk) : undefined,
    };
  }

  #bounded(text: string, walk: Walk): string {
    const clean = this.text(text);
    const left = Math.max(walk.charsLeft, 0);
    walk.charsLeft -= clean.length;
    return clean.length <= left ? clean : `${clean.slice(0, left)}…`;
  }
}

/** Whether a key such as `apiKey`, `access_token` or `Authorization` names a secret (`tokenizer` does not). */
export function namesSecret(key: string): boolean {
  const words = key
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.some((word) => SECRET_WORDS.has(word)) || SECRET_PAIRS.test(words.join(' '));
}
