import type { Command } from 'commander';
import { printable } from '../graph/describe.ts';
import type { ModelSummary, ValueSummary } from '../graph/summary.ts';
import { formatBytes } from './format-bytes.ts';
import { formatTable, printJson, printLines } from './output.ts';

/** Adds `selvage inspect FILE.onnx`: what is in a model file, after the checks that an import makes. */
export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .description('show what is in an ONNX file, or why it cannot be used')
    .argument('<file>', 'the ONNX file')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  selvage inspect examples/models/clothes.onnx')
    .action(async (file: string, options: { json?: boolean }) => {
      const summary = await inspect(file);
      if (options.json === true) printJson(summary);
      else printLines(describeSummary(summary));
    });
}

/** Reads, checks and summarizes a model file; throws what `readModel` and `checkModel` throw. */
async function inspect(file: string): Promise<ModelSummary> {
  const { readModel } = await import('../graph/read-model.ts');
  const { checkModel } = await import('../graph/check-model.ts');
  const { summarize } = await import('../graph/summary.ts');
  const loaded = await readModel(file);
  checkModel(loaded.model, loaded);
  return summarize(loaded);
}

/** The summary for people. Names come from the file, so they are made safe for a terminal. */
function describeSummary(summary: ModelSummary): string {
  const opsets = Object.entries(summary.opsets).map(([domain, version]) => `${printable(domain)} ${version}`);
  const producer = summary.producer === '' ? '' : `, made by ${printable(summary.producer)}`;
  const { count, sizeBytes } = summary.parameters;
  const sections = [
    `${summary.path}: ${formatBytes(summary.sizeBytes)}, IR version ${summary.irVersion}, ${opsets.join(', ')}${producer}\n` +
      `${summary.nodeCount} nodes, ${count.toLocaleString('en')} parameters in ${formatBytes(sizeBytes)}`,
    formatValues('INPUT', summary.inputs),
    formatValues('OUTPUT', summary.outputs),
    formatTable(summary.operators, [
      { title: 'OPERATOR', value: ({ operator }) => printable(operator) },
      { title: 'NODES', value: (row) => row.count, align: 'right' },
    ]),
  ];
  if (summary.externalFiles.length > 0) {
    sections.push(
      formatTable(summary.externalFiles, [
        { title: 'EXTERNAL FILE', value: ({ location }) => printable(location) },
        { title: 'SIZE', value: (row) => row.sizeBytes && formatBytes(row.sizeBytes), align: 'right' },
      ]),
    );
  }
  if (Object.keys(summary.metadata).length > 0) {
    sections.push(
      formatTable(Object.entries(summary.metadata), [
        { title: 'METADATA', value: ([key]) => printable(key) },
        { title: 'VALUE', value: ([, value]) => printable(value) },
      ]),
    );
  }
  return sections.join('\n\n');
}

function formatValues(title: string, values: readonly ValueSummary[]): string {
  return formatTable(values, [
    { title, value: ({ name }) => printable(name) },
    { title: 'DATATYPE', value: ({ datatype }) => printable(datatype) },
    { title: 'SHAPE', value: ({ dims }) => formatShape(dims) },
  ]);
}

/** `batch × 3 × 224 × 224`; `?` for a dimension without a name or number. */
function formatShape(dims: ValueSummary['dims']): string {
  if (dims === undefined) return 'any';
  if (dims.length === 0) return 'scalar';
  return dims.map((dim) => (typeof dim === 'string' ? printable(dim) : (dim ?? '?'))).join(' × ');
}
