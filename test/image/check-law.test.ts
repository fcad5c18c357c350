import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkImage, type Finding, openDisk, type VhdvaultError } from '../../src/image/vhd-parser.ts';
import { writeInput } from '../fuzz/input.ts';
import { makeInput } from '../fuzz/make-input.ts';
import { readSeeds } from '../fuzz/seeds.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
const INPUTS = 400;
const SEED = 20240101;

/** Of parents, or of what is no VHD, only opening knows; of contradicting footers, which of them is the guest's. */
const ONLY_OPENING = /PARENT|CHAIN|DISK_|FOOTER_MISSING|NO_PERMISSION|FOOTER_FIELD|TRUNCATED/;

it('an image has damage if and only if opening refuses it, and the check says why, whatever is done to it', async () => {
  const seedFolder = temp.fresh('seeds');
  await mkdir(seedFolder);
  const seeds = await readSeeds(seedFolder);
  const outcomes = { opens: 0, refused: 0, foundByRules: 0 };
  for (let n = 0; n < INPUTS; n++) {
    const input = makeInput(seeds, SEED, n);
    const folder = temp.fresh('input');
    await mkdir(folder);
    writeInput(folder, input);
    const path = join(folder, input.image);
    const options = {
      parentRoots: input.parentRoots.map((root) => join(folder, root)),
      ...(input.format && { format: input.format }),
    };
    const refused = await refusal(path, options);
    const findings = await checkImage(path, options);
    const why = `input ${n} of seed ${SEED}: ${input.story.join('; ')}`;
    const damage = findings.filter(({ severity }) => severity === 'damage');
    expect(damage.length > 0, why).toBe(refused !== null);
    if (refused) expect(saysSo(damage, refused), `${why}: ${refused.message}`).toBe(true);
    expect(new Set(findings.map((one) => JSON.stringify(one))).size, `${why}: told twice`).toBe(findings.length);
    outcomes[refused ? 'refused' : 'opens']++;
    if (refused && damage.length > 1 && !ONLY_OPENING.test(refused.code)) outcomes.foundByRules++;
    await rm(folder, { recursive: true });
  }
  expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(INPUTS / 20);
}, 120_000);

async function refusal(path: string, options: Parameters<typeof openDisk>[1]): Promise<VhdvaultError | null> {
  try {
    await using _ = await openDisk(path, options);
    return null;
  } catch (error) {
    return error as VhdvaultError;
  }
}

/** Of a kind that occurs more often than it is told, it may be among the rest. */
function saysSo(damage: readonly Finding[], refused: VhdvaultError): boolean {
  const alike = damage.filter(({ code }) => code === refused.code);
  return alike.some(({ offset, what }) => offset === refused.details.offset || /^and \d+ more/.test(what));
}
