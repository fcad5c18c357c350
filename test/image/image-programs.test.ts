import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const SCRIPT = join(import.meta.dirname, '../support/run-image-programs.ts');
const RUNS = process.env.VHDVAULT_LONG === '1' ? 40_000 : 2_000;

describe('any program of writes, snapshots, resizes, merges, conversions and repairs', () => {
  it('leaves images that read as plain arrays of bytes, where nothing is to be found, and nothing beside them', async () => {
    const own = folder.fresh('programs');
    await mkdir(own);
    const ended = await execa(process.execPath, [SCRIPT, own, `${RUNS}`], {
      env: { UV_THREADPOOL_SIZE: '1' },
      reject: false,
    });
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stdout).toBe(`${RUNS} programs`);
  }, 3_600_000);
});
