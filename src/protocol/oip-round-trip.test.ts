import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SelvageError } from '../lib/errors.ts';
import { seededRandom } from '../lib/random.ts';
import { checkRequest } from '../tensor/check-request.ts';
import { DATATYPE_NAMES, DATATYPES, type Datatype } from '../tensor/datatype.ts';
import { fromHalf } from '../tensor/half.ts';
import type { ModelSignature } from '../tensor/infer.ts';
import { elementCount, joinBytes, splitBytes, type Tensor, typedView } from '../tensor/tensor.ts';
import { decodeInferRequest, encodeInferResponse } from './oip-http.ts';

const ROUNDS = 300;
const MUTATIONS = 20_000;

/**
 * A response has the outputs in the form in which a request has inputs, so what is encoded as a response is decoded
 * as a request: the same tensors must come out.
 */
function throughTheWire(tensors: readonly Tensor[], binary: readonly boolean[]): readonly Tensor[] {
  const { headers, body } = encodeInferResponse(
    { model: 'm', version: '1', parameters: {}, outputs: tensors },
    {
      outputs: tensors.map(({ name }, index) => ({ name, binary: binary[index] === true })),
      binaryByDefault: false,
    },
  );
  const content = Array.isArray(body) ? Buffer.concat(body) : body;
  const headerLength = headers['inference-header-content-length'] as number | undefined;
  const jsonBytes = headerLength ?? content.byteLength;
  const json = Buffer.from(content.toString('utf8', 0, jsonBytes).replace('"outputs":', '"inputs":'));
  const signature: ModelSignature = { inputs: tensors, outputs: [] };
  const { request } = decodeInferRequest({
    model: 'm',
    body: Buffer.concat([json, content.subarray(jsonBytes)]),
    headerLength: headerLength === undefined ? undefined : json.byteLength,
    signature,
  });
  checkRequest(request, signature);
  return request.inputs;
}

function randomTensor(random: () => number, name: string, datatype: Datatype): Tensor {
  const shape = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * 5));
  const count = elementCount(shape);
  if (datatype === 'BYTES') {
    const alphabet = [...'aZ09 "\\\n\u0001\u007fäß世🎈\u2028'];
    const element = (): Buffer =>
      Buffer.from(
        Array.from(
          { length: Math.floor(random() * 8) },
          () => alphabet[Math.floor(random() * alphabet.length)],
        ).join(''),
      );
    return { name, datatype, shape, data: joinBytes(Array.from({ length: count }, element)) };
  }
  const data = new Uint8Array(count * DATATYPES[datatype].bytes);
  for (let index = 0; index < data.byteLength; index++) data[index] = Math.floor(random() * 256);
  if (datatype === 'BOOL')
    for (let index = 0; index < count; index++) data[index] = (data[index] as number) & 1;
  makePlain(datatype, data);
  return { name, datatype, shape, data };
}

/** JSON has no NaN and no infinities, and -0 is written 0. */
function makePlain(datatype: Datatype, data: Uint8Array): void {
  if (datatype !== 'FP16' && datatype !== 'FP32' && datatype !== 'FP64') return;
  const values = typedView(datatype, data) as Float64Array | Uint16Array;
  values.forEach((value, index) => {
    const number = datatype === 'FP16' ? fromHalf(value) : value;
    if (!Number.isFinite(number) || number === 0) values[index] = 0;
  });
}

describe('round trip', () => {
  for (const datatype of DATATYPE_NAMES) {
    it(`keeps every bit of random ${datatype} tensors, in JSON and in binary`, () => {
      const random = seededRandom(DATATYPE_NAMES.indexOf(datatype));
      for (let round = 0; round < ROUNDS; round++) {
        const tensor = randomTensor(random, 't', datatype);
        for (const binary of [false, true]) {
          const [got] = throughTheWire([tensor], [binary]);
          assert.ok(got);
          assert.deepEqual(
            { ...got, data: Buffer.from(got.data) },
            { ...tensor, data: Buffer.from(tensor.data) },
          );
        }
      }
    });
  }

  it('keeps mixes of datatypes and forms', () => {
    const random = seededRandom(99);
    for (let round = 0; round < ROUNDS; round++) {
      const tensors = Array.from({ length: 1 + Math.floor(random() * 5) }, (_, index) =>
        randomTensor(
          random,
          `t${index}`,
          DATATYPE_NAMES[Math.floor(random() * DATATYPE_NAMES.length)] ?? 'FP32',
        ),
      );
      const got = throughTheWire(
        tensors,
        tensors.map(() => random() < 0.5),
      );
      assert.deepEqual(
        got.map(({ data, ...rest }) => ({ ...rest, data: Buffer.from(data) })),
        tensors.map(({ data, ...rest }) => ({ ...rest, data: Buffer.from(data) })),
      );
    }
  });

  it('gives the elements of BYTES back one by one', () => {
    const elements = ['', 'a', 'ä'.repeat(1000)].map((text) => Buffer.from(text));
    const tensor: Tensor = { name: 't', datatype: 'BYTES', shape: [3], data: joinBytes(elements) };
    const [got] = throughTheWire([tensor], [false]);
    assert.deepEqual(
      splitBytes(got?.data ?? new Uint8Array(0))?.map((element) => Buffer.from(element)),
      elements,
    );
  });
});

