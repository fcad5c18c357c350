import { type Answer, answering } from '../src/pool/answer.ts';
import { type CheckPacksInput, checkPacks, type PackProblem } from '../src/verify/check-packs.ts';

const run: (input: CheckPacksInput) => Promise<Answer<PackProblem[]>> = answering(checkPacks);
export default run;
