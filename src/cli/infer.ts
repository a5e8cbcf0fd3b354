import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { reasonOf, SelvageError } from '../lib/errors.ts';
import type { PredictResponse } from '../serving/service.ts';
import { inferenceSocket } from './agent-sockets.ts';
import { formatTable, printJson, printLines } from './output.ts';

interface InferOptions {
  readonly socket: string;
  readonly json?: boolean;
  readonly topK?: string;
}

/** The answer to an infer request, as far as it is shown; its outputs are JSON because none were asked in binary. */
interface InferAnswer {
  readonly model_name: string;
  readonly outputs: readonly InferOutput[];
}

interface InferOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[];
}

const SHOWN_ELEMENTS = 8;
const TIMEOUT_MS = 3_600_000;

const EXAMPLES = `
FILE is an image (JPEG, PNG, WebP) for the model's task, or a request of the Open Inference Protocol as JSON (a name
that ends in .json). With --top-k the task reads the outputs of a JSON request too.

Examples:
  $ selvage infer clothes photo.jpg
  $ selvage infer clothes photo.jpg --top-k 1 --json | jq -r .predictions[0].label
  $ selvage infer clothes request.json
`;

/** Adds `selvage infer`. */
export function registerInfer(program: Command): void {
  program
    .command('infer <model> <file>')
    .description('send a file to a model of the running agent and show its answer')
    .option('--top-k <n>', "predictions to show; by default as many as the model's task says")
    .option('--socket <path>', 'inference socket of the agent', inferenceSocket())
    .option('--json', "print the agent's answer as JSON")
    .addHelpText('after', EXAMPLES)
    .action(inferFile);
}

async function inferFile(model: string, file: string, options: InferOptions): Promise<void> {
  const body = await readFile(file).catch((thrown: unknown) => {
    throw SelvageError.of('USAGE', { problem: `${file}: ${reasonOf(thrown)}` }, thrown);
  });
  const isRequest = file.toLowerCase().endsWith('.json');
  if (isRequest && options.topK === undefined) {
    const answer = await post(
      options,
      `/v2/models/${encodeURIComponent(model)}/infer`,
      body,
      'application/json',
    );
    if (options.json) printJson(answer);
    else printLines(outputsTable(answer as InferAnswer));
    return;
  }
  const query = options.topK === undefined ? '' : `?top_k=${encodeURIComponent(options.topK)}`;
  const type = isRequest ? 'application/json' : await imageType(body);
  const answer = await post(options, `/predict/${encodeURIComponent(model)}${query}`, body, type);
  if (options.json) printJson(answer);
  else printLines(predictionsTable(answer as PredictResponse));
}

async function post({ socket }: InferOptions, path: string, body: Buffer, type: string): Promise<unknown> {
  const { agentRequest } = await import('./agent-client.ts');
  const headers = { 'content-type': type };
  const { json } = await agentRequest(socket, 'POST', path, body, { headers, timeoutMs: TIMEOUT_MS });
  if (json !== undefined) return json;
  const problem = 'the request asks for outputs in binary, which cannot be shown; leave binary_data out';
  throw SelvageError.of('USAGE', { problem });
}

/** By the file's first bytes: its name may lie, and the agent says best what it does not read. */
async function imageType(body: Buffer): Promise<string> {
  const { imageFormatOf } = await import('../tasks/image/image-format.ts');
  const format = imageFormatOf(body);
  return format === undefined ? 'application/octet-stream' : `image/${format}`;
}

/** Predictions as a table for people, and below it who answered. */
export function predictionsTable({ model, variant, latencyMs, predictions }: PredictResponse): string {
  const table = formatTable(predictions, [
    { title: 'LABEL', value: ({ label }) => label },
    { title: 'INDEX', value: ({ index }) => index, align: 'right' },
    { title: 'PROBABILITY', value: ({ probability }) => probability.toFixed(4), align: 'right' },
  ]);
  return `${table}\n\n${model} (${variant}), ${latencyMs.toFixed(1)} ms`;
}

/** The outputs of an infer request as a table for people, each with its first elements. */
export function outputsTable({ outputs }: InferAnswer): string {
  return formatTable(outputs, [
    { title: 'OUTPUT', value: ({ name }) => name },
    { title: 'DATATYPE', value: ({ datatype }) => datatype },
    { title: 'SHAPE', value: ({ shape }) => `[${shape.join(',')}]` },
    { title: 'DATA', value: ({ data = [] }) => firstElements(data) },
  ]);
}

function firstElements(data: readonly unknown[]): string {
  const shown = data.slice(0, SHOWN_ELEMENTS).map((element) => JSON.stringify(element));
  return data.length > SHOWN_ELEMENTS ? `${shown.join(' ')} … (${data.length})` : shown.join(' ');
}
