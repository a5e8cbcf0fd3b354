import assert from 'node:assert/strict';
import { it } from 'node:test';
import { encodePredictResponse } from './predict-json.ts';

it('encodePredictResponse keeps the order of the fields and says microseconds at most', () => {
  const body = encodePredictResponse({
    predictions: [{ probability: 0.75, index: 3, label: 'Größe' }],
    latencyMs: 1.23456789,
    requestId: 'r-1',
    source: 'edge',
    variant: 'int8',
    model: 'clothes',
  });
  assert.equal(
    body.toString(),
    '{"model":"clothes","variant":"int8","source":"edge","requestId":"r-1","latencyMs":1.235,"predictions":[{"label":"Größe","index":3,"probability":0.75}]}',
  );
});
