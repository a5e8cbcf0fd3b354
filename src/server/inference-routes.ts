import { METRICS_CONTENT_TYPE } from '../lib/prometheus.ts';
import {
  decodeRepositoryIndexRequest,
  modelConfig,
  modelHealth,
  modelMetadata,
  modelStatistics,
  repositoryIndex,
  serverHealth,
  serverMetadata,
} from '../protocol/oip-metadata.ts';
import type { InferenceService, ModelStatus } from '../serving/service.ts';
import type { Exchange } from './exchange.ts';
import type { HttpLimits } from './http.ts';
import { inferHandler } from './infer-handler.ts';
import { predictHandler } from './predict-handler.ts';
import { BodyReceiver } from './receive-body.ts';
import { jsonReply, type Reply } from './reply.ts';
import { type Route, route } from './routes.ts';
import type { SharedMemoryRegions } from './shared-memory-regions.ts';
import { sharedMemoryRoutes } from './shared-memory-routes.ts';

/** What the inference server's routes are made of. */
export interface InferenceRoutesOptions {
  readonly service: InferenceService;
  /** Version of Selvage, for `GET /v2`. */
  readonly version: string;
  readonly limits: HttpLimits;
  /** Shared memory of clients; undefined where it is off. */
  readonly regions?: SharedMemoryRegions | undefined;
  /** The metrics in the text format of Prometheus. */
  readonly metrics: () => string | Promise<string>;
}

type ModelHandler = (
  exchange: Exchange,
  model: string,
  version: string | undefined,
) => Reply | Promise<Reply>;

/** The routes of the inference server: the Open Inference Protocol, `/predict` and `/metrics`. */
export function inferenceRoutes(options: InferenceRoutesOptions): Route[] {
  const { service, version, limits, metrics, regions } = options;
  const bodies = new BodyReceiver(limits);
  const predict = predictHandler(service, bodies);
  return [
    ...modelRoutes('POST', '/infer', inferHandler(service, bodies, regions)),
    route('POST', '/predict/{model}', (exchange, { model }) => predict(exchange, model)),
    ...healthRoutes(service),
    route('GET', '/v2', () => jsonReply(200, serverMetadata(version, regions !== undefined))),
    // Before the routes with a model's name in that place.
    route('GET', '/v2/models/stats', () => jsonReply(200, modelStatistics(service.models()))),
    ...modelRoutes('GET', '', about(service, modelMetadata)),
    ...modelRoutes('GET', '/config', about(service, modelConfig)),
    ...modelRoutes(
      'GET',
      '/stats',
      about(service, (model) => modelStatistics([model])),
    ),
    ...modelRoutes('GET', '/ready', (_, name, wanted) => {
      const model = service.model(name, wanted);
      return jsonReply(model.state === 'ready' ? 200 : 503, modelHealth(model));
    }),
    route('POST', '/v2/repository/index', async (exchange) => {
      const readyOnly = decodeRepositoryIndexRequest(await bodies.receive(exchange, 'JSON'));
      return jsonReply(200, repositoryIndex(service.models(), readyOnly));
    }),
    ...sharedMemoryRoutes(regions),
    route('GET', '/metrics', async () => {
      return { status: 200, contentType: METRICS_CONTENT_TYPE, headers: [], body: await metrics() };
    }),
  ];
}

/** Whether the server lives and whether all models that can serve do, for supervisors. */
export function healthRoutes(service: InferenceService): Route[] {
  return [
    route('GET', '/v2/health/live', () => jsonReply(200, serverHealth(service.ready()))),
    route('GET', '/v2/health/ready', () => {
      const ready = service.ready();
      return jsonReply(ready ? 200 : 503, serverHealth(ready));
    }),
  ];
}

function modelRoutes(method: Route['method'], suffix: string, handle: ModelHandler): Route[] {
  return [
    route(method, `/v2/models/{model}${suffix}`, (exchange, { model }) => handle(exchange, model, undefined)),
    route(method, `/v2/models/{model}/versions/{version}${suffix}`, (exchange, { model, version }) =>
      handle(exchange, model, version),
    ),
  ];
}

function about(service: InferenceService, describe: (model: ModelStatus) => unknown): ModelHandler {
  return (_, name, version) => jsonReply(200, describe(service.model(name, version)));
}
