import { SelvageError } from '../lib/errors.ts';
import { isObject, parseJsonObject } from '../lib/json-document.ts';
import type { AgentControl, InferenceService } from '../serving/service.ts';
import { healthRoutes } from './inference-routes.ts';
import type { BodyLimit } from './read-body.ts';
import { jsonReply } from './reply.ts';
import { type Route, route } from './routes.ts';

/** What the administration server's routes are made of. */
export interface AdminRoutesOptions {
  readonly control: AgentControl;
  readonly service: InferenceService;
}

const BODY_LIMIT: BodyLimit = { kind: 'JSON', limitBytes: 64 * 1024 };

/**
 * The routes of the administration server. Load and unload are the protocol's model repository extension; they
 * answer when the model is loaded or unloaded, or why it cannot be.
 */
export function adminRoutes({ control, service }: AdminRoutesOptions): Route[] {
  return [
    ...healthRoutes(service),
    route('GET', '/status', () => jsonReply(200, control.status())),
    route('GET', '/models', () => jsonReply(200, { models: service.models() })),
    route('POST', '/v2/repository/models/{model}/load', async (exchange, { model }) => {
      refuseParameters(await exchange.readBody(BODY_LIMIT));
      await control.load(model);
      return jsonReply(200, {});
    }),
    route('POST', '/v2/repository/models/{model}/unload', async (_, { model }) => {
      await control.unload(model);
      return jsonReply(200, {});
    }),
    route('POST', '/config/reload', async () => jsonReply(200, await control.reload())),
    route('GET', '/jobs', () => jsonReply(200, { jobs: control.jobs() })),
    route('POST', '/jobs/{job}/cancel', (_, { job }) => {
      if (!control.cancelJob(job)) throw SelvageError.of('JOB_NOT_FOUND', { job });
      return jsonReply(200, {});
    }),
  ];
}

/** Triton takes a model's configuration and files with its load; here the configuration file holds them. */
function refuseParameters(body: Buffer): void {
  if (body.byteLength === 0) return;
  const parameters = parseJsonObject(body)['parameters'];
  if (!isObject(parameters)) return;
  const [name] = Object.keys(parameters);
  if (name !== undefined) throw SelvageError.of('NOT_SUPPORTED', { feature: `the load parameter '${name}'` });
}
