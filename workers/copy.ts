import { type Answer, answering } from '../src/pool/answer.ts';
import { type CopyInput, copy } from '../src/restore/copy.ts';
import type { Lost } from '../src/restore/lost.ts';

const run: (input: CopyInput) => Promise<Answer<Lost>> = answering(copy);
export default run;