describe('mutated requests', () => {
  const signature: ModelSignature = {
    inputs: [
      { name: 'x', datatype: 'FP32', shape: [-1, 3] },
      { name: 'n', datatype: 'INT64', shape: [2] },
      { name: 's', datatype: 'BYTES', shape: [-1] },
    ],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
  };
  const json =
    '{"id":"a","parameters":{"binary_data_output":true,"timeout":5},"inputs":[{"name":"x","shape":[2,3],"datatype":"FP32","parameters":{"binary_data_size":24}},{"name":"n","shape":[2],"datatype":"INT64","data":[1,9223372036854775807]},{"name":"s","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}],"outputs":[{"name":"y","parameters":{"binary_data":false,"classification":2}}]}';
  const tail = Buffer.concat([Buffer.alloc(24, 1), Buffer.from([3, 0, 0, 0, 97, 98, 99])]);
  const valid = Buffer.concat([Buffer.from(json), tail]);
  const snippets = [
    '[',
    ']',
    '{',
    '}',
    '"',
    ',',
    ':',
    '-',
    'e9',
    '1e999',
    'null',
    'true',
    '\\u0000',
    '[[[[',
    '__proto__',
    '9007199254740993',
  ];

  function attempt(body: Buffer, headerLength: number | undefined): 'accepted' | 'refused' {
    try {
      checkRequest(decodeInferRequest({ model: 'm', body, headerLength, signature }).request, signature);
      return 'accepted';
    } catch (error) {
      assert.ok(error instanceof SelvageError, `not an error of the table: ${(error as Error).stack}`);
      assert.equal(error.httpStatus === 400 || error.httpStatus === 501, true, error.message);
      assert.ok(error.message.length < 2000);
      return 'refused';
    }
  }

  function mutate(random: () => number): { body: Buffer; headerLength: number | undefined } {
    let body = Buffer.from(valid);
    let headerLength: number | undefined = json.length;
    const at = (): number => Math.floor(random() * body.byteLength);
    for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
      const kind = Math.floor(random() * 6);
      if (kind === 0) body[at()] = Math.floor(random() * 256);
      else if (kind === 1) body = body.subarray(0, at());
      else if (kind === 2)
        headerLength = [undefined, 0, 1, at(), body.byteLength, json.length + 1][Math.floor(random() * 6)];
      else {
        const from = at();
        const inserted =
          kind === 3 ? Buffer.alloc(0) : Buffer.from(snippets[Math.floor(random() * snippets.length)] ?? '');
        body = Buffer.concat([body.subarray(0, from), inserted, body.subarray(from + (kind === 4 ? 0 : 2))]);
        // Half of the time the header follows, so that the change reaches further than the sizes.
        if (headerLength !== undefined && random() < 0.5)
          headerLength = Math.max(0, body.byteLength - tail.byteLength);
      }
      if (body.byteLength === 0) body = Buffer.from(valid);
    }
    return { body, headerLength };
  }

  it('the request they come from is accepted', () => assert.equal(attempt(valid, json.length), 'accepted'));

  it('are accepted or refused with an error of the table, never anything else', () => {
    const random = seededRandom(7);
    const outcomes = { accepted: 0, refused: 0 };
    for (let round = 0; round < MUTATIONS; round++) {
      const { body, headerLength } = mutate(random);
      outcomes[attempt(body, headerLength)] += 1;
    }
    assert.ok(
      outcomes.accepted > MUTATIONS / 100,
      `mutations reach past the parser: ${outcomes.accepted} accepted`,
    );
    assert.ok(outcomes.refused > MUTATIONS / 2);
  });
});
