import { createReadStream } from 'node:fs';
import { printable } from '../graph/describe.ts';
import { errnoInWords } from '../lib/errno.ts';
import { SelvageError } from '../lib/errors.ts';
import { quoteLongIntegers } from '../protocol/exact-integers.ts';
import type { PredictResponse } from '../serving/service.ts';
import { imageFormatOf } from '../tasks/image/image-format.ts';
import { agentRequest } from './agent-client.ts';
import type { InferOptions } from './infer.ts';
import { formatTable, printJson, printLines } from './output.ts';

/** The answer to an infer request, as far as it is shown; its outputs are JSON because none were asked in binary. */
interface InferAnswer {
  readonly outputs: readonly InferOutput[];
}

interface InferOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[];
}

const SHOWN_ELEMENTS = 8;
/** The most that any configuration lets the agent take as JSON or media. */
const MAX_INPUT_BYTES = 256 * 1024 * 1024;
/** A request has the time its model gives it; this only ends a wait for an agent that hangs. */
const TIMEOUT_MS = 3_600_000;

/** Sends a file, or standard input for `-`, to a model and prints the answer. */
export async function inferFile(model: string, file: string, options: InferOptions): Promise<void> {
  const body = await readInput(file);
  const format = imageFormatOf(body);
  const isRequest = format === undefined && (/\.json$/i.test(file) || startsWithBrace(body));
  const name = encodeURIComponent(model);
  const ask = (path: string, type: string) => {
    const headers = { 'content-type': type };
    return agentRequest(options.socket, 'POST', path, body, { headers, timeoutMs: TIMEOUT_MS, model });
  };

  if (isRequest && options.topK === undefined) {
    const answer = await ask(`/v2/models/${name}/infer`, 'application/json');
    if (answer.json === undefined) throw binaryAnswer();
    // As it came: an INT64 may have more digits than a number here.
    if (options.json) printLines(answer.body.toString());
    else printLines(outputsTable(JSON.parse(quoteLongIntegers(answer.body.toString())) as InferAnswer));
    return;
  }
  const query = options.topK === undefined ? '' : `?top_k=${options.topK}`;
  // The name of an image may lie; what neither is, the agent judges best.
  const media = format === undefined ? 'application/octet-stream' : `image/${format}`;
  const { json } = await ask(`/predict/${name}${query}`, isRequest ? 'application/json' : media);
  if (options.json) printJson(json);
  else printLines(predictionsTable(json as PredictResponse));
}

async function readInput(file: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  try {
    const stream = file === '-' ? process.stdin : createReadStream(file);
    for await (const piece of stream as AsyncIterable<Buffer>) {
      sizeBytes += piece.byteLength;
      if (sizeBytes > MAX_INPUT_BYTES) throw new Error(`it has more than ${MAX_INPUT_BYTES} bytes`);
      pieces.push(piece);
    }
  } catch (thrown) {
    const path = file === '-' ? 'standard input' : file;
    throw SelvageError.of('FILE_UNREADABLE', { path, reason: errnoInWords(thrown) }, thrown);
  }
  return Buffer.concat(pieces);
}

function startsWithBrace(body: Buffer): boolean {
  return /^\s*\{/.test(body.toString('latin1', 0, 256));
}

function binaryAnswer(): SelvageError {
  const problem = 'the request asks for outputs in binary, which cannot be shown; leave binary_data out';
  return SelvageError.of('USAGE', { problem });
}

/** Predictions as a table for people, and below it who answered. */
function predictionsTable({ model, variant, latencyMs, predictions }: PredictResponse): string {
  const table = formatTable(predictions, [
    { title: 'LABEL', value: ({ label }) => printable(label) },
    { title: 'INDEX', value: ({ index }) => index, align: 'right' },
    { title: 'PROBABILITY', value: ({ probability }) => probability.toFixed(4), align: 'right' },
  ]);
  return `${table}\n\n${model} (${variant}), ${latencyMs.toFixed(1)} ms`;
}

/** The outputs of an infer request as a table for people, each with its first elements. */
function outputsTable({ outputs }: InferAnswer): string {
  return formatTable(outputs, [
    { title: 'OUTPUT', value: ({ name }) => printable(name) },
    { title: 'DATATYPE', value: ({ datatype }) => datatype },
    { title: 'SHAPE', value: ({ shape }) => `[${shape.join(',')}]` },
    { title: 'DATA', value: firstElements },
  ]);
}

function firstElements({ datatype, data = [] }: InferOutput): string {
  const text = (element: unknown) => {
    return datatype === 'BYTES' ? printable(JSON.stringify(element)) : String(element);
  };
  const shown = data.slice(0, SHOWN_ELEMENTS).map(text).join(' ');
  return data.length > SHOWN_ELEMENTS ? `${shown} … (${data.length})` : shown;
}
