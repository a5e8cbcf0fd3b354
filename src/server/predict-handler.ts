import { SelvageError } from '../lib/errors.ts';
import { decodeInferRequest } from '../protocol/oip-http.ts';
import { encodePredictResponse } from '../protocol/predict-json.ts';
import type { InferenceService } from '../serving/service.ts';
import type { PredictInput } from '../tasks/task.ts';
import type { Exchange } from './exchange.ts';
import { receiveTensors } from './infer-handler.ts';
import type { BodyReceiver } from './receive-body.ts';
import type { Reply } from './reply.ts';

const MAX_TOP_K = 1000;

/**
 * Answers `POST /predict/{model}?top_k=`: the body is a person's input by its Content-Type or, as JSON or with
 * `Inference-Header-Content-Length`, an infer request whose outputs the model's task reads.
 */
export function predictHandler(service: InferenceService, bodies: BodyReceiver) {
  return async (exchange: Exchange, model: string): Promise<Reply> => {
    const topK = readTopK(exchange.query('top_k'));
    // A large upload for nothing is refused before it is read.
    if (service.model(model).task === undefined) throw SelvageError.of('TASK_MISSING', { model });
    const input = await receiveInput(exchange, bodies, service, model);
    const response = await service.predict(model, { ...input, topK }, exchange.callOptions());
    return {
      status: 200,
      contentType: 'application/json',
      headers: [],
      body: encodePredictResponse(response),
    };
  };
}

async function receiveInput(
  exchange: Exchange,
  bodies: BodyReceiver,
  service: InferenceService,
  model: string,
): Promise<PredictInput> {
  const mediaType = mediaTypeOf(exchange.header('content-type'));
  const asTensors =
    mediaType === 'application/json' || exchange.header('inference-header-content-length') !== undefined;
  if (!asTensors) return { mediaType, body: await bodies.receive(exchange, 'media') };
  const { body, headerLength } = await receiveTensors(exchange, bodies);
  const { signature } = service.model(model);
  const { request } = decodeInferRequest({ model, body, headerLength, signature });
  return { mediaType, body, tensors: request.inputs };
}

/** The media type of a Content-Type header without its parameters; what nobody named is bytes (RFC 9110, 8.3). */
function mediaTypeOf(contentType: string | undefined): string {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return type === '' ? 'application/octet-stream' : type;
}

function readTopK(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const topK = Number(text);
  if (/^\d{1,4}$/.test(text) && topK >= 1 && topK <= MAX_TOP_K) return topK;
  const problem = `expected an integer between 1 and ${MAX_TOP_K}, found '${text.slice(0, 40)}'`;
  throw SelvageError.of('REQUEST_MALFORMED', { what: 'top_k', problem });
}
