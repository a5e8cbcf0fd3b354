import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import type { ErrorCode } from '../lib/errors.ts';
import {
  type AttributeValue,
  body,
  buildModel,
  type GraphSpec,
  type ModelSpec,
  type NodeSpec,
  tensor,
  tensorValue,
  type ValueSpec,
} from './build-model.ts';
import { checkModel } from './check-model.ts';
import {
  FunctionProtoSchema,
  type ModelProto,
  SparseTensorProtoSchema,
  TensorProtoSchema,
} from './gen/onnx_pb.ts';
import { MODEL_LIMITS } from './limits.ts';

const X: ValueSpec = { name: 'x', datatype: 'FP32', dims: ['n'] };
const Y: ValueSpec = { name: 'y', datatype: 'FP32', dims: ['n'] };
const W = tensor('w', 'FP32', [2], Float32Array.of(1, 2));

function node(
  op: string,
  inputs: string[],
  outputs: string[],
  attributes?: Record<string, AttributeValue>,
): NodeSpec {
  return {
    op,
    name: `${op.toLowerCase()}_${outputs[0]}`,
    inputs,
    outputs,
    ...(attributes && { attributes }),
  };
}

/** A model from x to y; by default one Identity. */
function model(spec: Partial<ModelSpec> = {}): ModelProto {
  return buildModel({ inputs: [X], outputs: [Y], nodes: [node('Identity', ['x'], ['y'])], ...spec });
}

function refused(code: ErrorCode, message: RegExp, tried: ModelProto): void {
  assert.throws(() => checkModel(tried, { path: '/models/a.onnx' }), { code, message });
}

function accepted(tried: ModelProto): void {
  checkModel(tried, { path: '/models/a.onnx' });
}

