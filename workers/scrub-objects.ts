import { type Answer, answering } from '../src/pool/answer.ts';
import { type ScrubObjectsInput, type ScrubShare, scrubObjects } from '../src/verify/scrub-objects.ts';

const run: (input: ScrubObjectsInput) => Promise<Answer<ScrubShare>> = answering(scrubObjects);
export default run;
