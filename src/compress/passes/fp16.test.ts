import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { fp16 } from './fp16.ts';

testPassContract('fp16', {
  passes: () => [fp16({ minElements: 32 })],
  snrDb: 60,
  handles: {
    'residual-cnn': ['first', 'depthwise', 'pointwise', 'head'],
    transformer: ['embed', 'query', 'head'],
    lstm: ['lstm', 'head'],
    'if-body': ['first'],
  },
});
