import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { int8Embeddings } from './int8-embeddings.ts';

testPassContract('int8-embeddings', {
  passes: () => [int8Embeddings()],
  snrDb: 35,
  handles: { transformer: ['embed'] },
});
