/**
 * The small value formats of /proc and /sys. Each reader gives undefined for what it does not understand, so that
 * a malformed file is "no data" and never a wrong number.
 */

/** A decimal integer alone on a line, such as a temperature in millidegrees. */
export function parseInteger(text: string): number | undefined {
  const trimmed = text.trim();
  if (!/^[+-]?\d{1,20}$/.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : undefined;
}

/** A hexadecimal integer of at most 32 bits, with or without `0x`, such as `50005` of get_throttled. */
export function parseHex(text: string): number | undefined {
  const match = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(text.trim());
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16);
}

/** A size with an optional K, M or G, such as `512K` of a cache, in bytes. */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d{1,15})([KMG]?)$/i.exec(text.trim());
  if (match === null) return undefined;
  const shift = { '': 0, K: 10, M: 20, G: 30 }[(match[2] ?? '').toUpperCase()] ?? 0;
  return Number(match[1]) * 2 ** shift;
}

/** Most CPUs a list may name: the kernel's own largest configuration. */
const MAX_CPUS = 8192;

/** A list of CPUs such as `0-3,8`, ascending and without repeats. */
export function parseCpuList(text: string): number[] | undefined {
  const cpus = new Set<number>();
  for (const part of text.trim().split(',')) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (last < first || last >= MAX_CPUS) return undefined;
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** Lines of `name<separator>value` as a map; the first of equal names wins, other lines are skipped. */
export function parseFields(text: string, separator: ':' | '=' | ' '): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(separator);
    if (at <= 0) continue;
    const name = line.slice(0, at).trim();
    if (!fields.has(name)) fields.set(name, line.slice(at + 1).trim());
  }
  return fields;
}

/** `12345 kB` of /proc/meminfo in bytes. */
export function parseKib(text: string | undefined): number | undefined {
  const match = /^(\d{1,15})\s*kB$/.exec(text?.trim() ?? '');
  return match === null ? undefined : Number(match[1]) * 1024;
}

/** The NUL-separated strings of a device-tree property. */
export function parseStringList(text: string): string[] {
  return text
    .split('\0')
    .map((part) => cleanText(part))
    .filter((part): part is string => part !== undefined);
}

/**
 * A name as the machine gives it, safe to print: control characters (terminal escapes among them) and repeated
 * blanks become one blank, and it ends after `maxLength` characters. Undefined when nothing is left.
 */
export function cleanText(text: string | undefined, maxLength = 120): string | undefined {
  const printable = text
    ?.slice(0, maxLength * 4)
    .replace(/[\p{C}\p{Z}\ufffd]+/gu, ' ')
    .trim()
    .slice(0, maxLength);
  return printable === undefined || printable === '' ? undefined : printable;
}
