import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { biasCorrection } from './bias-correction.ts';

testPassContract('bias-correction', {
  passes: ({ means }) => [biasCorrection({ means })],
  snrDb: 30,
  handles: {
    'residual-cnn': ['first', 'depthwise', 'pointwise', 'head'],
    perceptron: ['first', 'third'],
    'if-body': ['first'],
  },
});
