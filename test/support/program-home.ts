import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The environment of runs that have all of their own in one folder: vault, key file, cache, state. */
export async function programHome(home: string): Promise<Record<string, string>> {
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'key'), Buffer.alloc(32, 7));
  return {
    VHDVAULT_VAULT: join(home, 'vault'),
    VHDVAULT_KEY_FILE: join(home, 'key'),
    VHDVAULT_CACHE: join(home, 'cache'),
    VHDVAULT_STATE: join(home, 'state'),
  };
}

/** What a run may touch whatever it does. */
export const OF_EVERY_RUN: RegExp = /^(cache|state)\b/;
