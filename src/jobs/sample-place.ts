import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { partPath, publishFile } from '../io/atomic-file.ts';
import { isPosition, positionOf } from '../verify/sample-window.ts';
import type { VaultSession } from './session.ts';

/*
 * Where the samples of this user go on, of the whole vault and of each item: in the state folder, since verify writes
 * nothing to the vault. Where nothing is known a sample begins anywhere: on machines that forget their state always at
 * the same place would mean never at the others.
 */
type Places = Record<string, number>;

/** Where the next sample begins. */
export async function samplePlace(session: VaultSession, item: string | undefined): Promise<number> {
  const known = (await readPlaces(session))[keyOf(session, item)];
  return isPosition(known) ? known : positionOf(session.vault.random.bytes(6));
}

/** Remembers where the next sample goes on. A state folder that cannot be written is told, not fatal. */
export async function rememberSample(session: VaultSession, item: string | undefined, place: number): Promise<void> {
  const { state, vault, notice } = session;
  const file = fileOf(session);
  try {
    const places = { ...(await readPlaces(session)), [keyOf(session, item)]: place };
    await mkdir(state, { recursive: true });
    const part = partPath(file, vault.random);
    await writeFile(part, `${JSON.stringify(places)}\n`, { flag: 'wx' });
    await publishFile(part, file, { force: true });
  } catch (error) {
    notice(`${file} cannot be written (${(error as Error).message}): the next sample begins anywhere`);
  }
}

async function readPlaces(session: VaultSession): Promise<Places> {
  try {
    return { ...(JSON.parse(await readFile(fileOf(session), 'utf8')) as Places) };
  } catch {
    return {};
  }
}

function fileOf({ state, vault }: VaultSession): string {
  return join(state, `${vault.id}.sample.json`);
}

/** No names in clear. */
function keyOf({ vault }: VaultSession, item: string | undefined): string {
  return item === undefined ? 'all' : vault.nameHash('sample', item);
}
