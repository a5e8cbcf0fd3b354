import type { SelvageError } from '../lib/errors.ts';
import { jsonReply, type TextReply } from './reply.ts';

/** Header of an error reply that holds the code of the error table, for clients of Selvage's own. */
export const ERROR_CODE_HEADER = 'selvage-error';

/** Seconds after which a client that was turned away may ask again. */
const RETRY_AFTER_SECONDS = '1';

/** An error as the protocol shows it: the status of the error table and `{"error": text}`. */
export function errorReply(error: SelvageError, furtherHeaders: readonly string[] = []): TextReply {
  const status = error.httpStatus;
  const headers = [ERROR_CODE_HEADER, error.code, ...furtherHeaders];
  if (status === 429 || status === 503) headers.push('Retry-After', RETRY_AFTER_SECONDS);
  return jsonReply(status, { error: error.message }, headers);
}
