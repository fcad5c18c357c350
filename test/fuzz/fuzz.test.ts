import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../support/temp-folder.ts';
import { runCampaign } from './campaign.ts';

const MIB = 1024 * 1024;
const COUNT = 10_000;
/** The libraries' own, and 100 KB of garbage for each input. */
const MOST_GROWTH = 192 * MIB;
const temp = tempFolder({ inMemory: true });

describe('images that are damaged in ways which know the format', () => {
  it(`break no law, ${COUNT} of them`, async () => {
    const done = await runCampaign({ seed: 1, count: COUNT, quick: true, keep: join(temp.path, 'kept') });
    expect(done.failures).toEqual([]);
    expect(done.count).toBe(COUNT);
    expect(done.grown).toBeLessThan(MOST_GROWTH);
    // Figures to read, even where all is well.
    process.stdout.write(`${done.count} inputs in ${done.seconds.toFixed(1)} s, ${Math.round(done.grown / MIB)} MiB\n`);
    // Damage that never reaches the depths of the format finds nothing there.
    const codes = [
      'opened',
      'repaired',
      'written',
      'VHD_BAT',
      'VHD_HEADER_FIELD',
      'VHD_LOCATOR',
      'VHD_PARENT_WRONG',
      'VHD_CHAIN',
      'VHD_ENCRYPTED',
    ];
    for (const code of codes) expect(done.outcomes.get(code) ?? 0, code).toBeGreaterThan(0);
  }, 120_000);
});
