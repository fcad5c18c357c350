import { type Answer, answering } from '../src/pool/answer.ts';
import { type CheckPacksInput, checkPacks } from '../src/verify/check-packs.ts';
import type { PackTrouble } from '../src/verify/pack-troubles.ts';

const run: (input: CheckPacksInput) => Promise<Answer<PackTrouble[]>> = answering(checkPacks);
export default run;
