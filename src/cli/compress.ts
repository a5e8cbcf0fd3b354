import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CompressReport, CompressRequest, VariantReport } from '../catalogue/compress/job-messages.ts';
import { METHODS, type Method } from '../catalogue/compress/recipe.ts';
import { configPath } from '../config/paths.ts';
import type { TaskConfig } from '../config/schema.ts';
import { SelvageError } from '../lib/errors.ts';
import { formatBytes } from './format-bytes.ts';
import { formatTable, printJson, printLines } from './output.ts';

interface CompressOptions {
  readonly data: string;
  readonly labels?: string;
  readonly task?: string;
  readonly config: string;
  readonly methods: string;
  readonly maxAccuracyDrop: string;
  readonly budget: string;
  readonly seed: string;
  readonly out: string;
  readonly json?: boolean;
}

const HELP = `
MODEL is an ONNX file, or the name of a model of the configuration. DATA is a folder of images, a .npy or .npz file
(inputs by name, first axis samples), or JSON lines of inference requests. Images are prepared as the model's task
says: that of the configuration, or a YAML file with the same keys as models.NAME.task, given with --task.

Calibration, choosing and judging use different samples. A variant is accepted when it loses no more accuracy than
--max-accuracy-drop and is faster or smaller; docs/compression.md says more.

Examples:
  $ selvage compress clothes.onnx --data photos.npz --out compressed
  $ selvage compress clothes.onnx --data photos/ --task task.yaml --labels labels.csv --out compressed
  $ selvage compress clothes --data photos/ --budget 60 --out compressed
`;

/** Adds `selvage compress`: makes smaller and faster forms of a model and proves what they cost. */
export function registerCompress(program: Command): void {
  program
    .command('compress <model>')
    .description('make smaller and faster forms of a model, and measure what each costs in accuracy')
    .requiredOption('--data <path>', 'samples of what the model sees in use')
    .requiredOption('--out <dir>', 'folder for the variants, made where it is missing')
    .option('--labels <file>', 'the right class of each sample: .csv, .tsv, .npy, or one a line')
    .option('--task <file>', 'YAML file that says how the model takes images')
    .option('-c, --config <file>', 'configuration, for a model by name', configPath())
    .option('--methods <list>', 'what to make, separated by commas', METHODS.join(','))
    .option(
      '--max-accuracy-drop <fraction>',
      'largest loss that is accepted; 0.01 is one percentage point',
      '0.01',
    )
    .option(
      '--budget <seconds>',
      'time to search for better recipes; 0 makes one variant of each method',
      '0',
    )
    .option('--seed <n>', 'decides which samples are used for what', '0')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(compress);
}

async function compress(model: string, options: CompressOptions): Promise<void> {
  const request = await requestOf(model, options);
  const { runCompress } = await import('../catalogue/compress/run-compress.ts');
  const { progressDisplay } = await import('./progress.ts');
  const abort = new AbortController();
  const cancel = () => abort.abort(SelvageError.of('CANCELLED', {}));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, cancel);
  const display = progressDisplay();
  try {
    const { report, warnings } = await runCompress(request, {
      signal: abort.signal,
      onProgress: display.show,
    });
    display.end();
    for (const warning of warnings) process.stderr.write(`selvage: ${warning}\n`);
    if (options.json === true) printJson(report);
    else printLines(...describeReport(report, request.out));
  } catch (error) {
    display.end();
    throw error;
  }
}

async function requestOf(model: string, options: CompressOptions): Promise<CompressRequest> {
  const named = await modelOf(model, options);
  return {
    ...named,
    data: resolve(options.data),
    labels: options.labels === undefined ? undefined : resolve(options.labels),
    methods: methodsOf(options.methods),
    maxAccuracyDrop: numberOf('--max-accuracy-drop', options.maxAccuracyDrop, 0, 1),
    budgetSeconds: numberOf('--budget', options.budget, 0, 86_400),
    seed: numberOf('--seed', options.seed, 0, 2 ** 32 - 1, Number.isInteger),
    out: resolve(options.out),
  };
}

