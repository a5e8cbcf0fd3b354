import type { PredictResponse } from '../serving/service.ts';

/** The answer of `POST /predict/{model}` as JSON, its fields always in the documented order. */
export function encodePredictResponse(response: PredictResponse): Buffer {
  const { model, variant, source, requestId, latencyMs, predictions } = response;
  return Buffer.from(
    JSON.stringify({
      model,
      variant,
      source,
      requestId,
      latencyMs: Math.round(latencyMs * 1000) / 1000,
      predictions: predictions.map(({ label, index, probability }) => ({ label, index, probability })),
    }),
  );
}
