import { scan } from '../src/backup/scan.ts';
import type { ScanInput } from '../src/backup/scan-input.ts';
import { systemRandom } from '../src/base/random.ts';
import { openAddress } from '../src/jobs/open-address.ts';
import { type Answer, answering } from '../src/pool/answer.ts';
import type { FinishedPack } from '../src/vault/block-writer.ts';

const run: (input: ScanInput) => Promise<Answer<FinishedPack | null>> = answering((input: ScanInput) =>
  scan(input, { openDisk: openAddress, random: systemRandom }),
);
export default run;