/** A file where there is one of that name or it looks like one; else a model of the configuration. */
async function modelOf(
  model: string,
  { task, config }: CompressOptions,
): Promise<{ readonly model: string; readonly task: TaskConfig | undefined }> {
  const isFile = model.includes('/') || model.endsWith('.onnx') || (await exists(model));
  if (isFile) return { model: resolve(model), task: await taskOf(task) };
  const { loadConfig } = await import('../config/load.ts');
  const { models } = (await loadConfig(config)).config;
  const found = models[model];
  if (found === undefined) {
    const known = Object.keys(models).join(', ') || 'none';
    throw SelvageError.of('MODEL_NOT_FOUND', { model, known });
  }
  if (found.source === undefined) {
    throw SelvageError.of('USAGE', {
      problem: `model '${model}' has variants: name the file of the float one`,
    });
  }
  return { model: found.source, task: (await taskOf(task)) ?? found.task };
}

async function taskOf(path: string | undefined): Promise<TaskConfig | undefined> {
  if (path === undefined) return undefined;
  const { loadTask } = await import('../config/load-task.ts');
  return loadTask(path);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function methodsOf(list: string): Method[] {
  const names = list.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !METHODS.some((method) => method === name));
  if (wrong !== undefined) {
    throw SelvageError.of('USAGE', {
      problem: `--methods: there is no '${wrong}'; there are ${METHODS.join(', ')}`,
    });
  }
  return METHODS.filter((method) => names.includes(method));
}

function numberOf(
  option: string,
  text: string,
  min: number,
  max: number,
  fits: (value: number) => boolean = Number.isFinite,
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (fits(value) && value >= min && value <= max) return value;
  throw SelvageError.of('USAGE', {
    problem: `${option}: expected a number from ${min} to ${max}, found '${text}'`,
  });
}

/** The report for people: one row a variant, then why each was refused, then where the files are. */
function describeReport(report: CompressReport, out: string): string[] {
  const { float, variants } = report;
  const rows = [{ id: 'float', status: '', agreement: undefined, speed: null, ...float }, ...variants];
  const table = formatTable<(typeof rows)[number]>(rows, [
    { title: 'VARIANT', value: ({ id }) => id },
    {
      title: 'SIZE',
      value: ({ sizeBytes }) => (sizeBytes === 0 ? undefined : formatBytes(sizeBytes)),
      align: 'right',
    },
    { title: 'SPEED', value: ({ speed }) => speedText(speed), align: 'right' },
    { title: 'ACCURACY', value: ({ accuracy }) => percent(accuracy), align: 'right' },
    { title: 'AGREEMENT', value: ({ agreement }) => percent(agreement), align: 'right' },
    { title: 'VERDICT', value: ({ status }) => status },
  ]);
  const refused = variants.filter(({ status }) => status === 'refused');
  const reasons = refused.map(({ id, reason }) => `${id}: ${reason}`);
  const accepted = variants.length - refused.length;
  const seconds = `${report.seconds.toFixed(1)} s, ${formatBytes(report.peakRssBytes)} of memory at most`;
  return [
    table,
    ...(reasons.length > 0 ? ['', ...reasons] : []),
    '',
    accepted === 0
      ? `Nothing better than the float model (${seconds}); the figures are in ${out}/manifest.json`
      : `${accepted} of ${variants.length} variants accepted (${seconds}); they are in ${out}`,
  ];
}

/** `1.98× (1.93–2.01)` */
function speedText(speed: VariantReport['speed']): string | undefined {
  if (speed === null) return undefined;
  const [median, low, high] = [speed.median, speed.low, speed.high].map((value) => value.toFixed(2));
  return `${median}× (${low}–${high})`;
}

function percent(part: number | undefined): string | undefined {
  return part === undefined ? undefined : `${(part * 100).toFixed(1)} %`;
}
