import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { int8Dynamic } from './int8-dynamic.ts';

testPassContract('int8-dynamic', {
  passes: () => [int8Dynamic()],
  snrDb: 28,
  handles: {
    'residual-cnn': ['head'],
    perceptron: ['first', 'second', 'third'],
    transformer: ['query', 'key', 'value', 'out', 'head'],
    lstm: ['head'],
  },
});
