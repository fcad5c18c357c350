import { type Answer, answering } from '../src/pool/answer.ts';
import { copy } from '../src/restore/copy.ts';
import type { CopyInput } from '../src/restore/copy-task.ts';

const run: (input: CopyInput) => Promise<Answer<void>> = answering(copy);
export default run;
