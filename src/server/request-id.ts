import { randomName } from '../lib/random-name.ts';

const VALID = /^[\x21-\x7e]{1,128}$/;
const prefix = randomName(12);
let count = 0;

/** The id a client gave its request (1 to 128 visible ASCII characters), else one of this process's own. */
export function nextRequestId(given: string | string[] | undefined): string {
  if (typeof given === 'string' && VALID.test(given)) return given;
  count += 1;
  return `${prefix}-${count.toString(36)}`;
}
