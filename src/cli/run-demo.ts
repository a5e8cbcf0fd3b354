import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, relative, resolve } from 'node:path';
import type { KeyedConfig } from '../agent/config-cache.ts';
import { loadConfigInChild } from '../agent/load-config.ts';
import type { Agent } from '../agent.ts';
import { createLog } from '../lib/log.ts';
import { packageRoot } from '../lib/paths.ts';
import type { PredictResponse } from '../serving/service.ts';
import { agentRequest } from './agent-client.ts';
import { formatTable, printLines } from './output.ts';
import { runAgent } from './run-agent.ts';

const EXAMPLES = join(packageRoot, 'examples');
const MODEL = 'clothes';

/** Longest directory whose socket still fits the kernel's limit of 107 bytes. */
const DIRECTORY_BYTES_MAX = 107 - '/selvage.sock'.length;

/** Serves the example model, sends it the sample images as a client would, and says what to try next. */
export async function runDemo({ dir, once }: { dir: string; once?: true }): Promise<void> {
  const directory = usableDirectory(resolve(dir));
  const loaded = moveTo(directory, await loadConfigInChild(join(EXAMPLES, 'selvage.yaml')));
  const onSettled = async (agent: Agent): Promise<void> => {
    await showSamples(agent, loaded);
    if (once) await agent.stop();
    else printLines('', 'Serving until Ctrl-C. Try, in another terminal:', '', ...commandsToTry(loaded));
  };
  await runAgent(loaded, createLog({ level: 'warn', repeatWindowMs: 10_000 }), { onSettled });
}

/** The example configuration with its state and sockets in a directory of the caller's. */
function moveTo(directory: string, loaded: KeyedConfig): KeyedConfig {
  const { server } = loaded.config;
  const config = {
    ...loaded.config,
    stateDir: join(directory, 'state'),
    server: {
      ...server,
      http: { ...server.http, socket: join(directory, 'selvage.sock') },
      admin: { socket: join(directory, 'admin.sock') },
    },
  };
  return { ...loaded, config };
}

function usableDirectory(directory: string): string {
  if (Buffer.byteLength(directory) <= DIRECTORY_BYTES_MAX) return directory;
  return join(tmpdir(), `selvage-demo-${userInfo().uid}`);
}

async function showSamples(agent: Agent, { config }: KeyedConfig): Promise<void> {
  const model = agent.status().models.find(({ name }) => name === MODEL);
  printLines(`Model '${MODEL}' is ${model?.state}, variant '${model?.variant}', process ${model?.pid}.`, '');
  const answers: { file: string; answer: PredictResponse }[] = [];
  for (const file of sampleImages()) {
    const body = readFileSync(join(EXAMPLES, 'images', file));
    const headers = { 'content-type': file.endsWith('.png') ? 'image/png' : 'image/jpeg' };
    const path = `/predict/${MODEL}?top_k=1`;
    const { json } = await agentRequest(config.server.http.socket, 'POST', path, body, { headers });
    answers.push({ file, answer: json as PredictResponse });
  }
  printLines(
    formatTable(answers, [
      { title: 'IMAGE', value: ({ file }) => file },
      { title: 'LABEL', value: ({ answer }) => answer.predictions[0]?.label },
      {
        title: 'PROBABILITY',
        value: ({ answer }) => answer.predictions[0]?.probability.toFixed(3),
        align: 'right',
      },
      { title: 'LATENCY', value: ({ answer }) => `${answer.latencyMs.toFixed(1)} ms`, align: 'right' },
    ]),
  );
}

function commandsToTry({ config }: KeyedConfig): string[] {
  const here = (path: string): string => relative(process.cwd(), path) || '.';
  const image = here(join(EXAMPLES, 'images', 'ankle-boot-large.jpg'));
  const { socket } = config.server.http;
  return [
    `  curl --unix-socket ${here(socket)} -H 'Content-Type: image/jpeg' --data-binary @${image} http://localhost/predict/${MODEL}`,
    `  curl --unix-socket ${here(socket)} http://localhost/v2/models/${MODEL}`,
  ];
}

function sampleImages(): string[] {
  return readdirSync(join(EXAMPLES, 'images'))
    .filter((file) => /\.(png|jpe?g)$/.test(file))
    .sort();
}
