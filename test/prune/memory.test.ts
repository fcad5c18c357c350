import { existsSync } from 'node:fs';
import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeLargeVault } from '../bench/large-vault.ts';
import { BIN } from '../cli/run-cli.ts';
import { measuredRun } from '../support/measured-run.ts';
import { describeWhere } from '../support/tool.ts';

const MIB = 1024 * 1024;
const MOST = 512 * MIB;
const KEY = Buffer.alloc(32, 7);

describeWhere(existsSync('/proc/self/status'), '/proc/PID/status is not there', 'memory', () => {
  // Takes 2 GiB of disk and some minutes: `npm run test:long`.
  it.runIf(process.env.VHDVAULT_LONG === '1')(
    'of a mark of 20 million ids stays under 512 MiB, with all that a whole process takes',
    async () => {
      await using folder = await mkdtempDisposable(join(tmpdir(), 'vhdvault-mark-'));
      const [vault, key] = [join(folder.path, 'vault'), join(folder.path, 'key')];
      await mkdir(vault);
      await writeFile(key, KEY);
      await makeLargeVault({ path: vault, points: 300, blocks: 20_000_000, secret: { keyFile: KEY } });
      const env = {
        ...{ VHDVAULT_VAULT: vault, VHDVAULT_KEY_FILE: key },
        ...{ VHDVAULT_CACHE: join(folder.path, 'cache'), VHDVAULT_STATE: join(folder.path, 'state') },
      };
      const run = await measuredRun(process.execPath, [BIN, 'gc', '--dry-run', '--json'], { env });
      expect(run.exitCode, run.stderr).not.toBe(1);
      expect(JSON.parse(run.stdout)).toMatchObject({ dryRun: true, condemned: { points: 0 } });
      // A figure to read, even where all is well.
      process.stdout.write(
        `RssAnon of a mark: ${Math.round(run.peakAnonymous / MIB)} MiB, ${run.seconds.toFixed(0)} s\n`,
      );
      expect(run.peakAnonymous).toBeGreaterThan(100 * MIB);
      expect(run.peakAnonymous).toBeLessThan(MOST);
    },
    3_600_000,
  );
});
