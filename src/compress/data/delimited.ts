/**
 * The rows of comma- or tab-separated text (RFC 4180: a field may stand in double quotes, a quote in it doubled; in
 * tab-separated text quotes are plain characters). Blank lines are left out. Returns what is wrong as a string.
 */
export function parseDelimited(text: string, delimiter: ',' | '\t'): string[][] | string {
  if (delimiter === '\t') {
    return text.split(/\r?\n/).flatMap((line) => (line.trim() === '' ? [] : [line.split('\t')]));
  }
  const rows: string[][] = [];
  let row: string[] = [];
  // One field with what ends it: a quoted or a plain one, then a comma, the end of the line or of the text.
  const field = /\s*"((?:[^"]|"")*)"[^\S\n]*(,|\r?\n|$)|([^,\n]*)(,|\n|$)/y;
  while (field.lastIndex < text.length || row.length > 0) {
    const start = field.lastIndex;
    const match = field.exec(text);
    if (match === null) return `the text after character ${start} is not comma-separated`;
    const [, quoted, quotedEnd, plain = '', plainEnd = ''] = match;
    if (quoted === undefined && plain.trimStart().startsWith('"')) {
      return `a quoted field in row ${rows.length + 1} is not closed`;
    }
    row.push(quoted === undefined ? plain.replace(/\r$/, '') : quoted.replaceAll('""', '"'));
    if ((quotedEnd ?? plainEnd) === ',') {
      if (field.lastIndex < text.length) continue;
      row.push('');
    }
    if (row.length > 1 || row[0]?.trim() !== '') rows.push(row);
    row = [];
  }
  return rows;
}
