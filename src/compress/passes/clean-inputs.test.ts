import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { cleanInputs } from './clean-inputs.ts';

testPassContract('clean-inputs', { passes: () => [cleanInputs()], snrDb: 120, handles: {} });
