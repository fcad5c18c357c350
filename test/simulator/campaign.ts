import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Outcome, type SimulateOptions, simulate } from './simulate.ts';
import { installSystem } from './simulated-system.ts';

export interface CampaignOptions extends Pick<SimulateOptions, 'flaw' | 'hasLinks'> {
  /** The first seed. */
  from: number;
  count: number;
  /** Every so manieth seed; the others are another process's. */
  stride?: number;
  /** Told of each seed; tells whether to go on. */
  onOutcome(outcome: Outcome): boolean;
}

/** Lives through many worlds, one after the other. */
export async function runCampaign({ from, count, stride = 1, onOutcome, ...options }: CampaignOptions): Promise<void> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vhdvault-simulator-'));
  using system = installSystem();
  try {
    for (let seed = from; seed < from + count; seed += stride) {
      if (!onOutcome(await simulate(seed, { ...options, system, folder: join(folder, 'world') }))) return;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
