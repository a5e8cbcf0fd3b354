/**
 * The peer: the least that answers the same binary request over node:http with inference in its own process, written
 * with care (one buffer per body, tensors as views, one write per answer) and without anything the agent has to do
 * besides: no checks, limits, deadlines, metrics, log, nor a second model. Arguments: socket, then model files by name
 * (`tiny=/path`).
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { openSession } from './peer-session.ts';

interface InferHead {
  readonly inputs: ReadonlyArray<{ readonly name: string; readonly shape: readonly number[] }>;
}

const [socketPath = '', ...models] = process.argv.slice(2);
const sessions = new Map<string, InferenceSession>();
for (const model of models) {
  const [name = '', path = ''] = model.split('=');
  sessions.set(`/v2/models/${name}/infer`, await openSession(path));
}

createServer((request, response) => {
  const session = sessions.get(request.url ?? '');
  if (session === undefined) answerReady(response);
  else collect(request, (body) => void infer(session, request, body, response));
}).listen(socketPath);

function answerReady(response: ServerResponse): void {
  const body = '{"live":true,"ready":true}';
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
}

function collect(request: IncomingMessage, done: (body: Buffer) => void): void {
  const body = Buffer.allocUnsafeSlow(Number(request.headers['content-length']));
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    body.set(chunk, length);
    length += chunk.byteLength;
    if (length === body.byteLength) done(body);
  });
}

async function infer(
  session: InferenceSession,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  let offset = Number(request.headers['inference-header-content-length']);
  const head = JSON.parse(body.toString('utf8', 0, offset)) as InferHead;
  const feeds: Record<string, Tensor> = {};
  for (const { name, shape } of head.inputs) {
    const count = shape.reduce((product, dim) => product * dim, 1);
    feeds[name] = new Tensor('float32', new Float32Array(body.buffer, offset, count), shape);
    offset += count * 4;
  }
  const results = await session.run(feeds);
  const tensors = Object.entries(results).map(([name, { dims, data }]) => {
    const { buffer, byteOffset, byteLength } = data as Float32Array;
    return { name, dims, data: Buffer.from(buffer, byteOffset, byteLength) };
  });
  const json = JSON.stringify({
    model_name: 'bare',
    model_version: '1',
    outputs: tensors.map(({ name, dims, data }) => ({
      name,
      datatype: 'FP32',
      shape: dims,
      parameters: { binary_data_size: data.byteLength },
    })),
  });
  const answer = Buffer.concat([Buffer.from(json), ...tensors.map(({ data }) => data)]);
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': answer.byteLength,
    'Inference-Header-Content-Length': Buffer.byteLength(json),
  });
  response.end(answer);
}
