/**
 * A JavaScript number holds integers exactly up to 2^53 - 1; INT64 and UINT64 tensors go further. Node 20's
 * `JSON.parse` gives no access to the source text, so the text is rewritten instead.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const DOT = 0x2e;
/** 2^53 has 16 digits: shorter integers are exact. */
const LONG_DIGITS = 16;

/**
 * Valid JSON text with every integer of 16 digits or more as a string of the same digits, so that `JSON.parse`
 * keeps them. Numbers with a fraction or an exponent, and the contents of strings, stay as they are.
 */
export function quoteLongIntegers(json: string): string {
  let quoted = '';
  let copied = 0;
  let index = 0;
  while (index < json.length) {
    const code = json.charCodeAt(index);
    if (code === QUOTE) {
      index = endOfString(json, index);
    } else if (code === MINUS || isDigit(code)) {
      const end = endOfNumber(json, index);
      if (end - index >= LONG_DIGITS && isInteger(json, index, end)) {
        quoted += `${json.slice(copied, index)}"${json.slice(index, end)}"`;
        copied = end;
      }
      index = end;
    } else {
      index += 1;
    }
  }
  return quoted + json.slice(copied);
}

/** The index after the closing quote of the string that starts at `index`. */
function endOfString(json: string, index: number): number {
  let next = index + 1;
  while (next < json.length && json.charCodeAt(next) !== QUOTE) {
    next += json.charCodeAt(next) === BACKSLASH ? 2 : 1;
  }
  return next + 1;
}

function endOfNumber(json: string, index: number): number {
  let end = index + 1;
  while (end < json.length && isNumberPart(json.charCodeAt(end))) end += 1;
  return end;
}

function isInteger(json: string, from: number, to: number): boolean {
  for (let index = from + 1; index < to; index++) {
    if (!isDigit(json.charCodeAt(index))) return false;
  }
  return true;
}

function isNumberPart(code: number): boolean {
  return isDigit(code) || code === DOT || code === 0x65 || code === 0x45 || code === MINUS || code === 0x2b;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
