import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { weightsInt4 } from './weights-int4.ts';

const handles = {
  'residual-cnn': ['head'],
  perceptron: ['first', 'second', 'third'],
  transformer: ['query', 'key', 'value', 'out', 'head'],
  lstm: ['head'],
};

testPassContract('weights-int4', { passes: () => [weightsInt4()], snrDb: 14, handles });
testPassContract('weights-int4, rounded to nearest', {
  passes: () => [weightsInt4({ rounding: 'nearest', blockSize: 16, accuracyLevel: 0 })],
  snrDb: 14,
  handles,
});
