import { type Answer, answering } from '../src/pool/answer.ts';
import { checkPacks } from '../src/verify/check-packs.ts';
import type { CheckPacksInput, PackProblem } from '../src/verify/check-packs-task.ts';

const run: (input: CheckPacksInput) => Promise<Answer<PackProblem[]>> = answering(checkPacks);
export default run;
