import { type Answer, answering } from '../src/pool/answer.ts';
import { type CopyInput, copy } from '../src/restore/copy.ts';

const run: (input: CopyInput) => Promise<Answer<void>> = answering(copy);
export default run;