describe('checkModel', () => {
  describe('versions', () => {
    it('wants an IR version that the runtime reads', () => {
      for (const irVersion of [3, 8, 13]) accepted(model({ irVersion }));
      refused(
        'MODEL_UNSUPPORTED',
        /a\.onnx: IR version 14: the runtime reads versions up to 13/,
        model({ irVersion: 14 }),
      );
      const none = model();
      Reflect.deleteProperty(none, 'irVersion');
      refused('MODEL_FILE_INVALID', /states no IR version/, none);
    });

    it('wants operator sets that the runtime has', () => {
      for (const opset of [1, 7, 26]) accepted(model({ opset }));
      refused('MODEL_UNSUPPORTED', /opset 27 of ai\.onnx: .* up to 26/, model({ opset: 27 }));
      refused('MODEL_UNSUPPORTED', /opset 6 of ai\.onnx\.ml/, model({ opsets: { 'ai.onnx.ml': 6 } }));
      refused('MODEL_FILE_INVALID', /opset 0/, model({ opset: 0 }));
      const none = model();
      none.opsetImport = [];
      refused('MODEL_FILE_INVALID', /imports no operator set/, none);
    });

    it('names the domain and operator that the runtime lacks', () => {
      const custom = { ...node('Frobnicate', ['x'], ['y']), domain: 'com.example' };
      refused(
        'MODEL_UNSUPPORTED',
        /node 'frobnicate_y' \(com\.example:Frobnicate\) is of the custom domain 'com\.example'/,
        model({ nodes: [custom], opsets: { 'com.example': 1 } }),
      );
      accepted(
        model({
          nodes: [{ ...custom, op: 'Gelu', domain: 'com.microsoft' }],
          opsets: { 'com.microsoft': 1 },
        }),
      );
      accepted(model({ opsets: { 'com.example': 1 } }));
    });
  });

  describe('names and order', () => {
    it('takes nodes in any order, optional inputs left out and initializers that are inputs', () => {
      accepted(model({ nodes: [node('Clip', ['h', '', 'x'], ['y']), node('Relu', ['x'], ['h'])] }));
      const listed: ValueSpec = { name: 'w', datatype: 'FP32', dims: [2] };
      accepted(model({ inputs: [X, listed], initializers: [W], nodes: [node('Add', ['x', 'w'], ['y'])] }));
    });

    it('names the nodes on a cycle, and only those', () => {
      const nodes = [
        node('Relu', ['x'], ['start']),
        node('Add', ['start', 'c'], ['a']),
        node('Neg', ['a'], ['b']),
        node('Abs', ['b'], ['c']),
        node('Exp', ['c'], ['y']),
      ];
      const cycle = /has a cycle: (node '(neg_b|abs_c|add_a)' \((Neg|Abs|Add)\)( → )?){4}$/;
      refused('MODEL_FILE_INVALID', cycle, model({ nodes }));
      refused(
        'MODEL_FILE_INVALID',
        /cycle: node 'add_y' \(Add\) → node 'add_y'/,
        model({ nodes: [node('Add', ['x', 'y'], ['y'])] }),
      );
    });

    it('finds a cycle that goes through the body of a node', () => {
      const inner = body({ inputs: [], outputs: [Y], nodes: [node('Neg', ['late'], ['y'])] });
      const nodes = [
        node('If', ['condition'], ['y'], { then_branch: inner, else_branch: inner }),
        node('Exp', ['y'], ['late']),
      ];
      const inputs: ValueSpec[] = [X, { name: 'condition', datatype: 'BOOL', dims: [] }];
      refused('MODEL_FILE_INVALID', /cycle: .*'if_y' \(If\)/, model({ inputs, nodes }));
    });

    it('refuses values that nothing produces, naming who wants them', () => {
      refused(
        'MODEL_FILE_INVALID',
        /node 'add_y' \(Add\) takes 'ghost', which nothing produces/,
        model({ nodes: [node('Add', ['x', 'ghost'], ['y'])] }),
      );
      refused('MODEL_FILE_INVALID', /nothing produces the output 'y'/, model({ nodes: [] }));
      refused('MODEL_FILE_INVALID', /no outputs/, model({ outputs: [] }));
      const unnamed = { op: 'Add', inputs: ['x', 'ghost'], outputs: ['y'] };
      refused('MODEL_FILE_INVALID', /node #0 \(Add\) takes/, model({ nodes: [unnamed] }));
    });

    it('refuses names that are defined twice or missing', () => {
      refused(
        'MODEL_FILE_INVALID',
        /'y', output of node 'abs_y' \(Abs\), is already the name of an output of node 'neg_y'/,
        model({ nodes: [node('Neg', ['x'], ['y']), node('Abs', ['x'], ['y'])] }),
      );
      refused(
        'MODEL_FILE_INVALID',
        /'x', output of .*an input or initializer/,
        model({ nodes: [node('Neg', ['x'], ['x'])], outputs: [X] }),
      );
      refused('MODEL_FILE_INVALID', /'w', initializer, is already/, model({ initializers: [W, W] }));
      refused('MODEL_FILE_INVALID', /'x', input, is already/, model({ inputs: [X, X] }));
      refused('MODEL_FILE_INVALID', /an input has no name/, model({ inputs: [X, { ...X, name: '' }] }));
      refused(
        'MODEL_FILE_INVALID',
        /node #0 \(\) names no operator/,
        model({ nodes: [{ op: '', inputs: ['x'], outputs: ['y'] }] }),
      );
    });

    it('shows hostile names harmlessly', () => {
      const name = `\u001b[2J${'long'.repeat(1000)}`;
      assert.throws(
        () => checkModel(model({ nodes: [node('Neg', [name], ['y'])] }), { path: 'a' }),
        (thrown: Error) => {
          assert.match(thrown.message, /takes '\\u001b\[2Jlong/);
          return thrown.message.length < 300;
        },
      );
    });
  });

  describe('bodies of If, Loop and Scan', () => {
    const inputs: ValueSpec[] = [X, { name: 'condition', datatype: 'BOOL', dims: [] }];
    const branching = (branch: GraphSpec) =>
      model({
        inputs,
        initializers: [W],
        nodes: [node('If', ['condition'], ['y'], { then_branch: body(branch), else_branch: body(branch) })],
      });

    it('see the names around them', () => {
      accepted(branching({ inputs: [], outputs: [Y], nodes: [node('Add', ['x', 'w'], ['y'])] }));
      accepted(branching({ inputs: [], outputs: [X], nodes: [] }));
    });

    it('are checked like the main graph, and the message says where', () => {
      const dangling: GraphSpec = { inputs: [], outputs: [Y], nodes: [node('Neg', ['ghost'], ['y'])] };
      refused(
        'MODEL_FILE_INVALID',
        /node 'neg_y' \(Neg\) in then_branch of node 'if_y' \(If\) takes 'ghost'/,
        branching(dangling),
      );
      const short = tensor('short', 'FP32', [4], new Uint8Array(4));
      const constant = node('Constant', [], ['y'], { value: tensorValue(short) });
      refused(
        'MODEL_FILE_INVALID',
        /tensor 'short' \(FP32\[4\]\) in value of node 'constant_y' \(Constant\) in then_branch of node 'if_y'.* holds 4 bytes of data where its shape needs 16/,
        branching({ inputs: [], outputs: [Y], nodes: [constant] }),
      );
    });

    it('may not use what only a body inside them produces', () => {
      const inner: GraphSpec = {
        inputs: [],
        outputs: [Y],
        nodes: [node('Neg', ['x'], ['hidden']), node('Neg', ['x'], ['y'])],
      };
      const nodes = [
        node('If', ['condition'], ['h'], { then_branch: body(inner), else_branch: body(inner) }),
        node('Add', ['h', 'hidden'], ['y']),
      ];
      refused('MODEL_FILE_INVALID', /takes 'hidden'/, model({ inputs, nodes }));
    });

    it('are refused when nested too deep', () => {
      let spec: GraphSpec = { inputs: [], outputs: [Y], nodes: [node('Neg', ['x'], ['y'])] };
      for (let depth = 0; depth < MODEL_LIMITS.graphDepth; depth++) {
        const inner = body(spec);
        spec = {
          inputs: [],
          outputs: [Y],
          nodes: [node('If', ['condition'], ['y'], { then_branch: inner })],
        };
      }
      refused('MODEL_UNSUPPORTED', /nested more than 64 deep/, model({ inputs, nodes: spec.nodes }));
    });
  });

  describe('tensors', () => {
    const withTensor = (init: Parameters<typeof create<typeof TensorProtoSchema>>[1]) =>
      model({ initializers: [create(TensorProtoSchema, { name: 't', dims: [2n], ...init })] });

    it('hold exactly the data of their shape, in the field of their type', () => {
      accepted(withTensor({ dataType: 1, floatData: [1, 2] }));
      accepted(withTensor({ dataType: 14, floatData: [1, 2, 3, 4] }));
      accepted(withTensor({ dataType: 10, int32Data: [1, 2] }));
      accepted(withTensor({ dataType: 22, int32Data: [0x21] }));
      accepted(withTensor({ dataType: 22, dims: [3n], rawData: new Uint8Array(2) }));
      accepted(withTensor({ dataType: 12, uint64Data: [1n, 2n] }));
      accepted(withTensor({ dataType: 8, stringData: [new Uint8Array(0), new Uint8Array(3)] }));
      accepted(withTensor({ dataType: 1, dims: [0n] }));
      accepted(withTensor({ dataType: 1, dims: [], floatData: [1] }));
      refused(
        'MODEL_FILE_INVALID',
        /tensor 't' \(FP32\[2\]\) holds 1 values where its shape needs 2/,
        withTensor({ dataType: 1, floatData: [1] }),
      );
      refused('MODEL_FILE_INVALID', /holds 0 values/, withTensor({ dataType: 7, floatData: [1, 2] }));
      refused(
        'MODEL_FILE_INVALID',
        /holds 9 bytes of data where its shape needs 8/,
        withTensor({ dataType: 1, rawData: new Uint8Array(9) }),
      );
      refused(
        'MODEL_FILE_INVALID',
        /twice/,
        withTensor({ dataType: 1, floatData: [1, 2], rawData: new Uint8Array(8) }),
      );
      refused('MODEL_FILE_INVALID', /unknown element type 99/, withTensor({ dataType: 99 }));
      refused(
        'MODEL_FILE_INVALID',
        /strings as raw data/,
        withTensor({ dataType: 8, rawData: new Uint8Array(2) }),
      );
    });

    it('have possible shapes', () => {
      refused('MODEL_FILE_INVALID', /negative dimension \(-1\)/, withTensor({ dataType: 1, dims: [-1n] }));
      refused(
        'MODEL_FILE_INVALID',
        /holds 0 values where its shape needs 1099511627776/,
        withTensor({ dataType: 1, dims: [2n ** 40n] }),
      );
      refused(
        'MODEL_FILE_INVALID',
        /2\^53 or more elements/,
        withTensor({ dataType: 1, dims: [2n ** 62n, 2n ** 62n, 0n] }),
      );
    });

    it('that are sparse stay within bounds when made dense', () => {
      const sparse = (dims: bigint[]) => {
        const tried = model();
        const values = tensor('s', 'FP32', [1], Float32Array.of(1));
        const indices = tensor('', 'INT64', [1], BigInt64Array.of(0n));
        tried.graph?.sparseInitializer.push(create(SparseTensorProtoSchema, { values, indices, dims }));
        return tried;
      };
      accepted(sparse([1000n, 1000n]));
      refused('MODEL_UNSUPPORTED', /sparse tensor 's' .* too many to be made dense/, sparse([2n ** 34n]));
      refused('MODEL_FILE_INVALID', /negative/, sparse([-4n]));
    });

    it('are bounded as inputs too', () => {
      accepted(model({ inputs: [{ ...X, dims: [-1, 1_000_000] }] }));
      refused(
        'MODEL_UNSUPPORTED',
        /input 'x' needs \d+ elements/,
        model({ inputs: [{ ...X, dims: ['n', 2 ** 20, 2 ** 20] }] }),
      );
    });
  });

  describe('functions', () => {
    /** y = f0(x), with functions given as [name, the functions it calls]. */
    const withFunctions = (...functions: (readonly [string, readonly string[]])[]) => {
      const domain = 'com.example';
      const tried = model({ nodes: [{ ...node('f0', ['x'], ['y']), domain }], opsets: { [domain]: 1 } });
      tried.functions = functions.map(([name, callees]) =>
        create(FunctionProtoSchema, {
          name,
          domain,
          input: ['a'],
          output: ['o0'],
          opsetImport: [{ version: 17n }, { domain, version: 1n }],
          node: callees.map((opType, index) => ({
            opType,
            domain: opType.startsWith('f') ? domain : '',
            input: ['a'],
            output: [`o${index}`],
          })),
        }),
      );
      return tried;
    };

    it('serve as operators of their domain', () => {
      accepted(withFunctions(['f0', ['Neg', 'f1']], ['f1', ['Abs']]));
      refused(
        'MODEL_UNSUPPORTED',
        /\(com\.example:f2\) in function 'f1' is of the custom domain/,
        withFunctions(['f0', ['f1']], ['f1', ['f2']]),
      );
      refused(
        'MODEL_FILE_INVALID',
        /function 'f0' of domain 'com\.example' twice/,
        withFunctions(['f0', ['Neg']], ['f0', ['Neg']]),
      );
    });

    it('have well-formed bodies', () => {
      const tried = withFunctions(['f0', ['Neg']]);
      tried.functions[0]?.output.push('ghost');
      refused('MODEL_FILE_INVALID', /nothing produces the output 'ghost' in function 'f0'/, tried);
    });

    it('may not call themselves', () => {
      refused(
        'MODEL_FILE_INVALID',
        /function 'f0' calls itself/,
        withFunctions(['f0', ['f1']], ['f1', ['f0']]),
      );
    });

    it('may not grow beyond bounds when expanded', () => {
      const calls = (index: number) => Array.from({ length: 10 }, () => `f${index + 1}`);
      const laughs = Array.from({ length: 9 }, (_, index) => [`f${index}`, calls(index)] as const);
      refused(
        'MODEL_UNSUPPORTED',
        /more than 1000000 nodes once its functions are expanded/,
        withFunctions(...laughs, ['f9', ['Neg']]),
      );
      const chain = Array.from({ length: 70 }, (_, index) => [`f${index}`, [`f${index + 1}`]] as const);
      refused('MODEL_UNSUPPORTED', /more than 64 deep/, withFunctions(...chain, ['f70', ['Neg']]));
    });
  });
});
