import { isError } from '../../src/base/errors.ts';
import { addKey, changeKey, listKeys, removeKey } from '../../src/jobs/key-job.ts';
import { openVault } from '../../src/jobs/session.ts';
import { overlap, type SimProcess, type SimSecret } from './process.ts';
import { Violation } from './scheduler.ts';
import { ADDRESS, openSession, optionsOf, type World } from './world.ts';

/** Everybody who touches keys is called so: what two of them do at once, nobody knows. */
export const KEY_RUN = 'key change';

/** Adds a passphrase, puts one in the place of another, or removes one. */
export async function changeKeys(world: World, process: SimProcess): Promise<void> {
  const { draw, secrets } = world;
  if (secrets.length === 0) return;
  await using session = await openSession(world, process);
  const { signal } = process.cancelled;
  const opened = process.secret as SimSecret;
  const fresh: SimSecret = { options: { passphrase: `passphrase number ${secrets.length}` }, state: 'unsure' };
  switch (draw.below(3)) {
    case 0:
      secrets.push(fresh);
      await addKey(session, { ...fresh.options, signal });
      return told(world, process, { valid: fresh });
    case 1:
      secrets.push(fresh);
      opened.state = 'unsure';
      await changeKey(session, { ...fresh.options, signal });
      return told(world, process, { valid: fresh, gone: opened });
    default: {
      const { slots } = await listKeys(session, { signal });
      if (slots.length < 2) return;
      // Whose it is, only the slot of this session tells.
      const slot = slots.find((one) => one.opened);
      if (!slot) return;
      opened.state = 'unsure';
      await removeKey(session, slot.name, { signal, force: true });
      return told(world, process, { gone: opened });
    }
  }
}

/** It is done, and known, if nobody else was at it. */
function told(world: World, process: SimProcess, { valid, gone }: { valid?: SimSecret; gone?: SimSecret }): void {
  const isAlone = !world.processes.some((other) => other.name === KEY_RUN && overlap(other, process));
  if (process.state !== 'running' || !isAlone) return;
  if (valid) valid.state = 'valid';
  if (gone) gone.state = 'gone';
}

/** What must open the vault does, what must not does not, and something does. */
export async function checkSecrets(world: World, process: SimProcess): Promise<void> {
  let opened = 0;
  for (const { options, state } of world.secrets) {
    const isOpen = await openVault(ADDRESS, { ...optionsOf(world, process), ...options }).then(
      async (session) => {
        await session[Symbol.asyncDispose]();
        return true;
      },
      (error: unknown) => {
        // What a key change that was interrupted left among the slots is named where no other slot opens.
        const isRefused =
          isError(error, 'VAULT_KEY_WRONG') || (isError(error, 'VAULT_DAMAGED') && /^keys\//.test(error.message));
        if (!isRefused) throw error;
        return false;
      },
    );
    if (isOpen) opened++;
    const what = 'passphrase' in options ? options.passphrase : 'the key file';
    if (isOpen && state === 'gone') throw new Violation(`${what} was taken away, and opens the vault`);
    if (!isOpen && state === 'valid') throw new Violation(`${what} opens the vault no more`);
  }
  if (opened === 0 && world.secrets.length > 0) throw new Violation('nothing opens the vault any more');
}
