import { MAX_SERIES } from '../../src/lib/prometheus.ts';
import { METRIC_TABLE } from '../../src/metrics.ts';
import { code, markdownTable } from './markdown.ts';

const INTRO = `# Metrics

Generated from the table in \`src/metrics.ts\` by \`npm run generate\`.

\`GET /metrics\` on the inference socket answers in the text format of Prometheus (version 0.0.4):

\`\`\`sh
curl --unix-socket /run/selvage/selvage.sock http://localhost/metrics
\`\`\`

Durations are in seconds, sizes in bytes. Counters start at 0 with the agent. \`code\` and \`result\` are \`ok\` or a
code of [errors.md](errors.md). A metric has at most ${MAX_SERIES} series; what comes beyond is counted under labels
\`other\`. A metric that has no series yet is left out.
`;

/** docs/metrics.md: every metric with its labels and meaning, and the buckets of the histograms. */
export function metricsPage(): string {
  const metrics = Object.values(METRIC_TABLE);
  const rows = metrics.map(({ type, name, help, labels }) => [
    code(name),
    type,
    labels.map((label) => code(label)).join(', '),
    help,
  ]);
  const buckets = metrics.flatMap((metric) =>
    'buckets' in metric ? [[code(metric.name), metric.buckets.join(', ')]] : [],
  );
  return `${INTRO}
${markdownTable(['Name', 'Type', 'Labels', 'Meaning'], rows)}

## Buckets of the histograms

Upper bounds in the unit of the metric; an infinite one follows.

${markdownTable(['Name', 'Buckets'], buckets)}
`;
}
