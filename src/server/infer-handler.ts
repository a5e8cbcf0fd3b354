import { SelvageError } from '../lib/errors.ts';
import { classifyOutputs } from '../protocol/classification.ts';
import { chooseEncoding, compressBody } from '../protocol/content-encoding.ts';
import {
  decodeInferRequest,
  type EncodedInfer,
  encodeInferResponse,
  parseHeaderLength,
} from '../protocol/oip-http.ts';
import { timeoutOf } from '../protocol/parameters.ts';
import type { SharedRegions } from '../protocol/shared-part.ts';
import type { InferenceService } from '../serving/service.ts';
import type { InferRequest, InferResponse } from '../tensor/infer.ts';
import type { Exchange } from './exchange.ts';
import type { BodyReceiver } from './receive-body.ts';
import type { Reply } from './reply.ts';

const HEADER_LENGTH = 'inference-header-content-length';

/** A request for tensors as received, with the length of its JSON where tensors follow in binary. */
export interface ReceivedTensors {
  readonly body: Buffer;
  readonly headerLength: number | undefined;
}

/** Answers `POST /v2/models/{m}[/versions/{v}]/infer`. */
export function inferHandler(
  service: InferenceService,
  bodies: BodyReceiver,
  regions: SharedRegions | undefined,
) {
  return async (exchange: Exchange, model: string, version: string | undefined): Promise<Reply> => {
    const { body, headerLength } = await receiveTensors(exchange, bodies);
    const signature = headerLength === 0 ? service.model(model, version).signature : undefined;
    const received = { model, version, body, headerLength, signature, regions };
    const { request, encoding } = decodeInferRequest(received);
    const timeoutMs = timeoutOf(request.parameters);
    const response = await service.infer(request, exchange.callOptions(timeoutMs));
    const encoded = encodeInferResponse(classified(response, request, service), encoding);
    return compressed(encoded, exchange.header('accept-encoding'));
  };
}

/** Receives an infer body: one with binary tensors has another limit than JSON, which is parsed on the main loop. */
export async function receiveTensors(exchange: Exchange, bodies: BodyReceiver): Promise<ReceivedTensors> {
  const headerLength = parseHeaderLength(exchange.header(HEADER_LENGTH));
  if ((headerLength ?? 0) > bodies.limits.JSON.limitBytes) {
    throw SelvageError.of('BODY_TOO_LARGE', { ...bodies.limits.JSON });
  }
  const body = await bodies.receive(exchange, headerLength === undefined ? 'JSON' : 'binary');
  return { body, headerLength };
}

function classified(
  response: InferResponse,
  request: InferRequest,
  service: InferenceService,
): InferResponse {
  const asked = request.outputs?.some(({ classCount }) => classCount > 0) ?? false;
  if (!asked) return response;
  return classifyOutputs(response, request.outputs, service.model(request.model, request.version).labels);
}

async function compressed(encoded: EncodedInfer, acceptEncoding: string | undefined): Promise<Reply> {
  const { headers, body, sizeBytes } = encoded;
  const contentType = String(headers['content-type']);
  const extra: string[] = [];
  if (headers[HEADER_LENGTH] !== undefined) extra.push(HEADER_LENGTH, String(headers[HEADER_LENGTH]));
  const encoding = chooseEncoding(acceptEncoding, sizeBytes);
  if (encoding === undefined) return { status: 200, contentType, headers: extra, body };
  extra.push('Content-Encoding', encoding, 'Vary', 'Accept-Encoding');
  return { status: 200, contentType, headers: extra, body: await compressBody(body, encoding) };
}
