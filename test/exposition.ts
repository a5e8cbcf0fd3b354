/** One sample line of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with its samples. */
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
};

/**
 * Parses the text format, version 0.0.4, and throws at whatever breaks its rules: every family has its HELP and TYPE
 * once and before its samples, families are not mixed, names and escapes are valid, no series appears twice, counters
 * end in `_total`, histograms are cumulative and end in `+Inf` equal to their count.
 */
export function parseExposition(text: string): Family[] {
  const families: Family[] = [];
  if (text === '') return families;
  if (!text.endsWith('\n')) throw new Error('the last line has no line feed');
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP (\S+) (.*)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    const current = families.at(-1);
    if (help !== null) {
      const name = validName(help[1] ?? '');
      if (families.some((family) => family.name === name)) throw new Error(`${name} appears twice`);
      families.push({ name, type: '', help: unescapeText(help[2] ?? '', false), samples: [] });
    } else if (type !== null) {
      if (current === undefined || current.name !== type[1] || current.type !== '')
        throw new Error(`TYPE out of place: ${line}`);
      families[families.length - 1] = { ...current, type: type[2] ?? '' };
    } else {
      if (current === undefined || current.type === '') throw new Error(`sample before its TYPE: ${line}`);
      current.samples.push(parseSample(line, current));
    }
  }
  for (const family of families) checkFamily(family);
  return families;
}

function parseSample(line: string, family: Family): Sample {
  const match = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const name = validName(match[1] ?? '');
  const suffixes = SUFFIXES[family.type] ?? [];
  if (!suffixes.some((suffix) => name === family.name + suffix)) throw new Error(`${name} in ${family.name}`);
  return { name, labels: parseLabels(match[2] ?? ''), value: parseValue(match[3] ?? '') };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/y;
  while (pair.lastIndex < text.length) {
    const at = pair.lastIndex;
    const match = pair.exec(text);
    if (match === null) throw new Error(`not labels: ${text.slice(at)}`);
    const name = match[1] ?? '';
    if (name in labels) throw new Error(`label ${name} twice`);
    labels[name] = unescapeText(match[2] ?? '', true);
  }
  return labels;
}

function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  if (text === 'NaN') return Number.NaN;
  if (!/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text)) throw new Error(`not a number: ${text}`);
  return Number(text);
}

function unescapeText(text: string, quotes: boolean): string {
  return text.replace(/\\(.?)/g, (whole, character: string) => {
    if (character === 'n') return '\n';
    if (character === '\\' || (quotes && character === '"')) return character;
    throw new Error(`not an escape: ${whole}`);
  });
}

function validName(name: string): string {
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new Error(`not a metric name: ${name}`);
  return name;
}

function checkFamily(family: Family): void {
  const keys = family.samples.map((sample) =>
    JSON.stringify([sample.name, Object.entries(sample.labels).sort()]),
  );
  if (new Set(keys).size !== keys.length) throw new Error(`${family.name}: a series appears twice`);
  if ((family.type === 'counter') !== family.name.endsWith('_total'))
    throw new Error(`${family.name}: _total`);
  if (family.type !== 'histogram') return;
  const groups = new Map<string, Sample[]>();
  for (const sample of family.samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const group of groups.values()) checkHistogram(family.name, group);
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map((bucket) => parseValue(bucket.labels['le'] ?? 'none'));
  const counts = buckets.map((bucket) => bucket.value);
  const ascending = (values: number[], strictly: boolean) =>
    values.every((value, index) => {
      const before = values[index - 1];
      return before === undefined || (strictly ? value > before : value >= before);
    });
  if (!ascending(bounds, true)) throw new Error(`${name}: bounds do not ascend`);
  if (!ascending(counts, false)) throw new Error(`${name}: buckets are not cumulative`);
  if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name}: no +Inf bucket`);
  const count = samples.find((sample) => sample.name === `${name}_count`);
  if (count?.value !== counts.at(-1)) throw new Error(`${name}: count is not the last bucket`);
  if (!samples.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name}: no sum`);
}
