import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drawOf } from './draw.ts';
import { examine } from './examine.ts';
import { packInput } from './input.ts';
import { makeInput } from './make-input.ts';
import { readSeeds, type Seed } from './seeds.ts';

/** What a campaign came to. */
export interface Campaign {
  count: number;
  /** How many inputs were refused by each code, or opened, repaired, written to. */
  outcomes: Map<string, number>;
  /** Of inputs that broke a law: their numbers, and what they broke. */
  failures: { n: number; troubles: string[]; kept: string }[];
  /** The longest that one step with one input took, in seconds of CPU, with what the others took beside it. */
  slowest: { n: number; cpu: number };
  seconds: number;
  /** How far the memory of this process grew above what it had with the seeds in memory; bytes. */
  grown: number;
}

export interface CampaignOptions {
  seed: number;
  from?: number;
  count: number;
  /** Where inputs that break a law are kept. */
  keep: string;
  /** Does less with most inputs: checks every second one, repairs every tenth. */
  quick?: boolean;
  onProgress?: (done: number, campaign: Campaign) => void;
}

/** To open, describe, check, repair or write to one input may not take longer, in seconds of CPU. */
export const MOST_CPU = 1;
const MOST_FAILURES = 50;

/** So many inputs are examined at a time: most of the time goes by waiting for threads that read and write. */
const LANES = 4;

/** Makes inputs and examines them. The same seed makes the same inputs. */
export async function runCampaign(options: CampaignOptions): Promise<Campaign> {
  const started = performance.now();
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vhdvault-fuzz-'));
  try {
    const seeds = await readSeeds(folder);
    const slowest = { n: 0, cpu: 0 };
    const campaign: Campaign = { count: 0, outcomes: new Map(), failures: [], slowest, seconds: 0, grown: 0 };
    const idle = process.memoryUsage.rss();
    const { from = 0, count } = options;
    let next = from;
    const lane = async (_: unknown, i: number): Promise<void> => {
      const place = join(folder, `lane ${i}`);
      mkdirSync(place);
      while (next < from + count && campaign.failures.length < MOST_FAILURES) {
        await examineOne({ place, seeds, n: next++ }, options, campaign);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    campaign.grown = process.resourceUsage().maxRSS * 1024 - idle;
    campaign.seconds = (performance.now() - started) / 1000;
    return campaign;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function examineOne(
  { place, seeds, n }: { place: string; seeds: readonly Seed[]; n: number },
  { seed, keep, quick, onProgress }: CampaignOptions,
  campaign: Campaign,
): Promise<void> {
  const input = makeInput(seeds, seed, n);
  const depth = !quick || n % 10 === 0 ? 'repair' : n % 2 === 0 ? 'check' : 'open';
  const { outcome, deeds, troubles, cpu } = await examine(place, input, drawOf(seed + 1, n), depth);
  if (cpu > MOST_CPU) troubles.push(`a step took ${cpu.toFixed(2)} s of CPU`);
  campaign.count++;
  for (const word of [outcome, ...deeds]) campaign.outcomes.set(word, (campaign.outcomes.get(word) ?? 0) + 1);
  if (cpu > campaign.slowest.cpu) campaign.slowest = { n, cpu };
  if (troubles.length > 0) {
    const kept = join(keep, `input-${seed}-${n}.json.gz`);
    mkdirSync(keep, { recursive: true });
    writeFileSync(kept, packInput(input, troubles));
    campaign.failures.push({ n, troubles: [input.story.join('; '), ...troubles], kept });
  }
  if (campaign.count % 1000 === 0) onProgress?.(campaign.count, campaign);
}
