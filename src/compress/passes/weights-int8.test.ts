import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { weightsInt8 } from './weights-int8.ts';

testPassContract('weights-int8', {
  passes: () => [weightsInt8({ minElements: 32 })],
  snrDb: 35,
  handles: {
    'residual-cnn': ['first', 'depthwise', 'pointwise', 'head'],
    transformer: ['embed', 'query', 'head'],
    lstm: ['lstm', 'head'],
    'if-body': ['first'],
  },
});
testPassContract('weights-int8 in blocks', {
  passes: () => [weightsInt8({ products: 'blocks' })],
  snrDb: 30,
  handles: { perceptron: ['first', 'second', 'third'], transformer: ['query', 'head'] },
});
