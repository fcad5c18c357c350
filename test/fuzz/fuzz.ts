/**
 * `npm run fuzz -- [COUNT] [SEED]`: makes COUNT (200,000) inputs of healthy images that are damaged in ways which know the
 * format, and does with each everything that can be done with an image. The same SEED (1) makes the same inputs. What breaks
 * a law is kept in a folder, and named. `npm run fuzz -- FILE` examines one that was kept.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Campaign, runCampaign } from './campaign.ts';
import { drawOf } from './draw.ts';
import { examine } from './examine.ts';
import { unpackInput } from './input.ts';

/**
 * What the process may take more than when idle: four inputs at a time, of which a repair keeps up to 64 MiB that it cuts off,
 * and what is not collected yet. What one image takes is measured elsewhere.
 */
const MOST_GROWN = 256 * 1024 * 1024;

const [first = '200000', second = '1'] = process.argv.slice(2);
if (existsSync(first)) await again(first);
else await campaign(Number(first), Number(second));

async function campaign(count: number, seed: number): Promise<void> {
  if (!(Number.isSafeInteger(count) && count > 0 && Number.isSafeInteger(seed))) {
    throw new Error(`${first} ${second}: not a count and a seed`);
  }
  const keep = join(tmpdir(), 'vhdvault-fuzz-failures');
  const done = await runCampaign({ seed, count, keep, onProgress: (n) => process.stderr.write(`\r${n} of ${count}`) });
  process.stdout.write(`\n${report(done, seed)}`);
  if (done.failures.length > 0 || done.grown > MOST_GROWN) process.exitCode = 1;
}

function report({ count, outcomes, failures, slowest, seconds, grown }: Campaign, seed: number): string {
  const lines = [...outcomes].sort((a, b) => b[1] - a[1]).map(([code, n]) => `${String(n).padStart(8)}  ${code}`);
  const failed = failures.flatMap(({ n, troubles, kept }) => [
    `input ${n}, ${kept}`,
    ...troubles.map((t) => `    ${t}`),
  ]);
  const peak = Math.round(grown / 1024 / 1024);
  const facts = [
    `seed ${seed}: ${count} inputs in ${seconds.toFixed(0)} s`,
    `slowest: input ${slowest.n}, a step of ${slowest.cpu.toFixed(2)} s of CPU`,
    `memory: ${peak} MiB above the idle process`,
    `${failures.length} broke a law`,
  ];
  return `${[...lines, ...failed, ...facts].join('\n')}\n`;
}

async function again(path: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'vhdvault-fuzz-'));
  try {
    mkdirSync(join(folder, 'input'));
    const input = unpackInput(readFileSync(path));
    process.stdout.write(`${input.story.join('\n')}\n`);
    const { outcome, troubles } = await examine(join(folder, 'input'), input, drawOf(1, 1));
    process.stdout.write(`${[outcome, ...troubles].join('\n')}\n`);
    if (troubles.length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
