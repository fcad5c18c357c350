import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PASSPHRASE } from '../support/fixed-parts.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, text, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BIN = join(import.meta.dirname, '../../src/cli/bin.ts');
const SIZE = 12 << 20;
const KILLS = 10;

interface Ended {
  killed: boolean;
  /** The point that the program said it saved. */
  point: string | undefined;
  milliseconds: number;
  errors: string;
}

/** Runs `vhdvault backup`, and kills it after so many milliseconds if it is not done by then. */
async function runBackup(bench: VaultBench, disk: string, killAfter?: number): Promise<Ended> {
  const words = ['backup', 'item', `disk=${disk}`, '--format', 'raw', '--json', '--threads', '2'];
  const began = performance.now();
  const child = spawn(process.execPath, [BIN, ...words, '--vault', bench.address, '--cache', bench.cache], {
    env: { ...process.env, VHDVAULT_STATE: bench.state, VHDVAULT_PASSPHRASE: PASSPHRASE.passphrase },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { out: '', errors: '' };
  child.stdout.on('data', (part: Buffer) => (output.out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (output.errors += part.toString()));
  const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  const killed = signal === 'SIGKILL';
  const milliseconds = performance.now() - began;
  const point = output.out === '' ? undefined : (JSON.parse(output.out) as { point?: string }).point;
  return { killed, point, milliseconds, errors: output.errors };
}

/** What the n-th run finds on the disk. */
function content(n: number): Uint8Array {
  const bytes = noise(SIZE, 1);
  bytes.set(noise(SIZE >> 1, 100 + n), (n % 3) << 20);
  bytes.set(text(1 << 20, n), SIZE - (1 << 20));
  return bytes;
}

/** Fractions between 0 and 1 that are the same in every run. */
function fraction(n: number): number {
  return ((n * 0.6180339887) % 1) * 0.9 + 0.1;
}

describe('a backup that is killed', () => {
  it('at ten moments never hurts a point that was saved, and the next run needs no cure', async () => {
    const bench = await openBench(folder.fresh('kill'), { where: 'folder', compression: 'none' });
    const disk = join(bench.folder, 'disk.raw');
    const saved = new Map<string, number>();
    await rawDisk(disk, content(0));
    const whole = await runBackup(bench, disk);
    expect(whole, whole.errors).toMatchObject({ killed: false });
    saved.set(whole.point!, 0);

    const left = new Set<string>();
    for (let n = 1; n <= KILLS; n++) {
      await rawDisk(disk, content(n));
      const ended = await runBackup(bench, disk, whole.milliseconds * fraction(n));
      if (ended.point !== undefined) saved.set(ended.point, n);
      else expect(ended.killed, ended.errors).toBe(true);
      for (const folderName of ['staging', 'locks']) {
        if ((await readdir(join(bench.address, folderName))).length > 0) left.add(folderName);
      }
      expect((await bench.verify()).findings.filter(({ severity }) => severity === 'damage')).toEqual([]);

      const next = await bench.backup('item', [{ name: 'disk', address: { kind: 'file', path: disk, format: 'raw' } }]);
      saved.set(next.point, n);
      expect(next.warnings).toEqual([]);
      expect(await readdir(join(bench.address, 'staging'))).toEqual([]);
      expect(Buffer.compare(await bench.restored(`item@${next.point}`), content(n))).toBe(0);
    }
    // The kills met runs at work, not only before or after it.
    expect([...left].sort()).toEqual(['locks', 'staging']);
    for (const [point, n] of saved) expect(Buffer.compare(await bench.restored(`item@${point}`), content(n))).toBe(0);
    expect((await bench.verify(true)).ok).toBe(true);
    const [cache] = await readdir(bench.cache);
    expect(await readdir(join(bench.cache, cache!, 'jobs'))).toEqual([]);
    expect(await readdir(join(bench.cache, cache!, 'tables'))).toHaveLength(1);
  }, 180_000);
});
